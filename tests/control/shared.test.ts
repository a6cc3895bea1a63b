/** Clients that share a downstream and know nothing of one another: together they queue next to nothing there. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import type { PhaseRecord } from '../../src/sim/record.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Conditions, Scenario } from '../../src/sim/scenario.ts'

const SECOND = 1000
const CLIENTS = 12
const conditions: Conditions = {
  servers: 40,
  service: { kind: 'lognormal', meanMs: 50, cv: 0.3 },
  network: { rttMs: 2 },
}

/** The first phase is for what the cold start of all clients at once queued. */
function settled(clients: number, seed: number, change: Partial<Conditions> = {}): PhaseRecord {
  const phases = ['settling', 'settled'].map((name) => ({ name, durationMs: 30 * SECOND, ...conditions, ...change }))
  const scenario: Scenario = { name: 'shared', clients, phases }
  const run = simulate(scenario, seed, (client, nowMs) => new Controller({ seed: seed + client }, nowMs))
  return run.phases[1] as PhaseRecord
}

const perSecond = ({ successes, durationMs }: PhaseRecord): number => (successes * SECOND) / durationMs

describe('clients that share a downstream', () => {
  // Each took the queue of the others for a longer way, climbed, and so gave the others reason to do the same: hundreds
  // of calls were in flight to forty servers, and more with every minute.
  test.each([2, 6, 11, 15, 18])('do not outbid one another, seed %i', (seed) => {
    const alone = settled(1, seed)
    const shared = settled(CLIENTS, seed)
    expect(shared.latency.quantile(0.99)).toBeLessThan(2.5 * alone.latency.quantile(0.99))
    expect(perSecond(shared)).toBeGreaterThan(0.95 * perSecond(alone))
  })

  test.each([1, 2, 3])('do not make one collapse that thrashes, seed %i', (seed) => {
    const alone = settled(1, seed, { thrash: 0.5 })
    expect(perSecond(settled(CLIENTS, seed, { thrash: 0.5 }))).toBeGreaterThan(0.85 * perSecond(alone))
  })
})
