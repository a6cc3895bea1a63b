/** The lab over HTTP judges itself: its server behaves as the model does, and its tables say what was measured. */
import { describe, expect, test } from 'vitest'
import { Attempts } from '../../bench/overload/http/attempts.ts'
import { outcomeOf } from '../../bench/overload/http/client.ts'
import { type Figures, foundOf, MODEL, recoveryOf, rowsOf } from '../../bench/overload/http/compare.ts'
import { LiveDownstream, type Ticket } from '../../bench/overload/http/live-downstream.ts'
import { durationOf, HTTP_TRIALS, type HttpTrial, STORM, smokeTrials } from '../../bench/overload/http/scenarios.ts'
import { afterShare, type StormRun, stormInModel, stormRows } from '../../bench/overload/http/storm.ts'
import { comparisonText, stormText } from '../../bench/overload/http/table.ts'
import { METASTABLE, TRIALS } from '../../bench/overload/scenarios.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { PhaseRecord } from '../../src/sim/record.ts'
import type { Conditions, Outcome, Scenario } from '../../src/sim/scenario.ts'

const constant: Conditions = { servers: 2, service: { kind: 'constant', meanMs: 50 }, network: { rttMs: 10 } }
const world = (...changes: Partial<Conditions>[]): Scenario => ({
  name: 'test',
  phases: changes.map((change, index) => ({ ...constant, ...change, name: `phase ${index}`, durationMs: 1000 })),
})

/** A live downstream, and when each of its calls was answered how. */
function live(...changes: Partial<Conditions>[]) {
  const downstream = new LiveDownstream(world(...changes), 1)
  const answers: (string | number)[][] = []
  let nowMs = 0
  const at = (ms: number): void => {
    // As a server does it: at the instants at which something is due.
    while (downstream.nextMs <= ms) downstream.advance((nowMs = downstream.nextMs))
    downstream.advance((nowMs = ms))
  }
  const call = (name: string, ms: number): Ticket => {
    at(ms)
    return downstream.arrive(ms, ({ kind, status }: Outcome) =>
      answers.push([name, status ?? kind, Number(nowMs.toFixed(6))]),
    )
  }
  return { downstream, answers, at, call }
}

describe('the live downstream', () => {
  test('answers after half a round trip, the service and the other half', () => {
    const { answers, at, call } = live({})
    call('a', 7.5)
    at(500)
    expect(answers).toEqual([['a', 200, 67.5]])
  })

  test('a call that waited is served from when a server was free, however late the clock is looked at', () => {
    const { downstream, answers, call } = live({})
    for (const name of ['a', 'b', 'c']) call(name, 0)
    // One late look: a server that stood still for half a second.
    downstream.advance(500)
    expect(answers.map(([name]) => name).sort()).toEqual(['a', 'b', 'c'])
    expect(downstream.record.phase.latency.quantile(1)).toBeCloseTo(110, 0)
  })

  test('works on a call that was given up, and never answers it', () => {
    const { downstream, answers, at, call } = live({})
    const first = call('a', 0)
    call('b', 1)
    call('c', 2)
    downstream.gone(first, 20)
    downstream.gone(first, 21)
    expect(downstream.inside).toBe(3)
    at(500)
    expect(answers).toContainEqual(['c', 200, 110])
    expect(answers.map(([name]) => name)).not.toContain('a')
    expect(downstream.record.phase).toMatchObject({ attempts: 3, successes: 2, timeouts: 1 })
  })

  test('a ticket means nothing once its call was answered, even when its row is used again', () => {
    const { downstream, answers, at, call } = live({})
    const first = call('a', 0)
    at(100)
    call('b', 100)
    downstream.gone(first, 110)
    at(500)
    expect(answers.map(([name]) => name)).toEqual(['a', 'b'])
    expect(downstream.record.phase.timeouts).toBe(0)
  })

  test('refuses beyond the queue with 503, and beyond the quota with 429', () => {
    const queue = live({ queueLimit: 1 })
    for (const name of ['a', 'b', 'c', 'd']) queue.call(name, 0)
    queue.at(500)
    expect(queue.answers.filter(([, status]) => status === 503)).toHaveLength(1)
    expect(queue.downstream.record.phase).toMatchObject({ successes: 3, unavailable: 1 })
    const quota = live({ quota: { kind: 'bucket', perSecond: 1, burst: 1, retryAfter: 1000 } })
    quota.call('a', 0)
    quota.call('b', 1)
    quota.at(500)
    expect(quota.answers.map(([name, status]) => [name, status])).toEqual([['b', 429], ['a', 200]]) // biome-ignore format: pairs
  })

  test('an outage by reset cuts what waits, one by hang never answers it, and after it all is well', () => {
    const reset = live({}, { outage: 'reset' }, {})
    reset.call('a', 980)
    reset.at(1100)
    reset.call('b', 1500)
    reset.at(1999)
    expect(reset.answers.map(([name, kind]) => [name, kind])).toEqual([['a', 'failed'], ['b', 'failed']]) // biome-ignore format: pairs
    const hang = live({}, { outage: 'hang' }, {})
    const held = hang.call('a', 980)
    hang.at(2500)
    expect(hang.answers).toEqual([])
    hang.downstream.gone(held, 2500)
    hang.call('b', 2600)
    hang.at(2999)
    expect(hang.answers).toEqual([['b', 200, 2660]])
    expect(hang.downstream.record.phases.map(({ timeouts }) => timeouts)).toEqual([0, 0, 1])
  })

  test('what happens after the last phase is in none of them', () => {
    const { downstream, at, call } = live({})
    call('a', 990)
    expect(downstream.isOver).toBe(false)
    at(2000)
    expect(downstream.isOver).toBe(true)
    expect(downstream.record.phases.map(({ attempts, successes }) => [attempts, successes])).toEqual([[1, 0], [0, 1]]) // biome-ignore format: pairs
  })
})

