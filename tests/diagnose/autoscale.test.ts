/** How many processes there should be, for pipelines in virtual time: more only where more get more done. */
import { expect, test } from 'vitest'
import { type Base, baseOf } from '../../bench/doctor/base.ts'
import { watch } from '../../bench/doctor/trial.ts'
import type { Autoscale } from '../../src/model/diagnosis.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'

const SEED = 3

function scaled(load: number, change: (base: Base) => Partial<PipelineSpec> = () => ({})): Autoscale {
  const base = baseOf(SEED, 20_000)
  const { spec, capacity } = base
  const changed = { ...spec, ...change(base) }
  return watch({ ...changed, source: { ...changed.source, perSecond: capacity * load } }, SEED).looks.at(-1)!.diagnosis
    .autoscale
}

test('keeps as many as keep up', () => {
  const { action, desired } = scaled(0.5)
  expect([action, desired]).toEqual(['hold', 1])
})

test('asks for more where each brings its own slots: enough for what arrives, with room', () => {
  const { action, desired, perReplicaPerSecond, need } = scaled(3)
  expect(action).toBe('up')
  const { capacity } = baseOf(SEED, 20_000)
  expect(desired * (perReplicaPerSecond as number)).toBeGreaterThan(3 * capacity)
  expect(desired).toBeLessThanOrEqual(need)
})

test('never asks for more of what shares a downstream that is full, or its quota', () => {
  const full = scaled(3, ({ spec: { enrich } }) => ({ enrich: { ...enrich, servers: Math.ceil(enrich.slots / 4) } }))
  const quota = scaled(3, ({ spec: { enrich }, capacity }) => ({ enrich: { ...enrich, quotaPerSecond: capacity / 2 } }))
  for (const { action, desired, current } of [full, quota]) expect([action, desired]).toEqual(['hold', current])
})
