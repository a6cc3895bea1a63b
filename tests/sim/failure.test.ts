/** What goes wrong in a modelled downstream, as its client sees it; and that nothing is lost or counted twice. */
import { describe, expect, test } from 'vitest'
import { type MakeGate, Simulation, simulate } from '../../src/sim/run.ts'
import type { Conditions, Gate, Scenario } from '../../src/sim/scenario.ts'
import { phase, Recording, runFixed, scenario } from './worlds.ts'

const SECOND = 1000

describe('refusals', () => {
  test('a full queue answers 503 at once, with its Retry-After', () => {
    const world = scenario([phase(10 * SECOND, { queueLimit: 5, queueRetryAfterMs: 3000, network: { rttMs: 10 } })])
    const { gates, simulation } = runFixed(world, 16)
    const refused = gates[0]?.outcomes.filter(({ outcome }) => outcome.status === 503) ?? []
    expect(refused.length).toBeGreaterThan(0)
    for (const { outcome, sentMs, nowMs } of refused) {
      expect(outcome).toEqual({ kind: 'overloaded', status: 503, retryAfterMs: 3000 })
      expect(nowMs - sentMs).toBeCloseTo(10.1)
    }
    expect(simulation.record.phase.unavailable).toBe(refused.length)
    // Ten are served and five wait, so fifteen are never refused.
    expect(runFixed(world, 15).simulation.record.phase.wasted).toBe(0)
  })

  test.each([
    { says: { retryAfter: 1000 }, expected: { retryAfterMs: 1000 } },
    { says: {}, expected: {} },
    { says: { retryAfter: true }, expected: { retryAfterMs: 1000 } },
    { says: { headers: true }, expected: { rateLimit: { limit: 25, remaining: 0, resetMs: 1000 } } },
  ])('a quota answers 429 and says $says', ({ says, expected }) => {
    const quota: Conditions['quota'] = { kind: 'bucket', perSecond: 50, burst: 25, ...says }
    const { gates, simulation } = runFixed(scenario([phase(20 * SECOND, { quota, network: { rttMs: 5 } })]), 10)
    const refused = gates[0]?.outcomes.filter(({ outcome }) => outcome.status === 429) ?? []
    expect(refused[0]?.outcome).toEqual({ kind: 'overloaded', status: 429, ...expected })
    const { successes, throttled } = simulation.record.phase
    expect(successes).toBeGreaterThan(50 * 20 * 0.98)
    expect(successes).toBeLessThanOrEqual(50 * 20 + 25)
    expect(throttled).toBe(refused.length)
  })

  test('a quota goes on through a change of other things and starts anew with other terms', () => {
    const quota: Conditions['quota'] = { kind: 'bucket', perSecond: 1, burst: 100 }
    const carried = (second: Conditions['quota']): number | undefined => {
      const network = { rttMs: 50 }
      const phases = [
        phase(10 * SECOND, { quota, network }),
        phase(SECOND, { servers: 100, network, ...(second ? { quota: second } : {}) }),
      ]
      return runFixed(scenario(phases), 100).simulation.record.phases[1]?.successes
    }
    expect(carried({ ...quota })).toBeLessThan(5)
    expect(carried({ ...quota, burst: 101 })).toBeGreaterThan(100)
    expect(carried(undefined)).toBeGreaterThan(800)
  })
})

describe('a broken replica', () => {
  test.each([
    ['refuse', '503'],
    ['hang', 'timeout'],
  ] as const)('that is said to %s fails its share of the calls, and the others are served', (by, outcome) => {
    const world = scenario([phase(60 * SECOND, { broken: { share: 0.1, by } })], { timeoutMs: SECOND })
    const { gates } = runFixed(world, 10)
    const { [outcome]: failed = 0, '200': served = 0 } = gates[0]?.counts() ?? {}
    expect(served).toBeGreaterThan(1000)
    expect(failed / (failed + served)).toBeCloseTo(0.1, 1)
  })
})

