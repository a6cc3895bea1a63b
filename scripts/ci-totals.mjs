/**
 * Adds up what the steps of `.ci/run` reported: vitest's JSON files and a line for each other step. Prints what failed
 * and what was skipped by name, then the one line of totals. A skipped test counts as a failure, since CI has
 * everything; only a conformance rule that does not apply to a connector is skipped, and says why in its name.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.argv[2]
let passed = 0
let failed = 0
let skipped = 0

for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  const failedBefore = failed
  for (const suite of report.testResults) {
    if (suite.assertionResults.length === 0) {
      failed += 1
      console.log(`failed: ${suite.name} ran no test: ${suite.message ?? ''}`)
    }
    for (const { status, fullName } of suite.assertionResults) {
      if (status === 'passed') passed += 1
      else if (/\(skipped: .+\)$/.test(fullName)) skipped += 1
      else {
        failed += 1
        console.log(`${status}: ${fullName} (${file})`)
      }
    }
  }
  const status = join(directory, file.replace(/json$/, 'status'))
  if (failed === failedBefore && existsSync(status) && readFileSync(status, 'utf8').trim() !== '0') {
    failed += 1
    console.log(`failed: ${file} has no failed test, but its run ended badly (an unhandled error, say)`)
  }
}

const steps = join(directory, 'steps.txt')
for (const line of existsSync(steps) ? readFileSync(steps, 'utf8').trim().split('\n') : []) {
  const [status, ...name] = line.split(' ')
  if (status === '0') passed += 1
  else {
    failed += 1
    console.log(`failed: step ${name.join(' ')}`)
  }
}

console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
