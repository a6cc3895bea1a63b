/** The one sentence of a status: the doctor's while it runs, how it ended when it is over. */
import { expect, test } from 'vitest'
import { diagnose } from '../../src/diagnose/doctor.ts'
import { verdictOf } from '../../src/diagnose/verdict.ts'
import type { Status } from '../../src/model/status.ts'
import { sampleStatus } from '../console/sample-status.ts'

const NOTHING = { in: 0, out: 0, filtered: 0, deadLettered: 0, skipped: 0, returned: 0, inFlight: 0 }

function quiet(given: Partial<Status> = {}, backlogRecords: number | null = 0): Status {
  const status = sampleStatus(10)
  return {
    ...status,
    records: NOTHING,
    places: [],
    sources: status.sources.map((source) => ({ ...source, backlogRecords })),
    stages: [],
    ...given,
  }
}

const sentence = (status: Status): string => verdictOf(status, diagnose([status]))

test('one record is one', () => {
  expect(sentence(quiet({ state: 'stopped', records: { ...NOTHING, in: 1, out: 1 } }))).toBe(
    'Finished: 1 of 1 record completed, 0 returned uncommitted.',
  )
})

test('an empty backlog is not the same as one that nobody knows', () => {
  expect(sentence(quiet())).toBe('Idle: nothing arrives and nothing waits.')
  expect(diagnose([quiet({}, null)])?.verdict.sentence).toContain('unknown')
})

test('what waits in the source is said, and how much work that is', () => {
  const stages = sampleStatus(10).stages.map((stage) => ({ ...stage, reasonSeconds: { rate: 10 } }))
  const waiting = quiet({ stages, records: { ...NOTHING, in: 3330, out: 3330 } }, 3330)
  expect(sentence(waiting)).toMatch(/3,330 records wait in the source \(10 s of work\)\.$/)
})

test('a failure comes first', () => {
  const error = { code: 'HG_STORAGE', message: 'the disk is full' }
  expect(sentence(quiet({ state: 'failed', error }))).toBe('Failed: the disk is full')
})

test('before anything was seen nothing is claimed', () => {
  expect(verdictOf(quiet(), null)).toBe('Starting: too little has been seen to say more.')
})
