/** What calls show of the way and of the service where nothing queues, and what comes of it for the limit. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { logMs, Sample } from '../../src/control/latency.ts'
import { SeededRandom } from '../../src/control/random.ts'
import { Unqueued } from '../../src/control/unqueued.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions } from '../../src/sim/scenario.ts'

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

/** Calls with so much between the fastest and the slowest, learned in samples of 20. */
function varying(share: number, samples: number): Unqueued {
  const random = new SeededRandom(7)
  const unqueued = new Unqueued()
  for (let count = 0; count < samples; count += 1) {
    const sample = new Sample()
    for (let call = 0; call < 20; call += 1) sample.add(logMs(50 * (1 + share * random.next())))
    unqueued.learnAlone(sample)
  }
  return unqueued
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

  test('say that a rise is one the sooner, the less calls vary', () => {
    expect(varying(0, 2).isSlower(0.06, 20, 100)).toBe(true)
    expect(varying(0, 2).isSlower(0.04, 20, 100), 'the way changes by as much').toBe(false)
    expect(varying(1, 2).isSlower(0.1, 20, 100), 'by chance').toBe(false)
    expect(varying(1, 2).isSlower(0.1, 2000, 10_000)).toBe(true)
    expect(new Unqueued().isSlower(1, 20, 100), 'nothing is known').toBe(false)
  })

  test('are even where they hardly vary, once a few of them are known', () => {
    expect(varying(0, 1).isEven).toBe(true)
    expect(varying(1, 1).isEven).toBe(false)
    expect(new Unqueued().isEven).toBe(false)
  })

  test('are as even as they were where a probe met a queue', () => {
    const unqueued = varying(0, 1)
    const queued = new Sample()
    for (let call = 0; call < 20; call += 1) queued.add(logMs(call % 4 === 0 ? 100 : 50))
    unqueued.probed(queued, queued.mean - logMs(50))
    expect(unqueued.isEven).toBe(true)
    unqueued.probed(queued, 0)
    expect(unqueued.isEven).toBe(false)
  })

  // Calls that were sent at one moment stay together if all take the same time: each one too many waits for a turn.
  test.each([
    [8, 15, 3],
    [16, 40, 12],
    [23, 110, 12],
    [51, 40, 3],
    [77, 110, 12],
  ])('%i servers of always %i ms, %i ms away: no call in a hundred waits for half a turn', (servers, meanMs, rttMs) => {
    const conditions: Conditions = { servers, service: { kind: 'constant', meanMs }, network: { rttMs } }
    const phases = [{ ...conditions, name: 'even', durationMs: 45_000 }]
    const run = simulate({ name: 'even', phases }, 1, (_client, nowMs) => new Controller({}, nowMs))
    const { latency, successes, durationMs } = run.phases[0] as (typeof run.phases)[number]
    expect(latency.quantile(0.99)).toBeLessThan(1.5 * (meanMs + rttMs))
    expect(successes / durationMs).toBeGreaterThan(0.9 * (servers / meanMs))
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
