/**
 * Each promise with a pipeline and with faults that press hard on it, with one seed and few records, or ten seeds and more with `HEADGATE_LONG=1`. The
 * oracle checks all promises at every step anyway; what is asserted here beside that is what one promise is about.
 */
import { describe, expect, test } from 'vitest'
import { BatchStage } from '../../src/engine/batch.ts'
import type { Command } from '../../src/engine/commands.ts'
import { LONG } from '../fixtures/long.ts'
import type { Faults } from './faults.ts'
import { broken } from './patch.ts'
import { type ChainOptions, CRASHES, callAndWrite, chain, REBALANCES } from './scenarios.ts'
import type { Topology } from './topology.ts'
import { type Scenario, World } from './world.ts'

const SEEDS = LONG ? [1, 2, 3, 4, 5, 6, 7, 8, 9, 10] : [1]
/** Of each partition, where a scenario says nothing else. */
const RECORDS = LONG ? 300 : 150

const DOWNSTREAM: Partial<Faults> = {
  handlerThrows: 0.1,
  handlerOverloaded: 0.05,
  handlerLosesConnection: 0.05,
  handlerHangs: 0.01,
  handlerLate: 0.2,
  sinkThrows: 0.05,
  sinkPartial: 0.05,
  sinkLosesReply: 0.05,
  commitFails: 0.1,
  commitLosesReply: 0.1,
  pullFails: 0.05,
}

/** Runs the scenario for every seed to its end, and gives the worlds back. */
function runAll(options: ChainOptions, flow: Parameters<typeof chain>[1], more: Partial<Scenario> = {}): World[] {
  return SEEDS.map((seed) => {
    const world = new World(chain({ seed, records: RECORDS, ...options }, flow, more))
    world.run(200_000)
    expect(world.isOver(), `seed ${seed}`).toBe(true)
    return world
  })
}

function sum(worlds: readonly World[], name: string): number {
  return worlds.reduce((total, { hits }) => total + (hits.get(name) ?? 0), 0)
}

