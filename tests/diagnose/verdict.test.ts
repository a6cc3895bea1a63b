/** The one sentence of a status: the doctor's while it runs, how it ended when it is over. */
import { expect, test } from 'vitest'
import { diagnose } from '../../src/diagnose/doctor.ts'
import { verdictOf } from '../../src/diagnose/verdict.ts'
import type { StageStatus, Status } from '../../src/model/status.ts'
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

/** A stage's code takes `cpu` of the thread, which is busy for `loop` of the time; what waits in the source is unknown. */
function looks(cpu: number, loop: number, noInput: number): Status[] {
  return [10, 20].map((seconds) => {
    const status = sampleStatus(seconds)
    const [stage] = status.stages as [StageStatus]
    const heavy = {
      ...stage,
      name: 'heavy',
      kind: 'map' as const,
      reason: 'idle',
      reasonSeconds: {},
      states: { ...stage.states, CPU: seconds * cpu },
    }
    const states = { FETCH: seconds * (1 - noInput), COMMIT: 0, BLOCKED: 0, NO_INPUT: seconds * noInput }
    return {
      ...status,
      places: [],
      stages: [heavy],
      sources: status.sources.map((source) => ({ ...source, backlogRecords: null, states })),
      process: { ...status.process, loopActiveMs: 1000 * loop * seconds, cpuMs: 1000 * loop * seconds },
    }
  })
}

test('a full thread bounds the pace where nobody knows how much waits in the source', () => {
  const diagnosis = diagnose(looks(0.85, 0.98, 0.02))
  expect(diagnosis?.verdict).toMatchObject({ kind: 'own-cpu', bottleneck: 'heavy' })
  expect(diagnosis?.health.kind).toBe('keeping-up')
})

test.each([
  ['has time left', looks(0.6, 0.7, 0.02)],
  ['is without input now and then', looks(0.85, 0.95, 0.3)],
])('but not where it %s', (_, seen) => {
  expect(diagnose(seen)?.verdict.kind).toBe('none')
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
