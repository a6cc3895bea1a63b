/** The controller by what it does to a downstream: finds it, follows it, leaves it alone, and survives bad input. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import type { ControllerOptions } from '../../src/control/controller-options.ts'
import type { AttemptOutcome } from '../../src/control/limiter.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions } from '../../src/sim/scenario.ts'
import { runs } from '../fixtures/long.ts'
import { Toy } from './toy-downstream.ts'

function started(options: ControllerOptions = {}): Toy {
  return new Toy(new Controller({ max: 512, ...options }, 0))
}

const OK: AttemptOutcome = { kind: 'success' }

describe('the controller finds the limit', () => {
  test('a cold start fills the servers and queues next to nothing', () => {
    const toy = started()
    toy.run(5000)
    expect(toy.run(20_000)).toBeGreaterThan(0.93 * 400)
    expect(toy.controller.limit).toBeGreaterThanOrEqual(18)
    expect(toy.controller.limit).toBeLessThanOrEqual(26)
    expect(toy.controller.snapshot().baselineMs).toBeGreaterThan(44)
    expect(toy.controller.snapshot().baselineMs).toBeLessThan(56)
  })

  test('a round of the climb that is slower, as the calls of others make it, is not taken for what calls take', () => {
    const controller = new Controller({ max: 512 }, 0)
    let nowMs = 0
    let sent = 0
    while (controller.limit < 32) {
      const permits: unknown[] = []
      while (controller.admit(nowMs) === 0) permits.push(controller.sent(nowMs))
      const usualMs = permits.length > 8 ? 62 : 50
      // Every other call takes 0.7 of that, the others as many times as long.
      const calls = permits.map((permit) => ({ permit, endMs: nowMs + usualMs * (sent++ % 2 === 1 ? 0.7 : 1 / 0.7) }))
      for (const { permit, endMs } of calls.sort((one, other) => one.endMs - other.endMs)) {
        controller.settled(permit, endMs, OK)
        nowMs = endMs
      }
      expect(nowMs).toBeLessThan(2000)
    }
    expect(controller.snapshot().baselineMs).toBeCloseTo(50)
  })

  test('it follows a drop of capacity down and its return up', () => {
    const toy = started()
    toy.run(10_000)
    toy.servers = 6
    toy.run(5000)
    expect(toy.controller.limit).toBeLessThanOrEqual(9)
    expect(toy.run(10_000)).toBeGreaterThan(0.9 * 120)
    toy.servers = 20
    toy.run(5000)
    expect(toy.run(10_000)).toBeGreaterThan(0.9 * 400)
  })

  test('a longer way to the same servers is met with more calls in flight, not with fewer', () => {
    const toy = started()
    toy.run(10_000)
    toy.servers = 60
    toy.serviceMs = 150
    toy.run(10_000)
    expect(toy.run(10_000)).toBeGreaterThan(0.85 * 400)
  })

  test('min and max hold whatever happens', () => {
    const toy = started({ min: 3, max: 9 })
    toy.run(5000)
    expect(toy.controller.limit).toBe(9)
    toy.refuse = () => ({ kind: 'overloaded', status: 503 })
    toy.run(5000)
    expect(toy.controller.limit).toBeGreaterThanOrEqual(3)
  })
})

describe('the controller leaves a downstream alone', () => {
  test('Retry-After closes the gate, and a shorter one that follows does not open it sooner', () => {
    const controller = new Controller({ initial: 2 }, 0)
    const first = controller.sent(0)
    const second = controller.sent(0)
    controller.settled(first, 10, { kind: 'overloaded', status: 429, retryAfterMs: 2000 })
    controller.settled(second, 20, { kind: 'overloaded', status: 429, retryAfterMs: 100 })
    const askMs = controller.admit(20)
    expect(askMs).toBeGreaterThanOrEqual(2010)
    expect(askMs).toBeLessThanOrEqual(2110)
    expect(controller.snapshot().gate).toBe('retry-after')
    expect(controller.admit(askMs)).toBe(0)
  })

  // All at once they overflowed the queue of the downstream again, and each refusal is another pause.
  test('after a pause for overload calls come back one after the other, within a usual duration', () => {
    const controller = new Controller({ initial: 10, max: 10 }, 0)
    let nowMs = 0
    for (let turn = 0; turn < 10; turn += 1) {
      const permits = Array.from({ length: 10 }, () => controller.sent(nowMs))
      nowMs += 50
      for (const permit of permits) controller.settled(permit, nowMs, OK)
    }
    const refused = controller.sent(nowMs)
    controller.settled(refused, nowMs + 50, { kind: 'overloaded', status: 503, retryAfterMs: 1000 })
    nowMs += 50
    const backMs: number[] = []
    for (let left = controller.limit; left > 0; left -= 1) {
      for (let askMs = controller.admit(nowMs); askMs > 0; askMs = controller.admit(nowMs)) nowMs = askMs
      controller.sent(nowMs)
      backMs.push(nowMs)
    }
    expect(new Set(backMs).size).toBe(backMs.length)
    expect(backMs[0]).toBeGreaterThanOrEqual(1550)
    expect(nowMs - (backMs[0] as number)).toBeGreaterThan(30)
    expect(nowMs - (backMs[0] as number)).toBeLessThanOrEqual(60)
  })

  test('calls that outlast such a pause and fill the limit are what is waited for after it', () => {
    const controller = new Controller({ initial: 2, max: 2 }, 0)
    let nowMs = 0
    for (let turn = 0; turn < 20; turn += 1) {
      const permit = controller.sent(nowMs)
      nowMs += 500
      controller.settled(permit, nowMs, OK)
    }
    for (let left = 2; left > 0; left -= 1) controller.sent(nowMs)
    controller.settled(controller.sent(nowMs), nowMs, { kind: 'overloaded', status: 503, retryAfterMs: 1000 })
    expect(controller.admit(controller.admit(nowMs))).toBe(Number.POSITIVE_INFINITY)
    expect(controller.snapshot().gate).toBe('concurrency')
  })

  test('an outage costs a bounded number of attempts, and the end of it is noticed', () => {
    const toy = started()
    toy.run(10_000)
    toy.refuse = () => ({ kind: 'overloaded', status: 503 })
    const before = toy.sent
    toy.run(30_000)
    expect(toy.sent - before).toBeLessThan(60)
    expect(toy.controller.snapshot().breaker).not.toBe('closed')
    toy.refuse = null
    toy.run(6000)
    expect(toy.run(4000)).toBeGreaterThan(0.9 * 400)
  })

  test('a downstream that hangs gets no more than what was in flight and a few probes', () => {
    const toy = started()
    toy.run(10_000)
    toy.hangMs = 1000
    const before = toy.sent
    toy.run(20_000)
    expect(toy.sent - before).toBeLessThan(toy.controller.snapshot().limit + 60)
  })

  test('a quota is found without being refused for long', () => {
    const toy = started()
    let tokens = 50
    let atMs = 0
    let refused = 0
    toy.refuse = (nowMs) => {
      tokens = Math.min(50, tokens + (nowMs - atMs) * 0.1)
      atMs = nowMs
      if (tokens >= 1) {
        tokens -= 1
        return null
      }
      refused += 1
      return { kind: 'overloaded', status: 429 }
    }
    toy.run(20_000)
    refused = 0
    expect(toy.run(60_000)).toBeGreaterThan(0.95 * 100)
    expect(refused).toBeLessThan(60)
    expect(toy.controller.snapshot().breaker, '429 says nothing about health').toBe('closed')
  })

  test('a pause by Retry-After does not lower the baseline: the first calls to settle after it are the short ones', () => {
    const conditions: Conditions = {
      servers: 80,
      service: { kind: 'lognormal', meanMs: 50, cv: 0.4 },
      network: { rttMs: 10 },
      quota: { kind: 'bucket', perSecond: 1100, burst: 450, retryAfter: 1000 },
    }
    const aloneMs = 10 + 50 / Math.sqrt(1 + 0.4 ** 2)
    const phase = { ...conditions, name: 'quota', durationMs: 40_000 }
    for (let seed = 1; seed <= 5; seed += 1) {
      let lowestMs = Number.POSITIVE_INFINITY
      simulate({ name: 'pauses', phases: [phase] }, seed, () => {
        const controller = new Controller({ seed }, 0)
        return {
          admit: (nowMs) => controller.admit(nowMs),
          sent: (nowMs) => controller.sent(nowMs),
          snapshot: () => controller.snapshot(),
          settled: (permit, nowMs, outcome) => {
            controller.settled(permit, nowMs, outcome)
            if (nowMs > 5000) lowestMs = Math.min(lowestMs, controller.snapshot().baselineMs ?? lowestMs)
          },
        }
      })
      expect(lowestMs).toBeGreaterThan(0.88 * aloneMs)
    }
  })

  test('what the RateLimit headers leave is not exceeded', () => {
    const controller = new Controller({ initial: 100, max: 100 }, 0)
    const permit = controller.sent(0)
    controller.settled(permit, 10, { kind: 'success', rateLimit: { limit: 20, remaining: 5, resetMs: 10_000 } })
    let sent = 0
    for (let now = 10; now < 9_900; now += 10) {
      if (controller.admit(now) > 0) continue
      controller.settled(controller.sent(now), now + 1, OK)
      sent += 1
    }
    expect(sent).toBeLessThanOrEqual(5)
    expect(sent).toBeGreaterThanOrEqual(4)
  })

  test('retries need what successes paid', () => {
    const controller = new Controller({ initial: 50, retryBudget: 0.1 }, 0)
    let retries = 0
    while (controller.admitRetry(0) === 0) {
      controller.settled(controller.sentRetry(0), 0, { kind: 'ignored' })
      retries += 1
    }
    expect(retries).toBe(10)
    for (let call = 0; call < 200; call += 1) controller.settled(controller.sent(0), 0, OK)
    expect(controller.admitRetry(0)).toBe(0)
  })
})

describe('the controller survives bad input', () => {
  test('a permit settled twice counts once', () => {
    const controller = new Controller({ initial: 4 }, 0)
    const permit = controller.sent(0)
    controller.settled(permit, 10, OK)
    const again = controller.sent(10)
    controller.settled(permit, 20, OK)
    controller.settled('what is this', 20, OK)
    controller.settled(-1, 20, OK)
    expect(controller.inFlight).toBe(1)
    controller.settled(again, 20, OK)
    expect(controller.inFlight).toBe(0)
  })

  test('calls that never settle do not close the gate for ever', () => {
    const controller = new Controller({ initial: 2, lostAfterMs: 10_000 }, 0)
    controller.sent(0)
    const late = controller.sent(0)
    expect(controller.admit(1)).toBe(Number.POSITIVE_INFINITY)
    const patienceMs = controller.patienceMs(1)
    expect(patienceMs).toBeLessThanOrEqual(10_000)
    expect(controller.admit(1 + patienceMs + 1)).toBe(0)
    controller.settled(late, 12_000, OK)
    expect(controller.inFlight).toBe(0)
  })

  test('memory is bounded when a million calls never settle', () => {
    const controller = new Controller({}, 0)
    for (let call = 0; call < 200_000; call += 1) controller.sent(call / 100)
    expect(controller.inFlight).toBeLessThanOrEqual(65_536)
  })

  test('any sequence of times, outcomes and figures leaves the answers finite and the limit in its bounds', () => {
    const odd = fc.constantFrom(-1, 0, 0.5, 30, 1e18, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY)
    const step = fc.record({
      byMs: fc.oneof(fc.double({ min: 0, max: 50, noNaN: true }), fc.constantFrom(-5000, 3_600_000, Number.NaN)),
      kind: fc.constantFrom('success', 'overloaded', 'timeout', 'failed', 'ignored'),
      status: fc.constantFrom(undefined, 429, 503, 200, -7),
      retryAfterMs: fc.oneof(fc.constant(undefined), odd),
      figure: odd,
      settle: fc.integer({ min: 0, max: 8 }),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 20, maxLength: 300 }), (steps) => {
        const controller = new Controller({ min: 2, max: 40 }, 0)
        const open: unknown[] = []
        let now = 0
        for (const { byMs, kind, status, retryAfterMs, figure, settle } of steps) {
          now += byMs
          if (Number.isNaN(now)) now = 0
          const askMs = controller.admit(now)
          expect(askMs === 0 || askMs > now).toBe(true)
          expect(askMs === Number.POSITIVE_INFINITY || askMs <= now + 63_001).toBe(true)
          if (askMs === 0) open.push(controller.sent(now))
          const rateLimit = { limit: figure, remaining: figure, resetMs: figure }
          const outcome = { kind, status, retryAfterMs, rateLimit } as AttemptOutcome
          controller.settled(open[settle], Number.isNaN(byMs) ? Number.NaN : now, outcome)
          const { limit, baselineMs, latencyMs, retryTokens } = controller.snapshot()
          expect(limit >= 2 && limit <= 40).toBe(true)
          for (const value of [baselineMs ?? 0, latencyMs ?? 0, retryTokens]) expect(Number.isFinite(value)).toBe(true)
        }
      }),
      { numRuns: runs(200) },
    )
  })

  test('after a clock has jumped it works on', () => {
    const toy = started()
    toy.run(10_000)
    toy.nowMs += 86_400_000
    toy.run(5000)
    expect(toy.run(5000)).toBeGreaterThan(0.85 * 400)
  })

  test.each<[ControllerOptions, RegExp]>([
    [{ min: 5, max: 4 }, /min.*max/],
    [{ initial: 10, max: 4 }, /initial/],
    [{ max: 0 }, /max: expected an integer from 1/],
    [{ target: -1 }, /target: expected a number/],
    [{ maximum: 5 } as ControllerOptions, /unknown option `maximum`/],
    [{ random: 5 as unknown as () => number }, /random: expected a function/],
  ])('refuses %o', (options, message) => {
    expect(() => new Controller(options, 0)).toThrow(message)
    expect(() => new Controller(options, 0)).toThrow(HeadgateError)
  })
})

describe('what was learned', () => {
  test('survives JSON and saves the climb', () => {
    const toy = started()
    toy.run(10_000)
    const learned = JSON.parse(JSON.stringify(toy.controller.learned()))
    const again = started({ learned })
    expect(again.controller.limit).toBeGreaterThanOrEqual(18)
    expect(again.controller.snapshot().baselineMs).toBeCloseTo(toy.controller.snapshot().baselineMs as number)
    expect(again.run(1000)).toBeGreaterThan(0.9 * 400)
  })

  test('is passed over where it makes no sense', () => {
    const learned = { version: 1, limit: Number.NaN, baselineMs: -4, ratePerSecond: 'fast' } as never
    expect(new Controller({ learned }, 0).limit).toBe(1)
    expect(new Controller({ learned: { version: 2, limit: 50 } as never }, 0).limit).toBe(1)
    expect(new Controller({ learned: 7 as never }, 0).limit).toBe(1)
  })

  test('the same calls give the same answers', () => {
    const runs = [1, 2].map(() => {
      const toy = started({ seed: 5 })
      toy.run(5000)
      return [toy.done, toy.controller.learned()]
    })
    expect(runs[0]).toEqual(runs[1])
  })
})
