/** The parts of the simulation, each against what mathematics or its contract says. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/control/random.ts'
import { Agenda } from '../../src/sim/agenda.ts'
import { LatencyHistogram } from '../../src/sim/latency.ts'
import { Network } from '../../src/sim/network.ts'
import { Quota } from '../../src/sim/quota.ts'
import { NumberRing } from '../../src/sim/ring.ts'
import type { QuotaSpec, ServiceTime } from '../../src/sim/scenario.ts'
import { serviceTimeSampler } from '../../src/sim/service-time.ts'
import { Source } from '../../src/sim/source.ts'

describe('the agenda', () => {
  test('gives events back in the order of their times, whatever the order of scheduling', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 50 }), { maxLength: 300 }), fc.integer(), (times, seed) => {
        const agenda = new Agenda(seed)
        for (const [index, time] of times.entries()) agenda.schedule(time, index % 16, index)
        const got: number[] = []
        while (agenda.next()) {
          expect(times[agenda.argument]).toBe(agenda.nowMs)
          expect(agenda.kind).toBe(agenda.argument % 16)
          got.push(agenda.nowMs)
        }
        expect(got).toEqual([...times].sort((a, b) => a - b))
      }),
    )
  })

  test('orders equal times by the seed: alike for the same, differently for another', () => {
    const order = (seed: number): number[] => {
      const agenda = new Agenda(seed)
      for (let event = 0; event < 3000; event += 1) agenda.schedule(7, 1, event)
      const got: number[] = []
      while (agenda.next()) got.push(agenda.argument)
      return got
    }
    expect(order(1)).toEqual(order(1))
    expect(order(1)).not.toEqual(order(2))
  })
})

describe('service times', () => {
  const draws = (spec: ServiceTime): number[] => {
    const sample = serviceTimeSampler(spec, new SeededRandom(3))
    return Array.from({ length: 200_000 }, sample)
  }
  const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
  const cv = (values: number[]): number => {
    const middle = mean(values)
    return Math.sqrt(mean(values.map((value) => (value - middle) ** 2))) / middle
  }

  test.each<ServiceTime>([
    { kind: 'constant', meanMs: 50 },
    { kind: 'exponential', meanMs: 50 },
    { kind: 'lognormal', meanMs: 50, cv: 0.3 },
    { kind: 'lognormal', meanMs: 50, cv: 1.5 },
    { kind: 'bimodal', meanMs: 50, slowShare: 0.1, slowFactor: 10 },
    { kind: 'pareto', meanMs: 50, alpha: 2.5, cap: 20 },
  ])('$kind has the mean that it names', (spec) => {
    expect(mean(draws(spec)) / spec.meanMs).toBeCloseTo(1, 1.7)
  })

  test('the spread is the one that is asked for', () => {
    expect(cv(draws({ kind: 'exponential', meanMs: 50 }))).toBeCloseTo(1, 1)
    expect(cv(draws({ kind: 'lognormal', meanMs: 50, cv: 0.3 }))).toBeCloseTo(0.3, 1.7)
    expect(cv(draws({ kind: 'lognormal', meanMs: 50, cv: 1.5 }))).toBeCloseTo(1.5, 0.7)
  })

  test('bimodal has two values, pareto a tail that is cut off', () => {
    const bimodal = draws({ kind: 'bimodal', meanMs: 50, slowShare: 0.1, slowFactor: 10 })
    const [fast, slow] = [...new Set(bimodal)].sort((a, b) => a - b) as [number, number]
    expect(slow / fast).toBeCloseTo(10)
    expect(bimodal.filter((value) => value === slow).length / bimodal.length).toBeCloseTo(0.1, 2)
    const pareto = draws({ kind: 'pareto', meanMs: 50, alpha: 2.5, cap: 4 })
    expect(Math.max(...pareto.slice(0, 50_000))).toBe(200)
    // P(X > x) falls with x^−2.5.
    const above = (ms: number): number => pareto.filter((value) => value > ms).length
    expect(above(50) / above(100)).toBeGreaterThan(2 ** 2.5 * 0.9)
    expect(above(50) / above(100)).toBeLessThan(2 ** 2.5 * 1.1)
  })
})

describe('a quota', () => {
  const specs = fc.record({
    kind: fc.constantFrom<QuotaSpec['kind']>('bucket', 'window'),
    perSecond: fc.integer({ min: 1, max: 500 }),
    burst: fc.integer({ min: 1, max: 100 }),
    windowMs: fc.constantFrom(1000, 5000),
  })
  const gaps = fc.array(fc.double({ min: 0, max: 400, noNaN: true }), { maxLength: 300 })

  test('never grants more than its terms, and a refused call is granted when it says so', () => {
    fc.assert(
      fc.property(specs, gaps, (spec, waits) => {
        const quota = new Quota(spec, 0)
        const granted: number[] = []
        let now = 0
        for (const wait of waits) {
          now += wait
          if (quota.take(now)) granted.push(now)
          else if (quota.waitMs > 1e-6) {
            const waitMs = quota.waitMs
            if (spec.kind === 'bucket') expect(quota.take(now + waitMs * 0.99 - 1e-6)).toBe(false)
            now += waitMs + 1e-6
            expect(quota.take(now)).toBe(true)
            granted.push(now)
          }
        }
        const perWindow = (spec.perSecond * spec.windowMs) / 1000
        if (spec.kind === 'window') {
          const windows = new Map<number, number>()
          for (const at of granted) {
            const window = Math.floor(at / spec.windowMs)
            windows.set(window, (windows.get(window) ?? 0) + 1)
          }
          for (const count of windows.values()) expect(count).toBeLessThanOrEqual(perWindow)
        } else {
          granted.forEach((at, index) => {
            const before = granted[Math.max(0, index - 40)] as number
            const most = spec.burst + ((at - before) / 1000) * spec.perSecond + 1e-3
            expect(index - Math.max(0, index - 40) + 1).toBeLessThanOrEqual(most)
          })
        }
      }),
    )
  })

  test('grants all that its terms allow, and tells what is left', () => {
    const bucket = new Quota({ kind: 'bucket', perSecond: 10, burst: 5 }, 0)
    expect(Array.from({ length: 7 }, () => bucket.take(0))).toEqual([true, true, true, true, true, false, false])
    expect(bucket.take(100)).toBe(true)
    expect(bucket.remaining).toBe(0)
    const window = new Quota({ kind: 'window', perSecond: 3, windowMs: 2000 }, 0)
    expect(Array.from({ length: 7 }, () => window.take(1999)).filter(Boolean)).toHaveLength(6)
    expect(window.resetMs).toBe(1)
    expect(window.take(2000)).toBe(true)
    expect(window.remaining).toBe(5)
  })
})

test('the network walks within its bounds', () => {
  const network = new Network(new SeededRandom(5))
  network.change({ rttMs: 10, walk: { minMs: 0, maxMs: 50, stepMs: 10, everyMs: 500 } })
  const seen: number[] = []
  for (let step = 0; step < 2000; step += 1) {
    expect(network.step()).toBe(500)
    seen.push(network.oneWayMs * 2)
  }
  expect(Math.min(...seen)).toBeGreaterThanOrEqual(0)
  expect(Math.max(...seen)).toBeLessThanOrEqual(50)
  expect(Math.max(...seen) - Math.min(...seen)).toBeGreaterThan(40)
  network.change({ rttMs: 7 })
  expect(network.step()).toBe(Number.POSITIVE_INFINITY)
  expect(network.oneWayMs).toBe(3.5)
})

test('a bursty source brings each rate in its own time', () => {
  const spec = { kind: 'bursty', highPerSecond: 1000, highMs: 400, lowPerSecond: 100, lowMs: 600 } as const
  const source = new Source(spec, 0.5, new SeededRandom(9))
  let high = 0
  let low = 0
  for (let now = source.nextMs(0); now < 1_000_000; now = source.nextMs(now)) {
    if (now % 1000 < 400) high += 1
    else low += 1
  }
  expect(high / (1000 * 0.4 * 1000 * 0.5)).toBeCloseTo(1, 1.5)
  expect(low / (1000 * 0.6 * 100 * 0.5)).toBeCloseTo(1, 1.5)
})

test('a record that failed comes back first, with the time it first arrived', () => {
  const source = new Source({ kind: 'poisson', perSecond: 1 }, 1, new SeededRandom(1))
  source.arrive(10)
  source.arrive(20)
  expect(source.take(30)).toBe(10)
  source.giveBack(10)
  expect([source.take(40), source.take(40), source.isEmpty]).toEqual([10, 20, true])
})

test('the ring is a double-ended queue', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('push', 'unshift', 'shift'), { maxLength: 400 }), (steps) => {
      const ring = new NumberRing()
      const list: number[] = []
      steps.forEach((step, value) => {
        if (step === 'push') {
          list.push(value)
          ring.push(value)
        } else if (step === 'unshift') {
          list.unshift(value)
          ring.unshift(value)
        } else if (list.length > 0) expect(ring.shift()).toBe(list.shift())
        expect(ring.size).toBe(list.length)
        if (list.length > 0) expect(ring.peek()).toBe(list[0])
      })
    }),
  )
})

test('a quantile is at most 0.8 % off', () => {
  fc.assert(
    fc.property(fc.array(fc.double({ min: 2, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 200 }), (values) => {
      const histogram = new LatencyHistogram()
      for (const value of values) histogram.record(value)
      const sorted = [...values].sort((a, b) => a - b)
      for (const q of [0.5, 0.9, 0.99, 1]) {
        const exact = sorted[Math.ceil(sorted.length * q) - 1] as number
        expect(Math.abs(histogram.quantile(q) / exact - 1)).toBeLessThan(0.008)
      }
    }),
  )
})
