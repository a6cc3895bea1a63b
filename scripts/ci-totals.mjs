/**
 * Adds up what the steps of `.ci/run` reported: vitest's JSON files and a line for each other step. Prints what failed
 * by name and how many conformance rules do not apply, then the one line of totals. Only such a rule may be skipped,
 * and it says why in its name; any other skipped test counts as a failure, since CI has everything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, join } from 'node:path'

const directory = process.argv[2]
let passed = 0
let failed = 0
let skippedRules = 0

function fail(text) {
  failed += 1
  console.log(text)
}

const isSkippedRule = (name) => /\b[SK]\d+ .+\(skipped: .+\)$/.test(name)

for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
  const failedBefore = failed
  for (const { name, message, assertionResults } of readReport(join(directory, file))) {
    if (assertionResults.length === 0) fail(`failed: ${name} ran no test: ${message ?? ''}`)
    for (const { status, fullName } of assertionResults) {
      if (status === 'passed') passed += 1
      else if (status !== 'failed' && isSkippedRule(fullName)) skippedRules += 1
      else fail(`${status}: ${fullName} (${file})`)
    }
  }
  const status = join(directory, file.replace(/json$/, 'status'))
  if (failed === failedBefore && existsSync(status) && readFileSync(status, 'utf8').trim() !== '0')
    fail(`failed: ${file} has no failed test, but its run ended badly (an unhandled error, say)`)
}

const steps = join(directory, 'steps.txt')
for (const line of existsSync(steps) ? readFileSync(steps, 'utf8').trim().split('\n') : []) {
  const [status, ...name] = line.split(' ')
  // A run of tests that left no report is named here whatever its status was.
  if (status === '0' && !line.endsWith('no report')) passed += 1
  else fail(`failed: step ${name.join(' ')}`)
}

if (skippedRules > 0) console.log(`${skippedRules} conformance rules do not apply to their connector and say why`)
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults
  } catch (error) {
    fail(`failed: ${basename(path)} cannot be read: ${error.message}`)
    return []
  }
}
