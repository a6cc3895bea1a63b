/** The modelled downstream against queueing theory, where theory has an answer. */
import { describe, expect, test } from 'vitest'
import { phase, runFixed, scenario } from './worlds.ts'

const SECOND = 1000

/** Erlang's C: the probability that a call has to wait with `servers` servers and `load` of them busy on average. */
function erlangC(servers: number, load: number): number {
  let blocking = 1
  for (let server = 1; server <= servers; server += 1) blocking = (load * blocking) / (server + load * blocking)
  return blocking / (1 - (load / servers) * (1 - blocking))
}

describe('a closed loop', () => {
  test.each([
    { limit: 1, perSecond: 1000 / 70 },
    { limit: 7, perSecond: 7000 / 70 },
    { limit: 14, perSecond: 200 },
    { limit: 50, perSecond: 200 },
  ])('with $limit in flight carries min(limit ÷ round trip, servers ÷ service time)', ({ limit, perSecond }) => {
    const world = scenario([phase(50 * SECOND, { network: { rttMs: 20 } })])
    const { record } = runFixed(world, limit).simulation
    expect(record.phase.perSecond / perSecond).toBeCloseTo(1, 2)
    expect(record.phase.wasted).toBe(0)
  })

  test('beyond saturation the calls wait: latency is limit ÷ throughput', () => {
    const { record } = runFixed(scenario([phase(60 * SECOND)]), 80).simulation
    expect(record.phase.latency.quantile(0.5)).toBeCloseTo(80 / 0.2, -1)
  })
})

test.each([0.5, 0.8, 0.9])(
  'M/M/c at %f of capacity: utilization and mean wait are those of Erlang C',
  (utilization) => {
    const servers = 8
    const meanMs = 20
    const perSecond = (utilization * servers * 1000) / meanMs
    const seconds = 600
    const world = scenario([phase(seconds * SECOND, { servers, service: { kind: 'exponential', meanMs } })], {
      source: { kind: 'poisson', perSecond },
    })
    const { simulation } = runFixed(world, 1e9, 5)
    const { latency, perSecond: carried } = simulation.record.phase
    expect(carried / perSecond).toBeCloseTo(1, 1.7)
    expect(simulation.downstream.workMs / (seconds * SECOND * servers)).toBeCloseTo(utilization, 1.7)
    const waitMs = (erlangC(servers, utilization * servers) * meanMs) / (servers * (1 - utilization))
    const measuredMs = (latency.sumMs - simulation.downstream.workMs) / latency.count
    expect(Math.abs(measuredMs - waitMs)).toBeLessThan(0.1 * waitMs)
  },
)

test('thrash: throughput falls as the calls beyond the servers grow', () => {
  const carried = (limit: number): number =>
    runFixed(scenario([phase(60 * SECOND, { thrash: 0.5 })]), limit).simulation.record.phase.perSecond
  expect(carried(10)).toBeCloseTo(200, -1)
  // Of 31 calls one has just been answered when the next begins, so that 30 are in the server where there is room for
  // 10, and it takes 1 + .5 × 20 ÷ 10 = 2 times as long.
  expect(carried(31) / 200).toBeCloseTo(1 / 2, 1.7)
  expect(carried(111) / 200).toBeCloseTo(1 / 6, 1.7)
})

test('a cold cache takes its factor at first and nothing after its calls', () => {
  const world = scenario([
    phase(10 * SECOND, {}, 'warm'),
    phase(60 * SECOND, { cold: { factor: 4, calls: 2000 } }, 'cold'),
    phase(10 * SECOND, {}, 'warm again'),
  ])
  const { simulation, gates } = runFixed(world, 1)
  const took = gates[0]?.outcomes.map(({ sentMs, nowMs }) => nowMs - sentMs) ?? []
  const first = took.find((ms) => ms > 51) as number
  expect(first).toBeCloseTo(200, 0)
  const [warm, cold, again] = simulation.record.phases
  expect(warm?.perSecond).toBeCloseTo(20, 0)
  expect(cold?.perSecond).toBeLessThan(10)
  expect(again?.latency.quantile(1)).toBeGreaterThan(49)
  expect(again?.latency.quantile(0.5)).toBeCloseTo(50, 0)
})

test('pauses take away their share of the time, and a call in the server stands still with it', () => {
  const pauses = { everyMs: 900, lastsMs: 100 }
  const { simulation, gates } = runFixed(scenario([phase(200 * SECOND, { pauses })]), 10)
  expect(simulation.record.phase.perSecond / 200).toBeCloseTo(0.9, 1.5)
  const took = gates[0]?.outcomes.map(({ sentMs, nowMs }) => nowMs - sentMs) ?? []
  // Never less than the service time; longer only by pauses, or by what was left of one.
  expect(Math.min(...took)).toBeGreaterThan(50 - 1e-6)
  expect(Math.max(...took)).toBeLessThan(50 + 350)
  expect(Math.max(...took)).toBeGreaterThan(149)
})

test('calls of others take their share of the servers', () => {
  const world = scenario([phase(200 * SECOND, { others: { perSecond: 80 } })])
  const { record } = runFixed(world, 40).simulation
  expect(record.phase.perSecond / 120).toBeCloseTo(1, 1.3)
})

test('servers that come and go: capacity is that of the phase', () => {
  const phases = [phase(20 * SECOND), phase(20 * SECOND, { servers: 3 }), phase(20 * SECOND, { servers: 20 })]
  const rates = runFixed(scenario(phases), 20).simulation.record.phases.map(({ perSecond }) => perSecond)
  expect(rates[0]).toBeCloseTo(200, -1)
  expect(rates[1]).toBeCloseTo(60, -1)
  expect(rates[2]).toBeCloseTo(400, -1)
})