describe('in the simulated world', { timeout: 120_000 }, () => {
  test('promise 1: nothing is committed before all that it causes is durable, with replies lost and processes killed', () => {
    const worlds = runAll({ records: 300, faults: { ...DOWNSTREAM, ...CRASHES }, poison: 0.03 }, callAndWrite('none'))
    expect(sum(worlds, 'crash')).toBeGreaterThan(0)
    expect(sum(worlds, 'sinkLosesReply')).toBeGreaterThan(0)
  })

  test('promise 1: every output of a record counts, over branches and expansions', () => {
    runAll({ faults: { ...DOWNSTREAM, ...CRASHES }, records: 100, poison: 0.02 }, (topology) => ({
      stages: [topology.flatMap(), topology.call('none', { onFailure: topology.letters() })],
      end: topology.route(1, 'none'),
    }))
  })

  describe('the waiting places add up to what was admitted', () => {
    /** Several items of a record, and several records in one item, that a call may fail and a dead-letter sink takes one by one. */
    const fansOutAndIn = (topology: Topology) => {
      const onFailure = topology.letters()
      const call = topology.call('none', { onFailure })
      return { stages: [topology.flatMap(), topology.batch(), call], end: topology.sink('none', { onFailure }) }
    }
    const options = { faults: { ...DOWNSTREAM, ...REBALANCES, letterFails: 0.3 }, records: 100, poison: 0.05 }

    test('in items, where a record is several of them or a batch is one', () => {
      const worlds = runAll(options, fansOutAndIn)
      expect(sum(worlds, 'letterFails')).toBeGreaterThan(0)
    })

    test.each([
      ['hides an item', -1],
      ['still counts one that it has handed over', 1],
    ])('and the oracle notices a batch that %s', (_, off) => {
      const places = (original: (this: never) => unknown) =>
        function (this: never) {
          const [only] = original.call(this) as [{ records: number }]
          return [{ ...only, records: only.records > 0 ? only.records + off : 0 }]
        }
      const run = (): unknown => broken(BatchStage, 'places', places, () => runAll(options, fansOutAndIn))
      expect(run).toThrow(/places hold/)
    })
  })

  test('promise 2: the committed position is the contiguous prefix of what was delivered, over gaps in the offsets', () => {
    const worlds = runAll({ gaps: 0.6, faults: DOWNSTREAM }, callAndWrite('none'))
    for (const { scenario } of worlds)
      for (const { partitions } of scenario.brokers)
        for (const { nextOffset, end, ahead } of partitions) expect([nextOffset, ahead]).toEqual([end, []])
  })

  test('promise 3: a commit never moves backward, whatever becomes of the commits before it', () => {
    const furthest = new Map<string, number>()
    const onCommand = (command: Command): void => {
      if (command.kind !== 'commit') return
      for (const { partition, epoch, nextOffset } of command.positions) {
        const key = `${partition} ${epoch}`
        expect(nextOffset).toBeGreaterThanOrEqual(furthest.get(key) ?? 0)
        furthest.set(key, nextOffset)
      }
    }
    for (const seed of SEEDS) {
      furthest.clear()
      const faults = { commitFails: 0.4, commitLosesReply: 0.4, ...REBALANCES }
      new World(chain({ seed, records: RECORDS, faults }, callAndWrite('none'), { onCommand })).run(200_000)
    }
  })

  test('promise 4: what an earlier assignment still has in hand is neither committed nor started again', () => {
    const worlds = runAll({ faults: { ...DOWNSTREAM, ...REBALANCES }, handlerMs: 80 }, callAndWrite('key'))
    expect(sum(worlds, 'lose')).toBeGreaterThan(0)
    expect(sum(worlds, 'revoke')).toBeGreaterThan(0)
  })

  test('promise 4: one partition that turns out stale in a commit does not take the others with it', () => {
    // Grace periods end while commits are under way: the broker refuses such a commit as a whole.
    const worlds = runAll(
      { partitions: 6, faults: { revoke: 150 }, records: 200, spreadMs: 5000 },
      callAndWrite('none'),
    )
    expect(sum(worlds, 'revoke')).toBeGreaterThan(20)
  })

  test('promise 5: each record ends exactly once, and none runs again that was committed as done', () => {
    const faults = { ...DOWNSTREAM, ...CRASHES, ...REBALANCES }
    const worlds = runAll({ faults, poison: 0.05 }, callAndWrite('none', 'skip'))
    for (const { scenario } of worlds)
      for (const { partitions } of scenario.brokers)
        for (const { records } of partitions) for (const record of records) expect(record.done).toBe(true)
  })

  test('promise 6: records and bytes in memory stay within their bounds, with what was granted counted', () => {
    runAll(
      { sources: 3, admission: { records: 20, bytes: 5000 }, maxBytes: 2000, records: 100, faults: DOWNSTREAM },
      callAndWrite('none'),
    )
  })

  test('promise 7: credit comes back exactly once on success, failure, abort and revocation', () => {
    const faults = { ...DOWNSTREAM, ...REBALANCES, pullFails: 0.2 }
    for (const world of runAll({ faults, poison: 0.05 }, callAndWrite('key'))) {
      const { admission, records } = world.engine.snapshot()
      expect(admission.records).toBe(records.inFlight)
    }
  })

  test('promise 8: calls in progress and starts in any window stay within their limits, retries included', () => {
    runAll({ faults: { ...DOWNSTREAM, limits: 500 } }, (topology) => ({
      stages: [
        topology.call('none', {
          concurrency: { kind: 'fixed', limit: 7 },
          rate: { perSecond: 100, burst: 5 },
          timeoutMs: 100,
        }),
      ],
      end: topology.sink('none', {}, { maxInFlightWrites: 2 }),
    }))
  })

  test('promise 9: a record of a key starts only after the one before it has ended, also across restarts', () => {
    const faults = { ...DOWNSTREAM, ...REBALANCES, ...CRASHES }
    for (const policy of ['letters', 'skip', 'stop'] as const)
      for (const atomic of [true, false])
        runAll({ faults, keys: 5, records: 60, poison: policy === 'stop' ? 0.005 : 0.03 }, (topology) => {
          const onFailure = policy === 'letters' ? topology.letters() : ({ kind: policy } as const)
          const stages = [topology.call('key', { onFailure }), topology.call('key', { onFailure })]
          return { stages, end: topology.sink('key', { onFailure }, { atomic }) }
        })
  })

  test('promise 9: a record of a partition starts only after the one before it has ended', () => {
    const faults = { ...DOWNSTREAM, ...REBALANCES, ...CRASHES }
    runAll({ faults, records: 40 }, callAndWrite('partition'))
  })

  test.each([0, 4096, Number.POSITIVE_INFINITY])(
    'promise 10: a crash repeats no more than the bound, with room for %d bytes of progress in a commit',
    (metadataBytes) => {
      const worlds = runAll(
        { metadataBytes, admission: { uncommittedRecords: 10 }, faults: { ...DOWNSTREAM, crash: 400 } },
        callAndWrite('none'),
      )
      expect(sum(worlds, 'crash')).toBeGreaterThan(0)
    },
  )

  test('promise 13: a revoked partition is finished and committed within its grace, or fenced', () => {
    const pending = new Map<string, number>()
    for (const seed of SEEDS) {
      pending.clear()
      const scenario = chain({ seed, faults: { ...DOWNSTREAM, revoke: 300 } }, callAndWrite('none'), {
        mutant: (engine) => {
          const { revoked } = engine
          engine.revoked = (source, partitions, graceMs) => {
            for (const partition of partitions) pending.set(partition, engine.nowMs + graceMs)
            return revoked.call(engine, source, partitions, graceMs)
          }
        },
        onCommand: (command, nowMs) => {
          if (command.kind !== 'released') return
          // A loop that is late by the time that synchronous stages took is no later than that.
          expect(nowMs).toBeLessThanOrEqual((pending.get(command.partition) as number) + 5)
          pending.delete(command.partition)
        },
      })
      const world = new World(scenario)
      world.run(200_000)
      expect(world.isOver()).toBe(true)
    }
  })

  test('promise 14: a drain pulls no more, finishes what was started and gives back the rest', () => {
    let givenBack = 0
    for (const seed of SEEDS) {
      const commands: string[] = []
      let draining = false
      const onCommand = ({ kind }: Command): void => {
        if (draining) commands.push(kind)
      }
      const world = new World(chain({ seed, handlerMs: 100 }, callAndWrite('none'), { onCommand }))
      world.run(60)
      const { engine } = world
      expect(engine.inFlight).toBeGreaterThan(0)
      world.drain()
      draining = true
      while (world.restarts === 0) world.step()
      draining = false
      expect(commands).not.toContain('pull')
      const { returned, inFlight } = engine.snapshot().records
      expect(inFlight).toBe(0)
      givenBack += returned
      world.run()
    }
    expect(givenBack).toBeGreaterThan(0)
  })

  test('promise 14: a hard stop ends at once, and what it aborts is given back, never failed', () => {
    for (const seed of SEEDS) {
      // One attempt, and a policy that drops what has failed: an abort must not count as a failure.
      const scenario = chain({ seed, handlerMs: 500 }, (topology) => ({
        stages: [
          topology.call('none', {
            timeoutMs: 60_000,
            concurrency: { kind: 'fixed', limit: 50 },
            retry: { attempts: 1, backoff: { baseMs: 1, maxMs: 1, factor: 1 }, budget: 1 },
            onFailure: { kind: 'skip' },
          }),
        ],
        end: topology.sink('none'),
      }))
      const world = new World(scenario)
      world.run(20)
      const { engine } = world
      const before = engine.snapshot().records
      world.stop()
      while (world.restarts === 0) world.step()
      const after = engine.snapshot().records
      expect(after.inFlight).toBe(0)
      expect(after.skipped).toBe(before.skipped)
      expect(after.returned).toBeGreaterThan(0)
      world.run()
    }
  })

  test('promise 15: while the dead-letter sink is down records wait for it, and none is lost', () => {
    const worlds = runAll({ faults: { letterFails: 0.5, letterDown: 300 }, poison: 0.2 }, callAndWrite('key'))
    expect(sum(worlds, 'letterFails')).toBeGreaterThan(0)
    for (const { scenario } of worlds)
      for (const { partitions } of scenario.brokers)
        for (const { nextOffset, end } of partitions) expect(nextOffset).toBe(end)
  })

  test("promise 16: a record's own failures use up its attempts, and no others do", () => {
    const attempts = new Map<string, number>()
    for (const seed of SEEDS) {
      attempts.clear()
      const onCommand = (command: Command): void => {
        if (command.kind !== 'call') return
        for (const { item } of command.slots) {
          const { partition, offset } = (item as NonNullable<typeof item>).record
          attempts.set(`${partition}@${offset}`, (item as NonNullable<typeof item>).attempt)
        }
      }
      const flow = (topology: Topology) => ({
        stages: [
          topology.call('none', {
            timeoutMs: 60_000,
            rate: null,
            retry: { attempts: 3, backoff: { baseMs: 10, maxMs: 100, factor: 2 }, budget: 1 },
            onFailure: { kind: 'skip' },
          }),
        ],
        end: topology.sink('none'),
      })
      const world = new World(chain({ seed, faults: { handlerThrows: 0.5 } }, flow, { onCommand }))
      world.run(200_000)
      expect(Math.max(...attempts.values())).toBe(3)
    }
  })

  test('promise 17: with faults over, a backlog never waits while there is credit for it', () => {
    for (const world of runAll({ faults: { ...DOWNSTREAM, callsDown: 500, sinkDown: 700 } }, callAndWrite('key')))
      expect(world.nowMs).toBeLessThan(120_000)
  })

  test('promise 17: stored progress that fills the metadata space does not stop a partition after a restart', () => {
    // Few bytes and many gaps: what one run leaves behind is more than three quarters of the space.
    const worlds = runAll(
      { metadataBytes: 16, gaps: 0.5, partitions: 1, records: 400, faults: { ...DOWNSTREAM, crash: 300 } },
      callAndWrite('none'),
    )
    expect(sum(worlds, 'crash')).toBeGreaterThan(0)
  })

  test('promise 20: received is written, filtered, dead-lettered, skipped, returned or in flight at every step', () => {
    const faults = { ...DOWNSTREAM, ...REBALANCES, ...CRASHES }
    for (const world of runAll({ faults, poison: 0.05 }, callAndWrite('none'))) {
      const { in: received, out, filtered, deadLettered, skipped, returned, inFlight } = world.engine.snapshot().records
      expect(received).toBe(out + filtered + deadLettered + skipped + returned + inFlight)
    }
  })
})
