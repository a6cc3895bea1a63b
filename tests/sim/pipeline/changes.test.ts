/** A simulated pipeline whose surroundings change while it runs: from then on it goes as the new spec has it. */
import { expect, test } from 'vitest'
import { baseOf } from '../../../bench/doctor/base.ts'
import { count, paceAt } from '../../../bench/doctor/trial.ts'
import type { PipelineSpec } from '../../../src/sim/pipeline/spec.ts'

const SEED = 2
const { spec, capacity } = baseOf(SEED, 16_000)
const HEALTHY: PipelineSpec = { ...spec, source: { ...spec.source, perSecond: capacity / 2 } }

function paces(to: PipelineSpec, back: PipelineSpec | null): [number, number, number] {
  const changes = [{ atMs: 5000, to }, ...(back === null ? [] : [{ atMs: 10_000, to: back }])]
  const looks = count({ ...HEALTHY, changes }, SEED)
  return [paceAt(looks, 5000, 3000), paceAt(looks, 10_000, 3000), paceAt(looks, 16_000, 3000)]
}

test('calls that a downstream left unanswered are answered once it answers again', () => {
  const hangs = { ...HEALTHY, enrich: { ...HEALTHY.enrich, hangsFromMs: 0 } }
  const [before, during, after] = paces(hangs, HEALTHY)
  expect(before).toBeGreaterThan(0)
  expect(during).toBe(0)
  expect(after).toBeGreaterThan(before)
})

test('a rate, a slower downstream and code on the loop hold from the change on, and no longer than it', () => {
  const { enrich, thread } = HEALTHY
  const held = { ...HEALTHY, enrich: { ...enrich, ratePerSecond: capacity / 8 } }
  const free = { ...HEALTHY, enrich: { ...enrich, ratePerSecond: capacity * 4 } }
  const slow = { ...HEALTHY, enrich: { ...enrich, latencyMs: enrich.latencyMs * 8 } }
  const busy = { ...HEALTHY, thread: { ...thread, blockMs: 1000, blockEveryMs: 5 } }
  for (const [to, back] of [
    [held, free],
    [slow, HEALTHY],
    [busy, HEALTHY],
  ] as const) {
    const [before, during, after] = paces(to, back)
    expect(during).toBeLessThan(before / 2)
    expect(after).toBeGreaterThan(before)
  }
})
