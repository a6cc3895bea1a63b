/** The overload lab judges itself: its generator, its oracle, its verdicts, and that the baselines are what they claim. */
import { describe, expect, test } from 'vitest'
import { loadAlgorithms, STORMY } from '../../bench/overload/algorithms/registry.ts'
import { FIRST_NEVER_TUNED, randomScenario, seedsOf } from '../../bench/overload/generator.ts'
import { jain, measure, type PhaseScore } from '../../bench/overload/measure.ts'
import { oracleRun, settingsOf } from '../../bench/overload/oracle.ts'
import { PLOTS, plotToSvg } from '../../bench/overload/plots.ts'
import { passes, reached } from '../../bench/overload/random-trials.ts'
import { METASTABLE, TRIALS } from '../../bench/overload/scenarios.ts'
import { gatesOf } from '../../bench/overload/seeds.ts'
import { row } from '../../bench/overload/verdict.ts'
import type { PhaseRecord } from '../../src/sim/record.ts'
import type { Conditions, Phase, Scenario } from '../../src/sim/scenario.ts'

const baselines = (await loadAlgorithms()).algorithms.filter(({ name }) => name !== 'headgate')
const constant: Conditions = { servers: 10, service: { kind: 'constant', meanMs: 50 }, network: { rttMs: 0 } }
const phase = (change: Partial<Conditions>, durationMs = 10_000): Phase => ({
  ...constant,
  ...change,
  name: 'p',
  durationMs,
})
const world = (...phases: Phase[]): Scenario => ({ name: 'test', phases })

describe('the generator', () => {
  test('a seed is a scenario, and another seed another one', () => {
    expect(randomScenario(17)).toEqual(randomScenario(17))
    const texts = seedsOf('tuning', 200).map((seed) =>
      JSON.stringify(randomScenario(seed)).replaceAll(/random \d+/g, ''),
    )
    expect(new Set(texts).size).toBe(200)
  })

  test('no seed is in both splits, whichever set is drawn', () => {
    for (const set of [1, 2, 777]) {
      expect(Math.max(...seedsOf('tuning', 200, set))).toBeLessThan(FIRST_NEVER_TUNED)
      expect(Math.min(...seedsOf('never-tuned', 200, set))).toBeGreaterThanOrEqual(FIRST_NEVER_TUNED)
    }
  })

  test('every scenario has three phases of plausible size, each unlike the one before', () => {
    for (const seed of seedsOf('tuning', 300)) {
      const { phases, timeoutMs } = randomScenario(seed)
      expect(phases).toHaveLength(3)
      for (const [index, each] of phases.entries()) {
        const perSecond = (each.servers * 1000) / each.service.meanMs
        expect(perSecond).toBeLessThan(6500)
        expect(perSecond).toBeGreaterThan(2)
        expect(each.durationMs).toBeGreaterThanOrEqual(45_000)
        if (timeoutMs !== undefined) expect(timeoutMs).toBeGreaterThan(10 * each.service.meanMs)
        const before = phases[index - 1]
        if (before) expect({ ...each, name: '', durationMs: 0 }).not.toEqual({ ...before, name: '', durationMs: 0 })
      }
    }
  })
})

describe('the oracle', () => {
  const limitOf = (change: Partial<Conditions>): number | undefined => settingsOf(world(phase(change)))[0]?.limit

  test('fills servers and network, and no more', () => {
    expect(limitOf({})).toBe(10)
    expect(limitOf({ network: { rttMs: 50 } })).toBe(20)
    expect(limitOf({ thrash: 1 })).toBe(10)
    expect(limitOf({ servers: 1 })).toBe(1)
  })

  test('paces itself where a quota binds, and not where none does', () => {
    const setting = (perSecond: number) =>
      settingsOf(world(phase({ quota: { kind: 'bucket', perSecond, burst: 10 } })))[0]
    expect(setting(50)?.perSecond).toBeCloseTo(50, -0.5)
    expect(setting(1000)?.limit).toBe(10)
  })

  test('leaves to others what they take of a quota, instead of being refused most of the time', () => {
    const quota = { kind: 'bucket', perSecond: 60, burst: 30 } as const
    const shared = world(phase({ quota, others: { perSecond: 30 } }))
    expect(settingsOf(shared)[0]?.perSecond).toBeLessThanOrEqual(30)
    const { successes, wastedShare } = oracleRun(shared, 1).phases[0] as PhaseRecord
    expect(successes).toBeGreaterThan(0)
    expect(wastedShare).toBeLessThan(0.01)
  })

  test('stands still while the downstream is down', () => {
    expect(limitOf({ outage: 'refuse' })).toBe(0)
  })
})