describe('the scenarios', () => {
  test('have the names of the lab’s, at most 500 calls a second of 20 ms or more, and a run of all takes minutes', () => {
    const names = new Set(TRIALS.map(({ scenario }) => scenario.name.replace(/, 40 servers| above 12 queued/, '')))
    for (const { scenario } of HTTP_TRIALS) {
      expect(names).toContain(scenario.name.replace(' above 6 queued', ''))
      for (const { servers, service } of scenario.phases) {
        expect((servers * 1000) / service.meanMs).toBeLessThanOrEqual(500)
        expect(service.meanMs).toBeGreaterThanOrEqual(20)
      }
    }
    expect(STORM.phases.map(({ name }) => name)).toEqual(METASTABLE.scenario.phases.map(({ name }) => name))
    const smokeMs = smokeTrials().reduce((sum, { scenario }) => sum + durationOf(scenario), 0)
    expect(smokeMs).toBeLessThan(30_000)
  })

  test('in the model the storm keeps the naive client down and Headgate not', async () => {
    const { Controller } = await import('../../src/control/controller.ts')
    const { headgate, naive } = stormInModel(STORM, 1, (client) => new Controller({ seed: client + 1 }, 0))
    expect(afterShare(naive)).toBeLessThan(0.5)
    expect(afterShare(headgate)).toBeGreaterThan(0.5)
  })
})

describe('the client’s count', () => {
  test('sorts attempts by how they ended', async () => {
    const attempts = new Attempts([{ name: 'only', durationMs: 60_000 }], performance.now())
    const fail = (thrown: unknown) => attempts.count(() => Promise.reject(thrown), outcomeOf).catch(() => null)
    expect(await attempts.count(async () => 7, outcomeOf)).toBe(7)
    await fail(new HeadgateError('HG_OVERLOADED', 'no', { status: 429 }))
    await fail(new HeadgateError('HG_OVERLOADED', 'no', { status: 503 }))
    await fail(Object.assign(new Error('late'), { name: 'TimeoutError' }))
    await fail(new TypeError('fetch failed'))
    expect(attempts.counts()).toMatchObject([
      { attempts: 5, successes: 1, throttled: 1, unavailable: 1, timeouts: 1, failed: 1, wastedShare: 0.8 },
    ])
  })

  test('counts nothing after the end', async () => {
    const attempts = new Attempts([{ name: 'only', durationMs: 1 }], performance.now() - 1000)
    await attempts.count(async () => null, outcomeOf)
    expect(attempts.counts()).toMatchObject([{ attempts: 0, successes: 0 }])
  })
})

