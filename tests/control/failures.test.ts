/** Calls that fail at a share which the load does not make: the limit does not fall to nothing for it. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { FailureShare } from '../../src/control/failure-share.ts'
import { Failures } from '../../src/control/failures.ts'
import { SeededRandom } from '../../src/control/random.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Broken, Conditions } from '../../src/sim/scenario.ts'

const TOP = 64

/** Calls one after the other; the limit follows what it is told, and else climbs slowly up to 64. */
class Calls {
  readonly failures = new Failures(1)
  limit = TOP
  readonly #random = new SeededRandom(7)
  #sequence = 0

  /** So many calls, of which a share fails by `shareAt` (of the limit). Returns the limit after each. */
  make(calls: number, shareAt: (limit: number) => number): number[] {
    return Array.from({ length: calls }, () => this.#call(shareAt(this.limit)))
  }

  #call(share: number): number {
    const { failures } = this
    this.#sequence += 1
    const nowMs = this.#sequence
    if (this.#random.next() < share) {
      const to = failures.refused(this.#sequence, this.limit, this.limit, nowMs)
      if (to > 0) {
        this.limit = to
        failures.restart(this.#sequence + 1)
      }
    } else failures.succeeded(this.#sequence)
    const most = Math.min(TOP, failures.ceilingAt(nowMs))
    this.limit = Math.max(this.limit, Math.min(this.limit * 1.001, most))
    return this.limit
  }
}

describe('refusals', () => {
  test.each([0.03, 0.1, 0.3])('that come whatever the limit is leave it where it was, share %f', (share) => {
    const calls = new Calls()
    const seen = calls.make(100_000, () => share)
    expect(Math.min(...seen)).toBeLessThanOrEqual(TOP / 2)
    expect(Math.min(...seen.slice(-20_000))).toBeGreaterThan(TOP / 2)
    expect(calls.failures.background).toBeGreaterThan(share / 2)
    expect(calls.failures.background).toBeLessThan(2 * share)
  })

  test('that only the load makes keep it down', () => {
    const calls = new Calls()
    const late = calls.make(100_000, (limit) => (limit > 20 ? 0.9 : 0)).slice(-50_000)
    expect(late.filter((limit) => limit > 20).length).toBeLessThan(0.01 * late.length)
    expect(calls.failures.background).toBe(0)
  })

  test('that fall with the limit, but not to none, are the load too', () => {
    const late = new Calls().make(100_000, (limit) => Math.min(0.9, 0.3 * (limit / 20) ** 2)).slice(-50_000)
    expect(late.filter((limit) => limit > 40).length).toBeLessThan(0.05 * late.length)
  })

  test('beyond the background cut as ever', () => {
    const calls = new Calls()
    calls.make(50_000, () => 0.1)
    expect(calls.limit).toBeGreaterThan(TOP / 2)
    expect(Math.min(...calls.make(1000, (limit) => (limit > 20 ? 0.9 : 0.1)))).toBeLessThanOrEqual(20)
  })

  test('cut down to a `min` that was lowered meanwhile', () => {
    const failures = new Failures(TOP)
    failures.min = 1
    for (let sequence = 1; sequence <= 10; sequence += 1) {
      const to = failures.refused(sequence, TOP, TOP, sequence)
      if (to > 0) expect(to).toBeLessThan(TOP)
    }
    expect(failures.ceilingAt(10)).toBeLessThan(TOP)
  })

  test('that are over are no background any more', () => {
    const calls = new Calls()
    calls.make(50_000, () => 0.1)
    calls.make(10_000, () => 0)
    expect(calls.failures.background).toBeLessThan(0.001)
  })

  test('that stop while the limit is tried end the trial: those of later are heard', () => {
    const calls = new Calls()
    let isTried = false
    for (let call = 0; call < 10_000 && !isTried; call += 1) {
      const before = calls.limit
      isTried = calls.make(1, () => 0.1)[0]! > 1.5 * before
    }
    expect(isTried).toBe(true)
    calls.make(20_000, () => 0)
    expect(Math.min(...calls.make(1000, () => 0.9))).toBeLessThan(TOP / 4)
  })
})

describe('the share of calls that fail', () => {
  test('is of the calls sent before one that failed, since refusals are heard of first', () => {
    const share = new FailureShare(0.02)
    share.restart(100)
    for (const sequence of [103, 117, 140]) share.fails(sequence)
    expect([share.failed, share.known]).toEqual([3, 41])
  })

  test('is high above what nobody has to explain, the background, and chance', () => {
    const share = new FailureShare(0.02)
    share.fails(1)
    expect(share.isHigh).toBe(false)
    share.fails(2)
    expect(share.isHigh).toBe(true)
    share.restart(3)
    share.attribute(0.1)
    for (let sequence = 3; sequence < 13; sequence += 1) share.fails(sequence)
    expect(share.isHigh).toBe(false)
    for (let sequence = 13; sequence < 53; sequence += 1) share.fails(sequence)
    expect(share.isHigh).toBe(true)
  })
})

describe('with one broken replica of several', () => {
  const SECOND = 1000
  const healthy: Conditions = {
    servers: 40,
    service: { kind: 'lognormal', meanMs: 50, cv: 0.3 },
    network: { rttMs: 2 },
  }
  const CAPACITY = 800

  /** Calls a second that succeed in the last half minute of two, after half a minute of health or from the start. */
  function lateRate(broken: Broken, seed: number, healthyMs: number): number {
    const phases = [
      { ...healthy, broken, name: 'broken', durationMs: 90 * SECOND },
      { ...healthy, broken, name: 'late', durationMs: 30 * SECOND },
    ]
    if (healthyMs > 0) phases.unshift({ ...healthy, name: 'healthy', durationMs: healthyMs } as (typeof phases)[number])
    const scenario = { name: 'a broken replica', phases, timeoutMs: SECOND }
    const random = new SeededRandom(seed)
    const run = simulate(
      scenario,
      seed,
      (_client, nowMs) => new Controller({ max: 512, random: () => random.next() }, nowMs),
    )
    return run.phases.at(-1)!.perSecond
  }

  test.each([0.03, 0.1, 0.2])('that refuses at once, the others are used, share %f', (share) => {
    expect(lateRate({ share, by: 'refuse' }, 1, 30 * SECOND)).toBeGreaterThan(0.9 * CAPACITY)
  })

  test('that refuses from the start, the others are found', () => {
    expect(lateRate({ share: 0.1, by: 'refuse' }, 2, 0)).toBeGreaterThan(0.9 * CAPACITY)
  })

  test('that hangs, the others are used', () => {
    expect(lateRate({ share: 0.1, by: 'hang' }, 3, 30 * SECOND)).toBeGreaterThan(0.8 * CAPACITY)
  })
})
