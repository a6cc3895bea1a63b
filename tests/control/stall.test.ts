/** A downstream that stands still as a whole for a moment: calls that met it say nothing about the limit. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { Stall } from '../../src/control/stall.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions } from '../../src/sim/scenario.ts'

const TIMES = { usualMs: 100, meanMs: 110 }
const LIMIT = 10

/** Ten calls in flight, one of which comes back every 10 ms after 100, up to the moment that is returned. */
function steady(stall: Stall): number {
  for (let call = 1; call <= LIMIT; call += 1) stall.sent(call, 10 * call)
  for (let nowMs = 110; nowMs <= 1000; nowMs += 10) {
    expect(stall.isMet(LIMIT, nowMs - 100, nowMs, TIMES), `at ${nowMs} ms`).toBe(false)
    stall.sent(LIMIT, nowMs)
  }
  return 1000
}

describe('a stall', () => {
  test('is met by the calls that were in flight when nothing came back, and by none that was sent later', () => {
    const stall = new Stall()
    const endMs = steady(stall) + 220
    for (let call = 1; call <= LIMIT; call += 1)
      expect(stall.isMet(LIMIT, endMs - 320 + 10 * call, endMs, TIMES), `call ${call}`).toBe(true)
    expect(stall.isMet(LIMIT, endMs, endMs + 100, TIMES)).toBe(false)
  })

  test('is no silence that chance explains', () => {
    const stall = new Stall()
    const nowMs = steady(stall)
    // Ten calls in flight of 110 ms: one comes back every 11, so 18 of those without any are met once in e¹⁸ times.
    expect(stall.isMet(3, nowMs - 100, nowMs + 700, TIMES), 'three calls').toBe(false)
    steady(stall)
    expect(stall.isMet(4 * LIMIT, nowMs - 100, nowMs + 125, TIMES), 'little longer than a call').toBe(false)
    steady(stall)
    expect(stall.isMet(LIMIT, nowMs - 100, nowMs + 220, { usualMs: 100, meanMs: 200 }), 'uneven calls').toBe(false)
    steady(stall)
    expect(stall.isMet(LIMIT, nowMs - 800, nowMs + 210, TIMES), 'where calls take so long anyway').toBe(false)
  })

  test('that goes on is heard: calls that are slow for more than a turn are slow', () => {
    const stall = new Stall()
    let nowMs = steady(stall)
    const heard: number[] = []
    for (let turn = 0; turn < 4; turn += 1) {
      const sentMs = nowMs
      nowMs += 300
      let count = 0
      for (let call = 1; call <= LIMIT; call += 1) if (!stall.isMet(LIMIT, sentMs, nowMs, TIMES)) count += 1
      heard.push(count)
    }
    expect(heard).toEqual([0, LIMIT, 0, LIMIT])
  })

  test('a client that was idle meanwhile has met none', () => {
    const stall = new Stall()
    const nowMs = steady(stall) + 60_000
    for (let call = 1; call <= LIMIT; call += 1) stall.sent(call, nowMs)
    expect(stall.isMet(LIMIT, nowMs, nowMs + 100, TIMES)).toBe(false)
  })
})

describe('a downstream that pauses', () => {
  const conditions: Conditions = {
    servers: 22,
    service: { kind: 'lognormal', meanMs: 150, cv: 0.4 },
    network: { rttMs: 5 },
    pauses: { everyMs: 3000, lastsMs: 400 },
  }
  const phases = [{ ...conditions, name: 'pauses', durationMs: 60_000 }]

  function completed(seed: number, options: { initial?: number; min?: number; max?: number }): number {
    const run = simulate(
      { name: 'pauses', phases },
      seed,
      (_client, nowMs) => new Controller({ seed, ...options }, nowMs),
    )
    return run.phases[0]?.successes ?? 0
  }

  // Each pause was an alarm, and many of them a cut for good: half to nine tenths was left.
  test.each([1, 3, 4, 5, 6, 7, 9, 10])('does not keep the limit low, seed %i', (seed) => {
    const known = completed(seed, { initial: 24, min: 24, max: 24 })
    expect(completed(seed, {})).toBeGreaterThan(0.9 * known)
  })
})