describe('outages', () => {
  /** Between two ends of service, so that what is in flight then is known. */
  const DOWN_MS = 5011

  const down = (outage: NonNullable<Conditions['outage']>): Scenario =>
    scenario([phase(DOWN_MS, {}, 'before'), phase(5 * SECOND, { outage }, 'down'), phase(5 * SECOND, {}, 'after')], {
      timeoutMs: SECOND,
    })
  /** What was in flight when the outage began. */
  const caught = (gate: Recording): Recording['outcomes'] =>
    gate.outcomes.filter(({ sentMs, nowMs }) => sentMs < DOWN_MS && nowMs >= DOWN_MS)
  /** Paced, so that quick refusals do not flood the test. */
  const run = (outage: NonNullable<Conditions['outage']>): { gate: Recording; simulation: Simulation } => {
    const gate = new Paced(20)
    const simulation = new Simulation(down(outage), 1, () => gate)
    simulation.run()
    return { gate, simulation }
  }

  test('503: what was taken is served to the end, what comes is refused', () => {
    const { simulation, gate } = run('refuse')
    const [before, during, after] = simulation.record.phases
    expect(before?.wasted).toBe(0)
    expect(caught(gate).length).toBeGreaterThan(10)
    expect(during?.successes).toBe(caught(gate).length)
    expect(during?.unavailable).toBeGreaterThan(100)
    expect(during?.timeouts).toBe(0)
    expect(after?.perSecond).toBeGreaterThan(150)
  })

  test('hang: nothing is answered, calls run into their time-out, what was taken is lost', () => {
    const { simulation, gate } = run('hang')
    const [, during, after] = simulation.record.phases
    expect(during?.successes).toBe(0)
    expect(during?.timeouts).toBeGreaterThan(20)
    expect((during?.wasted ?? 0) - (during?.timeouts ?? 0)).toBe(0)
    for (const { outcome, sentMs, nowMs } of gate.outcomes) {
      if (outcome.kind === 'timeout') expect(nowMs - sentMs).toBeCloseTo(SECOND, 6)
    }
    expect(after?.perSecond).toBeGreaterThan(150)
  })

  test('reset: every connection breaks at once, new ones as well', () => {
    const { simulation, gate } = run('reset')
    expect(caught(gate).length).toBeGreaterThan(10)
    for (const { nowMs, outcome } of caught(gate)) {
      expect(outcome.kind).toBe('failed')
      expect(nowMs).toBeCloseTo(DOWN_MS, 3)
    }
    expect(simulation.record.phases[1]?.successes).toBe(0)
    expect(simulation.record.phases[1]?.failed).toBeGreaterThan(100)
    expect(simulation.record.phases[2]?.perSecond).toBeGreaterThan(150)
  })
})

test('a call that was given up is worked on all the same, and its answer is nobody’s', () => {
  // 40 wait for 10 servers, so an answer takes 250 ms and every call is given up.
  const world = scenario([phase(10 * SECOND, { service: { kind: 'constant', meanMs: 50 } })], { timeoutMs: 200 })
  const { simulation, gates } = runFixed(world, 50)
  const { successes, timeouts } = simulation.record.phase
  expect(simulation.downstream.served).toBeGreaterThan(1900)
  expect(timeouts).toBeGreaterThan(1900)
  expect(successes).toBeLessThan(100)
  const timedOut = gates[0]?.outcomes.filter(({ outcome }) => outcome.kind === 'timeout') ?? []
  for (const { sentMs, nowMs } of timedOut) expect(nowMs - sentMs).toBeCloseTo(200, 6)
})

