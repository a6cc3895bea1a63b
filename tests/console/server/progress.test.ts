/** What a liveness probe is told: movement of any kind is life, a heartbeat is not, and waiting for a known reason is no stall. */
import { expect, test } from 'vitest'
import { Progress, readiness } from '../../../src/console/server/progress.ts'
import type { Status } from '../../../src/model/status.ts'
import { sampleLimiter, sampleStatus } from '../sample-status.ts'

/** The status that it is in all the time, looked at each second for two minutes. */
function afterTwoMinutes(change: (status: Status, second: number) => void): { ok: boolean; reason: string } {
  const progress = new Progress(60_000)
  let seen = { ok: true, reason: '' }
  for (let second = 0; second <= 120; second += 1) {
    const status = sampleStatus(60)
    status.nowMs += second * 1000
    change(status, second)
    seen = progress.observe(status, second * 1000)
  }
  return seen
}

const call = (status: Status) => status.stages.find(({ kind }) => kind === 'call') as Status['stages'][number]

test('work in flight and nothing that moves is a stall, although the clock goes on', () => {
  const seen = afterTwoMinutes(() => {})
  expect(seen).toEqual({ ok: false, reason: expect.stringMatching(/^stalled: 117 records in flight/) })
})

test('it is none before the minute is over', () => {
  const progress = new Progress(60_000)
  progress.observe(sampleStatus(60), 0)
  expect(progress.observe(sampleStatus(60), 59_999).ok).toBe(true)
  expect(progress.observe(sampleStatus(60), 60_000).ok).toBe(false)
})

test.each<[string, (status: Status, second: number) => void]>([
  ['a record that completes', (status, second) => (status.records.out += second)],
  ['an attempt, as of a breaker that probes', (status, second) => (call(status).attempts += Math.floor(second / 30))],
  ['a time-out', (status, second) => (call(status).timeouts += Math.floor(second / 30))],
  ['a commit', (status, second) => (status.sources[0]!.commits += Math.floor(second / 30))],
  ['a commit that fails', (status, second) => (status.sources[0]!.commitFailures += Math.floor(second / 30))],
])('%s now and then is life', (_, change) => {
  expect(afterTwoMinutes(change).ok).toBe(true)
})

test('nothing in flight, and a pause that the downstream asked for, are no stall', () => {
  expect(afterTwoMinutes((status) => (status.records.inFlight = 0)).ok).toBe(true)
  const asked = sampleLimiter({ gate: 'retry-after', gateUntilMs: 1_060_000 + 600_000 })
  expect(afterTwoMinutes((status) => (call(status).limiters = [asked])).ok).toBe(true)
  const over = sampleLimiter({ gate: 'retry-after', gateUntilMs: 1_060_000 + 30_000 })
  expect(afterTwoMinutes((status) => (call(status).limiters = [over])).ok).toBe(false)
})

test('one that has failed is not alive, one that has ended in order is', () => {
  expect(afterTwoMinutes((status) => (status.state = 'failed'))).toEqual({ ok: false, reason: 'failed' })
  expect(afterTwoMinutes((status) => (status.state = 'stopped'))).toEqual({ ok: true, reason: 'stopped' })
})

test('ready is what takes in work, or was paused on purpose', () => {
  const states = ['starting', 'running', 'paused', 'draining', 'stopped', 'failed'] as const
  expect(states.filter((state) => readiness(sampleStatus(1, { state })).ok)).toEqual(['running', 'paused'])
})
