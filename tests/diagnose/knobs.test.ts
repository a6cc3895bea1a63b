/** The knobs and the autoscaling signal of pipelines in virtual time. */
import { expect, test } from 'vitest'
import { baseOf } from '../../bench/doctor/base.ts'
import { watch } from '../../bench/doctor/trial.ts'

test('held at its own rate with an adaptive limit, the rate is the knob and more processes are none', () => {
  const seed = 1
  const { spec, capacity } = baseOf(seed, 20_000)
  const { source, enrich } = spec
  const { looks } = watch(
    {
      ...spec,
      source: { ...source, perSecond: capacity },
      enrich: { ...enrich, adaptiveMax: 512, ratePerSecond: capacity / 2 },
    },
    seed,
  )
  const { verdict, knobs, autoscale } = looks.at(-1)!.diagnosis
  expect([verdict.kind, verdict.bottleneck]).toEqual(['local-limit', 'enrich'])
  const advised = knobs.map(({ setting, advice }) => `${advice} ${setting}`)
  expect(advised).toEqual(['turn rate', 'hurts replicas'])
  // The limit is as high as the rate needs it, and would rise with it.
  expect(knobs[0]!.gainRatio).toBeGreaterThan(1.4)
  expect([autoscale.action, autoscale.desired]).toEqual(['hold', autoscale.current])
})

test('a rate that is reached is named and the name stays, also where the downstream could hardly give more', () => {
  const seed = 2
  const { spec } = baseOf(seed, 20_000)
  const { source, enrich } = spec
  const servers = 8
  const ratePerSecond = (1.02 * servers * 1000) / enrich.latencyMs
  const { looks } = watch(
    {
      ...spec,
      source: { ...source, perSecond: 1.5 * ratePerSecond },
      enrich: { ...enrich, servers, slots: 2 * servers, ratePerSecond },
    },
    seed,
  )
  const later = looks.filter(({ atMs }) => atMs > 10_000)
  expect(new Set(later.map(({ diagnosis }) => diagnosis.verdict.kind))).toEqual(new Set(['local-limit']))
})
