/** What calls show of the way and of the service where nothing queues, and what comes of it for the limit. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { logMs, Sample } from '../../src/control/latency.ts'
import { SeededRandom } from '../../src/control/random.ts'
import { Unqueued } from '../../src/control/unqueued.ts'
import { simulate } from '../../src/sim/run.ts'

const CALLS = 400

/** A way of `wayMs`, and service that `serviceMs` gives. */
function learned(wayMs: number, serviceMs: (uniform: number) => number): { way: number; unevenness: number } {
  const random = new SeededRandom(7)
  const unqueued = new Unqueued()
  const sample = new Sample()
  for (let call = 0; call < CALLS; call += 1) sample.add(logMs(wayMs + serviceMs(random.next())))
  unqueued.learn(sample)
  return { way: unqueued.way(sample.mean), unevenness: unqueued.unevenness(sample.mean) }
}

const exponential = (uniform: number): number => -20 * Math.log(1 - uniform)

describe('calls where nothing queues', () => {
  test('tell a long way before uneven service from service alone', () => {
    const far = learned(60, exponential)
    expect(far.way).toBeGreaterThan(0.7)
    expect(far.way).toBeLessThan(0.85)
    expect(far.unevenness).toBeGreaterThan(0.5)
    expect(learned(0.1, exponential).way).toBeLessThan(0.1)
  })

  test('of even service are nothing to provide for', () => {
    expect(learned(60, () => 20).unevenness).toBe(0)
    expect(learned(0, (uniform) => 50 + 20 * uniform).unevenness).toBe(0)
    expect(new Unqueued().unevenness(3)).toBe(0)
    expect(new Unqueued().way(3)).toBe(0)
  })

  // The limit stood where servers far away would have been busy if calls had come to them as evenly as clockwork.
  test.each([1, 2, 3, 4])('servers far away that serve unevenly are kept busy, seed %i', (seed) => {
    const conditions = { servers: 3, service: { kind: 'exponential', meanMs: 16 }, network: { rttMs: 42 } } as const
    const phases = ['finding', 'found'].map((name) => ({ name, durationMs: 40_000, ...conditions }))
    const run = simulate({ name: 'far', phases }, seed, (_client, nowMs) => new Controller({ seed }, nowMs))
    const { successes, durationMs } = run.phases[1] as (typeof run.phases)[number]
    expect(successes / durationMs).toBeGreaterThan(0.8 * (3 / 16))
  })
})