describe('the tables', () => {
  const figures = (goodput: number, outageAttempts = 0, foundMs = 500): Figures => ({
    ...{ goodput, p99Ms: 100, wasted: 0, outageAttempts, recoveryMs: 2000, foundMs, givenUp: 0 },
  })
  const outage = HTTP_TRIALS.find((trial) => trial.outage !== undefined) as HttpTrial

  test('goodput holds within five hundredths of the model, on either side', () => {
    const holds = (http: number): boolean | null | undefined =>
      rowsOf(outage, [figures(0.8), figures(0.9), figures(0.7)], [figures(http)])[0]?.holds
    expect([0.76, 0.8, 0.84].map(holds)).toEqual([true, true, true])
    expect([0.74, 0.86, Number.NaN].map(holds)).toEqual([false, false, false])
  })

  test('after an outage a run is compared with those of the model that found the downstream back as late', () => {
    const model = Array.from({ length: 99 }, (_, run) => figures(1 - run / 100, 0, run * 35))
    const verdicts = (goodput: number, foundMs: number): (boolean | null | undefined)[] => {
      const rows = rowsOf(outage, model, [figures(goodput, 0, foundMs)])
      return [rows[0]?.holds, rows.at(-1)?.holds]
    }
    expect(verdicts(0.5, 50 * 35)).toEqual([true, true])
    expect(verdicts(0.5, 40 * 35), 'found sooner, and yet as little').toEqual([false, true])
    expect(verdicts(0.05, 200 * 35)[1], 'later than the model ever is').toBe(false)
    expect(verdicts(0, Number.POSITIVE_INFINITY)[1]).toBe(false)
  })

  test('the attempts of an outage hold by their number, and what has no goal has no verdict', () => {
    const rows = rowsOf(outage, [figures(0.9, 20)], [figures(0.9, 31)])
    expect(rows.map(({ name, holds }) => [name.replace(/.* · /, ''), holds])).toEqual([
      ['goodput', true],
      ['p99', null],
      ['waste', null],
      ['attempts in the outage', false],
      ['recovery', true],
      ['found back, latest run', true],
    ])
    const free = HTTP_TRIALS.find(({ isGoal }) => !isGoal) as HttpTrial
    expect(rowsOf(free, [figures(0.9)], [figures(0.1)])[0]?.holds).toBe(null)
  })

  test('show model, HTTP, difference, goal and verdict', () => {
    const text = comparisonText(rowsOf(outage, [figures(0.9)], [figures(0.8)]))
    const line = text.split('\n').find((each) => each.includes('goodput'))
    expect(line).toMatch(/0\.9 \(0\.9 to 0\.9\).* 0\.8 .*−0\.100.*\|difference\| ≤ 0\.05.*MISSED/)
    expect(rowsOf(outage, [figures(0.9)], [figures(0.8)])[0]).toMatchObject({ headgate: 0.8, peers: { [MODEL]: 0.9 } })
  })

  test('recovery is the end of the first half second with nine tenths of the oracle’s rate', () => {
    const phase = new PhaseRecord('after', 1000, 2000, 1)
    phase.successes = 200 // 10 in 100 ms
    const series = (...counts: number[]): number[] => [...Array.from({ length: 10 }, () => 10), ...counts]
    expect(recoveryOf(series(0, 0, 9, 9, 9, 9, 9, 0), phase)).toBe(700)
    expect(recoveryOf(series(10, 10, 10, 10, 10), phase)).toBe(500)
    expect(recoveryOf(series(0, 8, 8, 8, 8, 8, 8), phase)).toBe(Number.POSITIVE_INFINITY)
  })

  test('a downstream is found back with its first success', () => {
    const phase = new PhaseRecord('after', 1000, 2000, 1)
    const before = Array.from({ length: 10 }, () => 10)
    expect(foundOf([...before, 0, 0, 1, 9], phase)).toBe(300)
    expect(foundOf([...before, 4], phase)).toBe(100)
    expect(foundOf([...before, 0, 0], phase)).toBe(Number.POSITIVE_INFINITY)
  })

  test('the storm has a verdict for each client', () => {
    const run = (...perSecond: number[]): StormRun =>
      perSecond.map((value, index) => ({ name: ['before', 'trigger', 'after'][index] ?? '', perSecond: value }))
    const model = { headgate: run(280, 40, 300), naive: run(280, 5, 0) }
    const verdicts = (headgate: StormRun, naive: StormRun): (boolean | null)[] =>
      stormRows('storm', { http: { headgate, naive }, model }).map(({ holds }) => holds)
    expect(verdicts(run(280, 40, 260), run(280, 5, 100))).toEqual([null, null, null, true, true])
    expect(verdicts(run(280, 40, 240), run(280, 5, 150))).toEqual([null, null, null, false, false])
    const runs = { http: { headgate: run(280, 40, 260), naive: run(280, 5, 100) }, model }
    const text = stormText(stormRows('storm', runs), runs)
    expect(text).toMatch(/headgate, HTTP.*280.*40.*260.*0\.929.*≥ 0\.9.*holds/)
    expect(text).toMatch(/naive, HTTP.*280.*5.*100.*0\.357.*≤ 0\.5.*holds/)
  })
})