describe('what every run keeps', () => {
  const rough: Scenario = scenario(
    [
      phase(5 * SECOND, { thrash: 0.3, queueLimit: 20, pauses: { everyMs: 700, lastsMs: 60 }, network: { rttMs: 3 } }),
      phase(3 * SECOND, { outage: 'hang' }),
      phase(5 * SECOND, {
        service: { kind: 'lognormal', meanMs: 40, cv: 1 },
        quota: { kind: 'window', perSecond: 150 },
        others: { perSecond: 50 },
        network: { rttMs: 5, walk: { minMs: 1, maxMs: 30, stepMs: 5, everyMs: 100 } },
      }),
      phase(3 * SECOND, { outage: 'reset' }),
      phase(5 * SECOND, { cold: { factor: 3, calls: 100 } }),
    ],
    { clients: 3, timeoutMs: 400 },
  )
  const makeGate: MakeGate = () => new Paced(12)

  test('conservation: every attempt ends once or is in flight; nothing stays in the table of calls', () => {
    const gates: Recording[] = []
    const simulation = new Simulation(rough, 7, () => {
      const gate = new Paced(12)
      gates.push(gate)
      return gate
    })
    const record = simulation.run()
    const sum = (figure: (phase: (typeof record.phases)[number]) => number): number =>
      record.phases.reduce((total, each) => total + figure(each), 0)
    const inFlight = simulation.clients.reduce((total, client) => total + client.inFlight, 0)
    expect(sum((each) => each.attempts)).toBe(sum((each) => each.successes + each.wasted) + inFlight)
    expect(gates.reduce((total, gate) => total + gate.outcomes.length, 0)).toBe(sum((e) => e.successes + e.wasted))
    expect(sum((each) => each.successes)).toBe(sum((each) => each.successesByClient.reduce((a, b) => a + b)))
    expect(record.series.successes.reduce((a, b) => a + b)).toBeLessThanOrEqual(sum((each) => each.successes))
    // Rows: those in flight, those that the server still works on, and answers on the way to nobody.
    expect(simulation.calls.size).toBeLessThanOrEqual(
      inFlight + simulation.downstream.busy + simulation.downstream.queued + 36,
    )
    for (const each of record.phases)
      expect(each.timeouts + each.failed + each.unavailable + each.throttled).toBe(each.wasted)
  })

  test('the same seed gives the same run, another seed another one', () => {
    const digest = (seed: number): string => {
      const { phases, series, events } = simulate(rough, seed, makeGate)
      return JSON.stringify([events, series, phases.map((each) => [each.attempts, each.latency.sumMs])])
    }
    expect(digest(1)).toBe(digest(1))
    expect(digest(1)).not.toBe(digest(2))
  })

  test('copies of one client get equal shares', () => {
    const { record } = runFixed(scenario([phase(60 * SECOND)], { clients: 4 }), 10).simulation
    for (const share of record.phase.successesByClient) expect(share / record.phase.successes).toBeCloseTo(0.25, 1.7)
  })
})

describe('asking a gate again', () => {
  test('a gate is asked again at the instant that it names', () => {
    let dueMs = 0
    const sentMs: number[] = []
    const gate: Gate = {
      admit: (nowMs) => (nowMs >= dueMs ? 0 : dueMs),
      sent: (nowMs) => {
        dueMs = nowMs + 100
        sentMs.push(nowMs)
        return null
      },
      settled: () => {},
      snapshot: () => ({ limit: 1 }),
    }
    simulate(scenario([phase(2 * SECOND)]), 1, () => gate)
    expect(sentMs).toHaveLength(20)
    for (const [index, ms] of sentMs.entries()) expect(ms).toBeCloseTo(index * 100, 1)
  })

  test('a gate that is never ready at its own moment does not stop the clock', () => {
    const gate: Gate = { admit: () => 1e-12, sent: () => null, settled: () => {}, snapshot: () => ({ limit: 0 }) }
    const { phase: only } = simulate(scenario([phase(100)]), 1, () => gate)
    expect(only.attempts).toBe(0)
  })
})

/** At most 200 a second, so that refusals at once do not become a flood. */
class Paced extends Recording {
  #nextMs = 0

  override admit(nowMs: number): number {
    const wait = super.admit(nowMs)
    if (wait !== 0 || nowMs >= this.#nextMs) return wait
    return this.#nextMs
  }

  override sent(nowMs: number): unknown {
    // A burst at the start fills the limit.
    if (nowMs > 0) this.#nextMs = nowMs + 5
    return super.sent(nowMs)
  }
}
