/** The sentence that sums up a status: it names what holds the pipeline back and says no more than is known. */
import { expect, test } from 'vitest'
import { verdictOf } from '../../src/diagnose/verdict.ts'
import type { Status } from '../../src/model/status.ts'
import { sampleLimiter, sampleStatus } from '../console/sample-status.ts'

const NOTHING = { in: 0, out: 0, filtered: 0, deadLettered: 0, skipped: 0, returned: 0, inFlight: 0 }

function quiet(given: Partial<Status> = {}, backlogRecords: number | null = 0): Status {
  const status = sampleStatus(10)
  return {
    ...status,
    records: NOTHING,
    sources: status.sources.map((source) => ({ ...source, backlogRecords })),
    stages: [],
    ...given,
  }
}

function held(reason: string, backlogRecords: number, limit = 64): string {
  const stages = sampleStatus(10)
    .stages.filter(({ kind }) => kind === 'call')
    .map((stage) => ({ ...stage, reason, limit }))
  return verdictOf(quiet({ stages }, backlogRecords))
}

test.each([
  ['rate', "Stage 'fraud' runs at its rate limit; 333 records wait in the source (1.0 s of work)."],
  ['concurrency', "Stage 'fraud' has all of its 64 slots busy; 333 records wait in the source (1.0 s of work)."],
  [
    'breaker',
    "Stage 'fraud' waits: its downstream fails, and one call at a time tests whether it is back; 333 records wait in the source (1.0 s of work).",
  ],
])('the stage that holds it back is named with its reason: %s', (reason, sentence) => {
  expect(held(reason, 333)).toBe(sentence)
})

test.each([
  ['concurrency', {}, "Stage 'fraud' sends what its downstream can take, 37 calls at once."],
  [
    'concurrency',
    { phase: 'slow-start' },
    "Stage 'fraud' is finding out what its downstream can take, 37 calls at once so far.",
  ],
  ['quota', { ratePerSecond: 333.4 }, "Stage 'fraud' is held at the quota that its downstream grants, 333 a second."],
  ['quota', {}, "Stage 'fraud' is held at the quota that its downstream grants."],
])('a limit that was found is told from one that was set: %s %o', (reason, given, sentence) => {
  const stages = sampleStatus(10)
    .stages.filter(({ kind }) => kind === 'call')
    .map((stage) => ({ ...stage, reason, limit: 37, limiters: [sampleLimiter(given)] }))
  expect(verdictOf(quiet({ stages }))).toBe(sentence)
})

test('of several stages that which holds back most is named, however busy the others are', () => {
  const [call, sink] = ['call', 'sink'].map((kind) => sampleStatus(10).stages.find((stage) => stage.kind === kind)!)
  const place = (name: string, records: number) => ({ name, records, bytes: 0, seconds: 0, limitRecords: 1000 })
  const named = (queued: number): string =>
    verdictOf(
      quiet({
        stages: [
          { ...call!, reason: 'concurrency' },
          { ...sink!, reason: 'concurrency', limit: 1 },
        ],
        places: [
          place(`${call!.name} queue`, 100),
          place(`${call!.name} lanes`, 900),
          place(`${sink!.name} queue`, queued),
        ],
      }),
    )
  expect(named(20)).toContain(`Stage '${call!.name}' has all of its 64 slots busy`)
  expect(named(1000)).toContain(`Stage '${sink!.name}' has its only slot busy`)
})

test('a backlog that nothing holds back is said to wait, and nobody to keep up with it', () => {
  expect(verdictOf(quiet({}, 5))).toMatch(/^Nothing holds the stages back; 5 records wait in the source/)
  expect(verdictOf(quiet({ records: { ...NOTHING, in: 3, inFlight: 3 } }))).toBe(
    'Keeping up: nothing waits in the source.',
  )
})

test('one record and one slot are one', () => {
  expect(held('concurrency', 1, 1)).toMatch(/^Stage 'fraud' has its only slot busy; 1 record waits in the source/)
  expect(verdictOf(quiet({ state: 'stopped', records: { ...NOTHING, in: 1, out: 1 } }))).toBe(
    'Finished: 1 of 1 record completed, 0 returned uncommitted.',
  )
})

test('an empty backlog is not the same as one that nobody knows', () => {
  expect(verdictOf(quiet())).toBe('Keeping up: nothing waits.')
  expect(verdictOf(quiet({}, null))).toBe('Keeping up: nothing waits here; how much waits in the source is unknown.')
})

test('a failure comes first', () => {
  const error = { code: 'HG_STORAGE', message: 'the disk is full' }
  expect(verdictOf(quiet({ state: 'failed', error }))).toBe('Failed: the disk is full')
})
