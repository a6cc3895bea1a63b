/** The control algorithms, each as a property: what must hold for every sequence of times and outcomes. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs } from '../../src/control/backoff.ts'
import { Breaker } from '../../src/control/breaker.ts'
import { SeededRandom } from '../../src/control/random.ts'
import { RateLimit } from '../../src/control/rate.ts'
import { RetryBudget } from '../../src/control/retry-budget.ts'
import { Throughput } from '../../src/control/throughput.ts'

describe('the rate limit', () => {
  const rates = fc.record({
    perSecond: fc.double({ min: 0.5, max: 5000, noNaN: true }),
    burst: fc.integer({ min: 1, max: 30 }),
    waits: fc.array(fc.double({ min: 0, max: 300, noNaN: true }), { maxLength: 200 }),
  })

  test('promise 8: in any window of T seconds at most T × rate + burst start', () => {
    fc.assert(
      fc.property(rates, ({ perSecond, burst, waits }) => {
        const rate = new RateLimit(perSecond, burst)
        const starts: number[] = []
        let now = 0
        for (const wait of waits) {
          now += wait
          for (let tries = 0; tries < 40 && rate.waitMs(now) === 0; tries += 1) {
            rate.take(now)
            starts.push(now)
          }
        }
        for (let from = 0; from < starts.length; from += 1)
          for (let to = from; to < Math.min(starts.length, from + 100); to += 1) {
            const seconds = ((starts[to] as number) - (starts[from] as number)) / 1000
            expect(to - from + 1).toBeLessThanOrEqual(seconds * perSecond + burst + 1e-6)
          }
      }),
    )
  })

  test('a start is allowed as soon as it said, so the full rate is reached', () => {
    fc.assert(
      fc.property(rates, ({ perSecond, burst }) => {
        const rate = new RateLimit(perSecond, burst)
        let now = 0
        let starts = 0
        for (; starts < 500; starts += 1) {
          now += rate.waitMs(now)
          expect(rate.waitMs(now)).toBeLessThan(1e-6)
          rate.take(now)
        }
        expect(now).toBeLessThanOrEqual(((starts - 1) / perSecond) * 1000 + 1e-6)
      }),
    )
  })

  test('a change applies from now on', () => {
    const rate = new RateLimit(1, 1)
    rate.take(0)
    rate.change(1000, 1)
    expect(rate.waitMs(1000)).toBe(0)
    rate.take(1000)
    expect(rate.waitMs(1000)).toBeCloseTo(1)
    expect(rate.perSecond).toBeCloseTo(1000)
  })
})

describe('backoff', () => {
  test('promise 16: lies between half and all of the exponential, and below 2³¹ ms, whatever the retry', () => {
    const plan = fc.record({
      baseMs: fc.integer({ min: 1, max: 1e6 }),
      maxMs: fc.oneof(fc.integer({ min: 1, max: 1e9 }), fc.constant(Number.POSITIVE_INFINITY)),
      factor: fc.double({ min: 1, max: 10, noNaN: true }),
    })
    const uniform = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(plan, fc.integer({ min: 1, max: 100_000 }), uniform, (backoff, retry, drawn) => {
        const full = Math.min(backoff.maxMs, backoff.baseMs * backoff.factor ** Math.min(retry - 1, 64), 2 ** 31 - 1)
        const delay = backoffMs(backoff, retry, drawn)
        expect(delay).toBeGreaterThanOrEqual(full / 2)
        expect(delay).toBeLessThanOrEqual(full)
        expect(delay).toBeLessThan(2 ** 31)
      }),
    )
  })
})

describe('the retry budget', () => {
  test('promise 16: retries stay within the share of successes, the reserve and the first ten', () => {
    const step = fc.record({ ms: fc.integer({ min: 0, max: 2000 }), successes: fc.nat(50), tries: fc.nat(20) })
    fc.assert(
      fc.property(fc.array(step), fc.constantFrom(0, 0.1, 0.5), (steps, share) => {
        const budget = new RetryBudget(share, 0)
        let now = 0
        let successes = 0
        let retries = 0
        for (const { ms, successes: more, tries } of steps) {
          now += ms
          budget.deposit(more, now)
          successes += more
          for (let left = tries; left > 0 && budget.waitMs(1, now) === 0; left -= 1) {
            budget.take(1)
            retries += 1
          }
          expect(retries).toBeLessThanOrEqual(10 + successes * share + now / 1000 + 1e-3)
        }
      }),
    )
  })

  test('retries that succeed get back what they paid: only those that fail are bounded by the successes', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.01, max: 1, noNaN: true }),
        fc.array(fc.record({ ms: fc.nat(2000), first: fc.nat(200), well: fc.nat(50), badly: fc.nat(50) })),
        (share, steps) => {
          const budget = new RetryBudget(share, 0)
          let now = 0
          let successes = 0
          let failures = 0
          for (const { ms, first, well, badly } of steps) {
            now += ms
            let paid = 0
            for (let left = well; left > 0 && budget.waitMs(1, now) === 0; left -= 1) {
              budget.take(1)
              paid += 1
            }
            budget.deposit(first + paid, now, paid)
            successes += first + paid
            for (let left = badly; left > 0 && budget.waitMs(1, now) === 0; left -= 1) {
              budget.take(1)
              failures += 1
            }
            expect(failures).toBeLessThanOrEqual(10 + successes * share + now / 1000 + 1e-3)
          }
        },
      ),
    )
    const budget = new RetryBudget(0.1, 0)
    for (let turn = 0; turn < 100; turn += 1) {
      expect(budget.waitMs(1, 0)).toBe(0)
      budget.take(1)
      budget.deposit(1, 0, 1)
    }
  })

  test('an empty budget is filled again when it said', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), fc.integer({ min: 1, max: 2 }), (now, cost) => {
        const budget = new RetryBudget(0.1, now)
        while (budget.waitMs(cost, now) === 0) budget.take(cost)
        expect(budget.waitMs(cost, now + budget.waitMs(cost, now))).toBe(0)
      }),
    )
  })

  test('successes of long ago are worth nothing', () => {
    const budget = new RetryBudget(0.1, 0)
    for (let second = 0; second < 10; second += 1) budget.deposit(10_000, second * 1000)
    expect(budget.tokens(10_000)).toBeGreaterThan(1000)
    expect(budget.tokens(200_000)).toBeLessThanOrEqual(10)
  })
})

describe('the breaker', () => {
  const fail = (breaker: Breaker, times: number, nowMs = 0): void => {
    for (let left = times; left > 0; left -= 1) breaker.failed(nowMs, 0.5)
  }

  test('opens at half of the last outcomes, but not before ten of them', () => {
    const breaker = new Breaker()
    fail(breaker, 9)
    expect(breaker.state).toBe('closed')
    fail(breaker, 1)
    expect(breaker.state).toBe('open')
    const mixed = new Breaker()
    for (let turn = 0; turn < 40; turn += 1) {
      mixed.succeeded()
      if (turn % 3 === 0) mixed.failed(0, 0.5)
    }
    expect(mixed.state).toBe('closed')
  })

  test('does not open for a chance run of what fails at all times, and opens when everything fails', () => {
    const breaker = new Breaker()
    const failInBackground = (times: number): void => {
      for (let left = times; left > 0; left -= 1) breaker.failed(0, 0.5, 0.2)
    }
    for (let turn = 0; turn < 8; turn += 1) breaker.succeeded()
    failInBackground(12)
    expect(breaker.state).toBe('closed')
    failInBackground(8)
    expect(breaker.state).toBe('open')
  })

  test('lets one probe through after a pause, closes when it succeeds and waits longer when it fails', () => {
    const breaker = new Breaker()
    fail(breaker, 10)
    let now = breaker.waitMs(0)
    expect(now).toBe(500)
    const pauses: number[] = []
    for (let probe = 0; probe < 6; probe += 1) {
      expect(breaker.waitMs(now)).toBe(0)
      breaker.started()
      expect([breaker.state, breaker.waitMs(now)]).toEqual(['half-open', Number.POSITIVE_INFINITY])
      breaker.failed(now, 0.5)
      pauses.push(breaker.waitMs(now))
      now += breaker.waitMs(now)
    }
    expect(pauses.map(Math.round)).toEqual([1000, 2000, 4000, 5000, 5000, 5000])
    breaker.started()
    breaker.succeeded()
    expect([breaker.state, breaker.waitMs(now)]).toEqual(['closed', 0])
    fail(breaker, 10, now)
    expect(Math.round(breaker.waitMs(now)), 'the pauses begin anew').toBe(500)
  })

  test('a probe that says nothing is followed by another at once', () => {
    const breaker = new Breaker()
    fail(breaker, 10)
    breaker.started()
    breaker.undecided()
    expect([breaker.state, breaker.waitMs(10_000)]).toEqual(['open', 0])
  })

  test('the pause is never below 0.8 or above 1.2 times its plan', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (uniform) => {
        const breaker = new Breaker()
        for (let left = 10; left > 0; left -= 1) breaker.failed(0, uniform)
        expect(breaker.waitMs(0)).toBeGreaterThanOrEqual(400)
        expect(breaker.waitMs(0)).toBeLessThanOrEqual(600)
      }),
    )
  })
})

describe('throughput', () => {
  test('is unknown until something completes, and the wait for the first does not count', () => {
    const throughput = new Throughput(0)
    for (let now = 100; now <= 5000; now += 100) throughput.sample(now, 1000)
    expect(throughput.perSecond).toBeNull()
    throughput.completed(10)
    throughput.sample(5100, 1000)
    expect(throughput.perSecond).toBeCloseTo(100)
  })

  test('follows a new rate within a few seconds', () => {
    const throughput = new Throughput(0)
    let now = 0
    const run = (perSecond: number, seconds: number): void => {
      for (let turn = 0; turn < seconds * 10; turn += 1) {
        now += 100
        throughput.completed(perSecond / 10)
        throughput.sample(now, 1e9)
      }
    }
    run(1000, 10)
    expect(throughput.perSecond).toBeCloseTo(1000)
    run(100, 10)
    expect(throughput.perSecond).toBeLessThan(110)
  })

  test('a fast pipeline is known to be fast within milliseconds', () => {
    const throughput = new Throughput(0)
    throughput.completed(1000)
    throughput.sample(5, 1000)
    expect(throughput.perSecond).toBeCloseTo(200_000)
  })
})

describe('the seeded generator', () => {
  test('gives the same numbers for the same seed, in [0, 1) and evenly spread', () => {
    const [a, b] = [new SeededRandom(42), new SeededRandom(42)]
    let sum = 0
    for (let turn = 0; turn < 10_000; turn += 1) {
      const drawn = a.next()
      expect(drawn).toBe(b.next())
      expect(drawn >= 0 && drawn < 1).toBe(true)
      sum += drawn
    }
    expect(sum / 10_000).toBeCloseTo(0.5, 1)
  })
})
