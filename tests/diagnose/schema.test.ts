/** The schema of a diagnosis: the committed file is the generated one, and what the doctor says validates. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { diagnose } from '../../src/diagnose/doctor.ts'
import { diagnosisJsonSchema, diagnosisSchema } from '../../src/runtime/diagnosis-schema.ts'
import { sampleStatus } from '../console/sample-status.ts'

test('schema/diagnosis.schema.json is up to date (npx tsx scripts/status-schema.ts writes it)', () => {
  const file = new URL('../../schema/diagnosis.schema.json', import.meta.url)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(diagnosisJsonSchema())))
})

test('a diagnosis validates, and one with a field too many does not', () => {
  const diagnosis = diagnose([sampleStatus(1), sampleStatus(4), sampleStatus(7)])
  expect(diagnosisSchema.parse(diagnosis)).toEqual(diagnosis)
  expect(diagnosisSchema.safeParse({ ...diagnosis, extra: 1 }).success).toBe(false)
})

test('statuses that come again or backwards are left out', () => {
  const [first, second] = [sampleStatus(2), sampleStatus(6)]
  expect(diagnose([first, second, first, second])).toEqual(diagnose([first, second]))
})
