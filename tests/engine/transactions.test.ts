/**
 * Exactly-once in the simulated world: whatever fails, each output becomes visible once, and never without its record
 * being done. The oracle checks the other promises at every step as well. `HEADGATE_LONG=1` tries more seeds and records.
 */
import { describe, expect, test } from 'vitest'
import { MOST_OF_PARTITION } from '../../src/engine/intake.ts'
import type { FlowPlan, TransactionPlan } from '../../src/model/plan.ts'
import { LONG } from '../fixtures/long.ts'
import type { Faults } from './faults.ts'
import { type ChainOptions, CRASHES, callAndWrite, chain, REBALANCES, randomScenario } from './scenarios.ts'
import { type Scenario, World } from './world.ts'

const SEEDS = LONG ? [1, 2, 3, 4, 5] : [1]
/** Of each partition, where a scenario says nothing else. */
const RECORDS = LONG ? 300 : 90
const TOPOLOGIES = LONG ? 200 : 5
const PATIENT = { timeout: LONG ? 600_000 : 120_000 }
const TRANSACTION: TransactionPlan = { intervalMs: 100, records: 100, id: null, timeoutMs: 10_000 }

const DOWNSTREAM: Partial<Faults> = {
  handlerThrows: 0.1,
  handlerOverloaded: 0.05,
  handlerHangs: 0.01,
  sinkThrows: 0.05,
  sinkPartial: 0.05,
  sinkLosesReply: 0.05,
  letterFails: 0.1,
  commitFails: 0.1,
  commitLosesReply: 0.05,
  pullFails: 0.05,
}

function runAll(options: ChainOptions, flow: Parameters<typeof chain>[1], more: Partial<Scenario> = {}): World[] {
  return SEEDS.map((seed) => {
    const world = new World(chain({ seed, records: RECORDS, transaction: TRANSACTION, ...options }, flow, more))
    world.run(300_000)
    expect(world.isOver(), `seed ${seed}: ${world.describe()}`).toBe(true)
    return world
  })
}

describe('promise 11: each output becomes visible exactly once, together with the progress', PATIENT, () => {
  test('without faults, in transactions of the length that was asked for', () => {
    const worlds = runAll({ spreadMs: 2000 }, callAndWrite('none'))
    for (const { transactions } of worlds) {
      expect(transactions!.aborts).toBe(0)
      expect(transactions!.commits).toBeGreaterThan(5)
    }
  })

  test('with failing handlers, sinks, dead letters and commits', () => {
    const worlds = runAll({ faults: { ...DOWNSTREAM, sinkRejects: 1 }, poison: 0.03 }, callAndWrite('none'))
    for (const { transactions } of worlds) expect(transactions!.aborts).toBeGreaterThan(0)
  })

  test('with processes that are killed, drained and stopped', () => {
    const worlds = runAll({ records: 300, faults: { ...DOWNSTREAM, ...CRASHES }, poison: 0.03 }, callAndWrite('key'))
    expect(worlds.reduce((sum, { restarts }) => sum + restarts, 0)).toBeGreaterThan(5)
  })

  test('with partitions that are revoked and lost in the middle of transactions', () => {
    runAll({ faults: { ...DOWNSTREAM, ...REBALANCES }, handlerMs: 60, partitions: 4 }, callAndWrite('key'))
  })

  test('when a record stops the pipeline', () => {
    runAll({ faults: { ...DOWNSTREAM, ...CRASHES }, poison: 0.01, records: 100 }, callAndWrite('none', 'stop'))
  })

  test('for records with several outputs, over branches and expansions: all of them or none', () => {
    runAll({ faults: { ...DOWNSTREAM, ...CRASHES, ...REBALANCES }, records: 100, poison: 0.02 }, (topology) => ({
      stages: [topology.flatMap(), topology.call('none', { onFailure: topology.letters() })],
      end: topology.route(1, 'none'),
    }))
  })

  test('for batches that are written as one', () => {
    runAll({ faults: { ...DOWNSTREAM, ...CRASHES, ...REBALANCES }, records: 100 }, (topology) => ({
      stages: [topology.batch({ records: 10, withinMs: 20 })],
      end: topology.sink('none', { onFailure: topology.letters(), queueRecords: 100 }),
    }))
  })

  test.each([0, 8, 64])('with %i bytes for what is done ahead: what does not fit is waited for', (metadataBytes) => {
    runAll({ metadataBytes, faults: { ...DOWNSTREAM, ...CRASHES }, handlerMs: 40 }, callAndWrite('none'))
  })

  test('over several sources', () => {
    runAll({ sources: 3, records: 100, faults: { ...DOWNSTREAM, ...CRASHES, ...REBALANCES } }, callAndWrite('none'))
  })

  test('with little admission: what waits for the end of a transaction does not lock out the rest', () => {
    const slow = { ...TRANSACTION, intervalMs: 60_000, records: 1_000_000 }
    const worlds = runAll({ admission: { records: 8 }, transaction: slow, records: 60 }, callAndWrite('none'))
    for (const { nowMs } of worlds) expect(nowMs).toBeLessThan(2 * slow.intervalMs + 1000)
  })

  test('with much admission: a transaction may hold more of a partition than could be in flight without it', () => {
    const slow = { ...TRANSACTION, intervalMs: 60_000, records: 1_000_000 }
    const admission = { records: 100_000, bytes: 2 ** 40, residenceMs: 2 ** 31 - 1, uncommittedRecords: 1e6 }
    const options = { admission, transaction: slow, partitions: 2, records: 20_000 }
    // The first ones end early: it is not known yet how much may be in flight.
    for (const { transactions } of runAll(options, (topology) => ({ stages: [], end: topology.sink('none') })))
      expect(transactions!.mostOutputs).toBeGreaterThan(1.5 * options.partitions * MOST_OF_PARTITION)
  })

  test('in random topologies under random faults', () => {
    for (let seed = 1; seed <= TOPOLOGIES; seed += 1) {
      const { plan, faults, ...rest } = randomScenario(seed)
      if (combines(plan.flow)) continue
      const transaction = { ...TRANSACTION, intervalMs: 10 * (seed % 50), records: 1 + 7 * (seed % 30) }
      // Progress that cannot be read is progress that is lost.
      const scenario = { ...rest, plan: { ...plan, transaction }, faults: { ...faults, foreignProgress: 0 } }
      const world = new World(scenario)
      world.run(300_000)
      expect(world.isOver(), `seed ${seed}: ${world.describe()}`).toBe(true)
    }
  })
})

/** A batch that more than a sink sees is refused by the builder. */
function combines({ stages, end }: FlowPlan): boolean {
  const inside = stages.some(({ kind }, at) => kind === 'batch' && at < stages.length - 1)
  const before = end.kind === 'route' && stages.some(({ kind }) => kind === 'batch')
  return inside || before || (end.kind === 'route' && [...end.branches.values()].some(combines))
}