describe('scores and verdicts', () => {
  const score: PhaseScore = {
    name: 'p', goodput: 0.95, p99: 1.2, endToEnd: 1, wasted: 0.001, recoveryMs: 0, shedMs: 0, jain: 1, attempts: 0,
    perSecond: 0, p99Ms: 0,
  } // biome-ignore format: a list reads better in rows

  test('a phase passes with all three figures and fails with any one', () => {
    expect(passes(score)).toBe(true)
    expect(reached(score)).toBe(1)
    for (const broken of [{ goodput: 0.89 }, { p99: 1.51 }, { wasted: 0.011 }, { p99: Number.NaN }]) {
      expect(passes({ ...score, ...broken })).toBe(false)
      expect(reached({ ...score, ...broken })).toBeLessThan(1)
    }
  })

  test('a row holds by what was measured', () => {
    const holds = (value: number, goal: object, worst = 1): boolean | null =>
      row('r', 'u', new Map([['headgate', value], ['vegas', 2]]), goal, { 'worst seed': worst }).holds // biome-ignore format: short
    expect(holds(0.95, { least: 0.95 })).toBe(true)
    expect(holds(0.949, { least: 0.95 })).toBe(false)
    expect(holds(0.95, { least: 0.95, eachSeedLeast: 0.75 }, 0.74)).toBe(false)
    expect(holds(1.11, { most: 1.1 })).toBe(false)
    expect(holds(Number.NaN, { most: 1.1 })).toBe(false)
    expect(holds(1, {})).toBe(null)
    expect(row('r', 'u', new Map([['vegas', 2]]), { least: 1 }).holds).toBe(null)
  })

  test("Jain's index is 1 for equal shares and 1/n for one that has all", () => {
    expect(jain(Float64Array.of(3, 3, 3, 3))).toBe(1)
    expect(jain(Float64Array.of(9, 0, 0, 0))).toBe(0.25)
  })

  test('recovery is when 90 % of the oracle’s rate is reached, from the start of the phase', () => {
    const scenario = world(phase({}), phase({ servers: 30 }, 20_000))
    /** Ten in flight until five seconds into the second phase, then thirty. */
    const late = measure(scenario, 1, () => {
      let inFlight = 0
      const limit = (nowMs: number): number => (nowMs < 15_000 ? 10 : 30)
      return {
        admit: (nowMs) => (inFlight < limit(nowMs) ? 0 : nowMs < 15_000 ? 15_000 : Number.POSITIVE_INFINITY),
        sent: () => void (inFlight += 1),
        settled: () => void (inFlight -= 1),
        snapshot: () => ({ limit: 0 }),
      }
    }).phases[1] as PhaseScore
    expect(late.recoveryMs).toBeGreaterThan(5000)
    expect(late.recoveryMs).toBeLessThan(6000)
    expect(late.goodput).toBeCloseTo(1 - (2 / 3) * (5 / 20), 1.5)
  })
})

describe('the baselines', () => {
  test.each(baselines)('$name keeps forty servers busy', (algorithm) => {
    const steady = TRIALS.find(({ scenario }) => scenario.name === 'steady, 40 servers')?.scenario as Scenario
    const { phases } = measure(steady, 1, gatesOf(algorithm, 1))
    expect(phases[0]?.goodput).toBeGreaterThan(0.75)
    expect(phases[0]?.wasted).toBe(0)
  })

  test.each([
    { name: 'vegas', goodput: [0.1, 0.4] },
    { name: 'gradient2', goodput: [0.1, 0.4] },
    { name: 'envoy', goodput: [0.75, 1] },
  ])('$name is as blind to a longer way as it is known to be', ({ name, goodput }) => {
    const shift = TRIALS.find(({ scenario }) => scenario.name === 'RTT shift by 80 ms')?.scenario as Scenario
    const algorithm = baselines.find((each) => each.name === name)
    const measured = algorithm && measure(shift, 1, gatesOf(algorithm, 1)).phases[1]?.goodput
    expect(measured).toBeGreaterThan(goodput[0] as number)
    expect(measured).toBeLessThan(goodput[1] as number)
  })

  test('a trigger of five seconds keeps clients that retry at once down for good, and the oracle not at all', () => {
    const { phases: whole } = METASTABLE.scenario
    const shorter = {
      ...METASTABLE.scenario,
      phases: whole.map((each) => ({ ...each, durationMs: Math.min(each.durationMs, 15_000) })),
    }
    for (const algorithm of STORMY) {
      const { phases } = measure(shorter, 1, gatesOf(algorithm, 1))
      expect(phases[0]?.goodput).toBeGreaterThan(0.95)
      expect(phases[2]?.goodput).toBeLessThan(0.1)
    }
  })
})

test('every plot is of a scenario that exists, and is SVG', () => {
  const names = [...TRIALS, METASTABLE].map(({ scenario }) => scenario.name)
  for (const plot of PLOTS) expect(names).toContain(plot.scenario)
  const svg = plotToSvg(world(phase({}), phase({ servers: 5 })), baselines.slice(0, 1), 1)
  expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg"/)
  expect(svg).not.toContain('NaN')
  expect(svg.match(/<path /g)).toHaveLength(6)
})
