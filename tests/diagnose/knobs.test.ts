/** The knobs and the autoscaling signal of pipelines in virtual time. */
import { expect, test } from 'vitest'
import { baseOf } from '../../bench/doctor/base.ts'
import { CAUSES, type Cause } from '../../bench/doctor/causes.ts'
import { turnAll } from '../../bench/doctor/knobs.ts'
import { watch } from '../../bench/doctor/trial.ts'
import { Doctor } from '../../src/diagnose/doctor.ts'
import { sampleStatus } from '../console/sample-status.ts'

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

test('past the knee more slots bring nothing but wait, fewer lose nothing but wait, and so it is when they are turned', () => {
  const saturated = CAUSES.find(({ name }) => name === 'saturated downstream') as Cause
  const turned = turnAll(saturated, 0.5, 3, 4)
  const now = turned.find(({ advice }) => advice === 'hurts')!
  const fewer = turned.find(({ advice }) => advice === 'safe')!
  for (const { error, attempt } of [now, fewer]) {
    expect(error).toBeLessThan(0.1)
    expect(attempt!.error).toBeLessThan(0.15)
  }
  expect(now.measured / fewer.measured).toBeCloseTo(1, 1)
  expect(now.attempt!.measured).toBeGreaterThan(2 * fewer.attempt!.measured)
})

test('a budget that is too small is named and stays named, and the budget is the knob', () => {
  const seed = 3
  const { spec, capacity } = baseOf(seed, 20_000)
  const admission = { ...spec.admission, records: 6 }
  const { looks } = watch({ ...spec, admission, source: { ...spec.source, perSecond: 1.5 * capacity } }, seed)
  const later = looks.filter(({ atMs }) => atMs > 10_000).map(({ diagnosis }) => diagnosis)
  expect(new Set(later.map(({ verdict }) => verdict.kind))).toEqual(new Set(['admission']))
  const { knobs, verdict } = later.at(-1)!
  expect(verdict.sentence).toContain('lets in 6 records')
  const [{ setting, gainRatio }] = knobs as [(typeof knobs)[number]]
  expect(setting).toBe('admission')
  const wider = { ...spec, admission: { ...admission, records: 12 } }
  const twice = watch({ ...wider, source: { ...spec.source, perSecond: 1.5 * capacity } }, seed).looks
  const paceOf = (of: typeof looks): number => of.at(-1)!.diagnosis.flow.completionPerSecond
  expect(Math.abs(gainRatio / (paceOf(twice) / paceOf(looks)) - 1)).toBeLessThan(0.15)
})

test('a call that takes batches too small for what it costs has their size as a knob, with what it brings', () => {
  const doctor = new Doctor()
  const [fixedMs, eachMs] = [40, 0.5]
  const sums = (records: number, count: number) => ({
    fromRecords: records,
    count,
    records: records * count,
    ms: count * (fixedMs + eachMs * records),
    cpuMs: 0,
  })
  for (let seconds = 1; seconds <= 20; seconds += 1) {
    const status = sampleStatus(seconds)
    const stages = status.stages.map((stage) => {
      if (stage.name !== 'fraud') return stage
      const bySize = [sums(2, 10), sums(4, 80 * seconds)]
      const [count, records, ms] = (['count', 'records', 'ms'] as const).map((of) =>
        bySize.reduce((sum, size) => sum + size[of], 0),
      ) as [number, number, number]
      return {
        ...stage,
        limit: 4,
        limiters: [],
        rejected429: 0,
        states: { ...stage.states, AWAIT: 4 * seconds, RATE: 0, KEY: 0, BLOCKED: 0, IDLE: 0 },
        reasonSeconds: { concurrency: seconds },
        settings: { ...stage.settings, perSecond: null },
        durations: { count, records, ms, cpuMs: 0, bySize, byInFlight: [] },
      }
    })
    // Three times as many arrive as are completed.
    const sources = status.sources.map((source) => ({
      ...source,
      arrived: { records: 1000 * seconds, atMs: status.nowMs },
    }))
    doctor.observe({ ...status, stages, sources })
  }
  const { verdict, knobs } = doctor.diagnosis()!
  expect(verdict.kind).toBe('small-batches')
  const { gainRatio, to, from } = knobs.find(({ setting }) => setting === 'batch-records')!
  expect(to! / from!).toBe(4)
  const takes = (records: number): number => (fixedMs + eachMs * records) / records
  expect(gainRatio).toBeLessThanOrEqual(takes(4) / takes(16) + 0.01)
  expect(gainRatio).toBeGreaterThan(1.02)
})

test('while nothing is delivered no partition is given a share of it', () => {
  const cause = CAUSES.find(({ name }) => name === 'hot partition') as Cause
  const base = baseOf(101, 40_000)
  const spec = cause.plant(base, 0.5)
  const { looks } = watch({ ...spec, source: { ...spec.source, perSecond: base.capacity * 1.2 } }, 101)
  const shares = looks.flatMap(({ diagnosis: { verdict } }) =>
    verdict.evidence.filter(({ name }) => name === 'largest partition').map(({ value }) => value),
  )
  expect(shares.length).toBeGreaterThan(0)
  for (const share of shares) expect(share).toBeGreaterThan(0)
})
