/**
 * Adds up what the steps of `.ci/run` reported: vitest's JSON files and a line for each other step. Prints what failed
 * and what was skipped by name, then the one line of totals. A skipped test counts as a failure: CI has everything.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const directory = process.argv[2]
let passed = 0
let failed = 0

for (const file of readdirSync(directory).filter((name) => name.endsWith('.json'))) {
  const report = JSON.parse(readFileSync(join(directory, file), 'utf8'))
  for (const suite of report.testResults) {
    if (suite.assertionResults.length === 0) {
      failed += 1
      console.log(`failed: ${suite.name} ran no test: ${suite.message ?? ''}`)
    }
    for (const { status, fullName } of suite.assertionResults) {
      if (status === 'passed') passed += 1
      else {
        failed += 1
        console.log(`${status}: ${fullName} (${file})`)
      }
    }
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

console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 && passed > 0 ? 0 : 1
