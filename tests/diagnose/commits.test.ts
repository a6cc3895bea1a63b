/** What is said of commits that are too slow, and of a record that keeps everything behind it from being committed. */
import { expect, test } from 'vitest'
import { baseOf } from '../../bench/doctor/base.ts'
import { CAUSES } from '../../bench/doctor/causes.ts'
import { watch } from '../../bench/doctor/trial.ts'
import { Doctor } from '../../src/diagnose/doctor.ts'
import { StillLog } from '../../src/diagnose/still-log.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { PartitionStatus, Status } from '../../src/model/status.ts'
import { sampleStatus } from '../console/sample-status.ts'

const SECONDS = 60

test('slow commits over an old backlog are not blamed on a record that has only waited in the broker', () => {
  const cause = CAUSES.find(({ name }) => name === 'slow commits')!
  const base = baseOf(1, SECONDS * 1000)
  const spec = cause.plant(base, 0.5)
  const loaded = { ...spec, source: { ...spec.source, perSecond: base.capacity * 3 } }
  const { verdict, flow } = watch(loaded, 1).looks.at(-1)!.diagnosis
  expect(flow.queueAgeMs).toBeGreaterThan(30_000)
  expect([verdict.kind, verdict.bottleneck]).toEqual(['slow-commit', 'orders'])
  expect(verdict.sentence).not.toContain('has been open')
  expect(verdict.evidence.map(({ name }) => name)).not.toContain('oldest open record')
})

function partition(nowMs: number, given: Partial<PartitionStatus>): PartitionStatus {
  const times = { oldestOpenMs: nowMs - 5, oldestUncommittedMs: nowMs - 5 }
  const counts = { delivered: 5000, completed: 4000, inFlight: 1, backlogRecords: 1000 }
  return { name: '', uncommitted: 0, watermark: 0, ...times, ...counts, ...given }
}

/** Commits go on, but those of partition `payments/3` get no further than offset 70, and it has used up its room. */
function stuckAt(seconds: number): Status {
  const { sources, stages, ...status } = sampleStatus(seconds)
  const { nowMs } = status
  const moves = partition(nowMs, { name: 'payments/1', uncommitted: 900, watermark: Math.round(100 * seconds) })
  const stands = partition(nowMs, { name: 'payments/3', uncommitted: 999, watermark: 70 })
  const commits = Math.round(seconds)
  return {
    ...status,
    stages: stages.map((stage) => ({ ...stage, inFlight: 0 })),
    sources: sources.map((source) => ({ ...source, limitUncommitted: 1000, commits, byPartition: [moves, stands] })),
  }
}

test('the record that keeps the watermark where it is has been open for as long as that stands', () => {
  const log = new StillLog()
  for (let seconds = 10; seconds <= 50; seconds += 0.5) log.observe(stuckAt(seconds))
  expect(log.oldestOpen).toEqual({ partition: 'payments/3', offset: 70, forMs: 40_000 })
})

test('a record that is in the way of all commits is named with its partition and offset', () => {
  const doctor = new Doctor()
  for (let seconds = 10; seconds <= SECONDS; seconds += 0.5) doctor.observe(stuckAt(seconds))
  const { verdict } = doctor.diagnosis() as Diagnosis
  expect(verdict.kind).toBe('slow-commit')
  expect(verdict.sentence).toContain('payments/3@70 has been open for 50 s')
})
