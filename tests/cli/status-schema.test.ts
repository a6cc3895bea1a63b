/** The status schema: the committed file is the generated one, and statuses validate against it. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { neverStarted } from '../../src/cli/run/never-started.ts'
import { statusJsonSchema, statusSchema } from '../../src/runtime/status-schema.ts'
import { sampleStatus } from '../console/sample-status.ts'

test('schema/status.schema.json is up to date (npx tsx scripts/status-schema.ts writes it)', () => {
  const file = new URL('../../schema/status.schema.json', import.meta.url)
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(JSON.parse(JSON.stringify(statusJsonSchema())))
})

test('a status validates', () => {
  expect(statusSchema.parse(sampleStatus(70))).toEqual(sampleStatus(70))
  expect(() =>
    statusSchema.parse(neverStarted('p', 1, { code: 'HG_CONNECTION_LOST', message: 'refused' })),
  ).not.toThrow()
})

test('a status with a field that is unknown, missing or impossible does not', () => {
  const sample = sampleStatus(70)
  expect(statusSchema.safeParse({ ...sample, extra: 1 }).success).toBe(false)
  expect(statusSchema.safeParse({ ...sample, verdict: undefined }).success).toBe(false)
  expect(statusSchema.safeParse({ ...sample, queueAgeMs: -1 }).success).toBe(false)
  expect(statusSchema.safeParse({ ...sample, state: 'napping' }).success).toBe(false)
})
