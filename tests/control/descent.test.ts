/** A limit that falls and makes no call faster: it does not fall to nothing. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { Descent } from '../../src/control/descent.ts'
import type { Experiment } from '../../src/control/experiment.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions } from '../../src/sim/scenario.ts'

const ERROR = 0.05
const EXPECTED = 0.1

/** What each of the limits, one after the other, is answered; `riseAt`: of latency at a limit, a logarithm. */
function answers(limits: readonly number[], riseAt: (limit: number) => number, error = ERROR): boolean[] {
  const descent = new Descent()
  return limits.map((limit) => descent.isInVain(limit, riseAt(limit), error, EXPECTED))
}

describe('a limit that falls', () => {
  test('falls in vain where calls stay as slow', () => {
    expect(answers([16, 12, 9, 7, 5], () => 0.8)).toEqual([false, false, false, true, true])
  })

  test('does not where each step makes calls faster', () => {
    expect(answers([16, 12, 9, 7, 5, 4], (limit) => Math.log(limit / 3))).not.toContain(true)
  })

  test('does not where noise hides whether it does', () => {
    expect(answers([16, 12, 9, 7], () => 0.8, 0.6)).not.toContain(true)
  })

  test('begins anew once calls were as fast as they should be, and where latency rises further', () => {
    const descent = new Descent()
    const rises = [0.8, 0.8, 0.1, 0.8, 0.8, 1.2]
    const limits = [16, 12, 12, 7, 5, 3]
    expect(limits.map((limit, at) => descent.isInVain(limit, rises[at]!, ERROR, EXPECTED))).not.toContain(true)
  })
})

test('a fall through several brakes is one from where it began', () => {
  const brake = (from: number) => ({ from, before: 0.8, errorOfFall: ERROR }) as Experiment
  const descent = new Descent()
  descent.braked(brake(16), 0)
  descent.braked(brake(9), 0)
  expect(descent.isInVain(7, 0.8, ERROR, EXPECTED)).toBe(true)
  descent.restart()
  descent.braked(brake(9), 0)
  expect(descent.isInVain(7, 0.8, ERROR, EXPECTED)).toBe(false)
})

/**
 * Calls of very uneven length, to a cache that is cold: only calls warm it, so few of them never do. By all of these seeds
 * but 72 the limit stays down unless a fall in vain is noticed.
 */
test.each([30, 63, 65, 72])('a cache that went cold twice is warmed by calls in the end, seed %i', (seed) => {
  const warm: Conditions = {
    servers: 20,
    service: { kind: 'exponential', meanMs: 208 },
    network: { rttMs: 3 },
  }
  const durationMs = 45_000
  const phases = [
    { name: 'warm', durationMs, ...warm },
    { name: 'cold', durationMs, ...warm, cold: { factor: 2.4, calls: 690 } },
    { name: 'cold again', durationMs, ...warm, cold: { factor: 3, calls: 500 } },
  ]
  const run = simulate({ name: 'cold', phases }, seed, (_client, nowMs) => new Controller({ seed }, nowMs))
  const [first, , last] = run.phases
  expect(last!.successes).toBeGreaterThan(0.5 * first!.successes)
})
