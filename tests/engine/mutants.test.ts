/**
 * Tests of the oracle: each known bug of other consumers is put back into the engine, one at a time, and the simulated
 * world has to notice it within a few seeds. A mutant that survives means that the oracle is blind somewhere.
 */
import { expect, test } from 'vitest'
import { FixedLimiter } from '../../src/control/fixed-limiter.ts'
import { RateLimit } from '../../src/control/rate.ts'
import { RetryBudget } from '../../src/control/retry-budget.ts'
import { Admission } from '../../src/engine/admission.ts'
import { Engine } from '../../src/engine/engine.ts'
import { Intake } from '../../src/engine/intake.ts'
import { Item } from '../../src/engine/item.ts'
import { Lane, Lanes } from '../../src/engine/lanes.ts'
import { Ledger } from '../../src/engine/ledger.ts'
import { Partition } from '../../src/engine/partition.ts'
import { Retries } from '../../src/engine/retries.ts'
import { SinkStage } from '../../src/engine/sink.ts'
import type { WriteOutcome } from '../../src/model/connector.ts'
import type { HeadgateError } from '../../src/model/errors.ts'
import { broken } from './patch.ts'
import { chain } from './scenarios.ts'
import { type Scenario, World } from './world.ts'

const SEEDS = 6

/** Everything at once: keyed calls and writes, dead letters, rates, rebalances, crashes. */
function busy(seed: number): Scenario {
  const faults = {
    handlerThrows: 0.1,
    handlerOverloaded: 0.03,
    handlerHangs: 0.01,
    sinkThrows: 0.05,
    sinkPartial: 0.1,
    letterFails: 0.3,
    commitFails: 0.05,
    revoke: 1500,
    lose: 1500,
    crash: 1500,
    drain: 4000,
  }
  const options = {
    seed,
    faults,
    poison: 0.05,
    records: 150,
    keys: 10,
    handlerMs: 30,
    metadataBytes: seed % 2 === 0 ? 4096 : 0,
  }
  return chain({ ...options, admission: { records: 60, uncommittedRecords: 40 } }, (topology) => {
    const onFailure = topology.letters()
    const stages = [
      topology.sync('filter'),
      topology.call('key', {
        concurrency: { kind: 'fixed', limit: 3 },
        rate: { perSecond: 150, burst: 5 },
        timeoutMs: 300,
        onFailure,
      }),
    ]
    return { stages, end: topology.sink('key', { onFailure }, { atomic: false, maxBatchRecords: 10 }) }
  })
}

/** What the oracle says of a broken engine: the first violation, in so many seeds from the first one on. */
function violation(first = 1): string {
  for (let seed = first; seed < first + SEEDS; seed += 1) {
    try {
      new World(busy(seed)).run(50_000)
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  return 'nothing was noticed'
}

test('the engine itself passes the scenario that the mutants are caught with', () => {
  expect(violation()).toBe('nothing was noticed')
})

const wrote = SinkStage.prototype.wrote

interface Mutant {
  readonly name: string
  readonly caught: RegExp
  readonly run: () => string
}

const MUTANTS: readonly Mutant[] = [
  {
    name: 'the highest offset seen is committed (parallel-consumer#826)',
    caught: /promise [12]/,
    run: () => {
      const seen = new WeakMap<Ledger, number>()
      return broken(
        Ledger,
        'deliver',
        (deliver) =>
          function (this: Ledger, offsets: Float64Array, timestampsMs: Float64Array) {
            seen.set(this, offsets.at(-1) as number)
            return (deliver as Ledger['deliver']).call(this, offsets, timestampsMs)
          } as never,
        () =>
          broken(
            Ledger,
            'nextOffset',
            (nextOffset) =>
              function (this: Ledger) {
                const last = seen.get(this)
                return last === undefined ? nextOffset.call(this as never) : last + 1
              } as never,
            violation,
          ),
      )
    },
  },
  {
    name: 'the done-ahead set claims what is still open',
    caught: /promise 1/,
    run: () =>
      broken(
        Ledger,
        'runs',
        (runs) =>
          function (this: Ledger) {
            const [start, ...rest] = (runs as Ledger['runs']).call(this)
            return start === undefined ? [] : [start, rest.at(-1) as number]
          } as never,
        violation,
      ),
  },
  {
    name: 'a commit goes back (vector#9587)',
    caught: /promise 3/,
    run: () => {
      let calls = 0
      return broken(
        Ledger,
        'nextOffset',
        (nextOffset) =>
          function (this: Ledger) {
            calls += 1
            return Math.max(0, (nextOffset.call(this as never) as number) - (calls % 5 === 0 ? 3 : 0))
          } as never,
        violation,
      )
    },
  },
  {
    name: 'a failed write counts as written (vector#24543)',
    caught: /promise [19]/,
    run: () =>
      broken(
        SinkStage,
        'wrote',
        () =>
          function (this: SinkStage, write: never, nowMs: never, result: never) {
            const isLetter = this.name.startsWith('dead-letter:')
            wrote.call(this, write, nowMs, isLetter ? result : 'written')
          } as never,
        violation,
      ),
  },
  {
    name: 'the failed records of a partly written batch are forgotten (redpanda-data/connect#4009)',
    // Stored progress covers one of them, or what follows it in its key is stored.
    caught: /promise [19]/,
    run: () =>
      broken(
        SinkStage,
        'wrote',
        () =>
          function (this: SinkStage, write: never, nowMs: never, result: never) {
            const outcomes = result as WriteOutcome[] | string
            wrote.call(this, write, nowMs, Array.isArray(outcomes) ? 'written' : result)
          } as never,
        violation,
      ),
  },
  {
    name: 'a record is dropped when the dead-letter sink fails (dapr#8284)',
    caught: /promise [19]/,
    run: () =>
      broken(
        SinkStage,
        'wrote',
        () =>
          function (this: SinkStage, write: never, nowMs: never, result: never) {
            const isLetter = this.name.startsWith('dead-letter:')
            wrote.call(this, write, nowMs, isLetter ? 'written' : result)
          } as never,
        violation,
      ),
  },
  {
    name: 'credit is released twice',
    caught: /promise [67]/,
    run: () => {
      let calls = 0
      return broken(
        Admission,
        'release',
        (release) =>
          function (this: Admission, records: number, bytes: number) {
            calls += 1
            for (let left = calls % 50 === 0 ? 2 : 1; left > 0; left -= 1)
              (release as Admission['release']).call(this, records, bytes)
          } as never,
        violation,
      )
    },
  },
  {
    name: 'credit that was granted is not reserved',
    caught: /promise (6|7|10)/,
    run: () => broken(Admission, 'reserve', () => (() => {}) as never, violation),
  },
  {
    name: 'records between two attempts leave the intake bound (parallel-consumer#832)',
    caught: /promise [67]/,
    run: () => {
      let gate: Admission | undefined
      return broken(
        Admission,
        'admit',
        (admit) =>
          function (this: Admission, records: number, bytes: number) {
            gate = this
            ;(admit as Admission['admit']).call(this, records, bytes)
          } as never,
        () =>
          broken(
            Retries,
            'add',
            (add) =>
              function (this: Retries, item: Item, ...rest: never[]) {
                gate?.release(1, item.bytes)
                ;(add as (...all: unknown[]) => void).call(this, item, ...rest)
              } as never,
            violation,
          ),
      )
    },
  },
  {
    name: 'a lane is not left by a record that was retried',
    caught: /promise 17|less than nothing/,
    run: () =>
      broken(
        Lane,
        'leave',
        (leave) =>
          function (this: Lane) {
            const { holder } = this
            if (!(holder instanceof Item) || holder.attempt < 2) (leave as Lane['leave']).call(this)
            else holder.lane = null
          } as never,
        // The first six do not show it.
        () => violation(7),
      ),
  },
  {
    name: 'keys are not kept apart (redpanda-data/connect#4387)',
    caught: /promise 9/,
    run: () =>
      broken(
        Lanes,
        'enterRows',
        () => (() => {}) as never,
        () => broken(Lanes, 'enter', () => (() => true) as never, violation),
      ),
  },
  {
    name: 'what follows a record that was given back is written',
    caught: /promise 9/,
    run: () => broken(Partition, 'overtakes', () => (() => false) as never, stopping),
  },
  {
    name: 'a lost partition is committed (platformatic/kafka#223)',
    caught: /promise 4/,
    run: () => broken(Engine, 'lost', () => (() => {}) as never, violation),
  },
  {
    name: 'one stale partition fences all that were committed with it',
    caught: /promise (17|20)/,
    run: () =>
      broken(
        Intake,
        'committed',
        (committed) =>
          function (this: Intake, error: HeadgateError | null) {
            const stale = (committed as Intake['committed']).call(this, error)
            return error?.code === 'HG_FENCED' ? [...this.partitions.values()] : stale
          } as never,
        rebalancing,
      ),
  },
  {
    name: 'what was done ahead is done again after a restart',
    caught: /promise (5|7|20)/,
    run: () => broken(Ledger, 'wasDone', () => (() => false) as never, violation),
  },
  {
    name: 'records completed ahead count as committed although nothing stores them',
    caught: /promise 10/,
    run: () =>
      broken(
        Partition,
        'uncommitted',
        () =>
          function (this: Partition) {
            return this.ledger.delivered - this.committedCompleted
          } as never,
        violation,
      ),
  },
  {
    name: 'one call too many is started',
    caught: /promise 8/,
    run: () => {
      const inFlight = new WeakMap<FixedLimiter, number>()
      const count = (by: number) => (original: (this: never, ...args: never[]) => unknown) =>
        function (this: FixedLimiter, ...args: never[]) {
          inFlight.set(this, (inFlight.get(this) ?? 0) + by)
          return original.call(this as never, ...args)
        } as never
      const admit = function (this: FixedLimiter) {
        return (inFlight.get(this) ?? 0) <= this.limit ? 0 : Number.POSITIVE_INFINITY
      }
      return broken(FixedLimiter, 'sent', count(1), () =>
        broken(FixedLimiter, 'settled', count(-1), () =>
          broken(FixedLimiter, 'admit', () => admit as never, violation),
        ),
      )
    },
  },
  {
    name: 'retries do not take from the rate',
    caught: /promise 8/,
    run: () => broken(RateLimit, 'waitMs', () => (() => 0) as never, violation),
  },
  {
    name: 'an attempt is not charged',
    caught: /promise 1[67]/,
    run: () =>
      broken(
        Retries,
        'add',
        (add) =>
          function (this: Retries, item: Item, ...rest: never[]) {
            item.attempt = 0
            ;(add as (...all: unknown[]) => void).call(this, item, ...rest)
          } as never,
        violation,
      ),
  },
  {
    name: 'nobody wakes for a retry that is due',
    caught: /promise 17/,
    run: () => broken(Retries, 'nextDueMs', () => (() => Number.POSITIVE_INFINITY) as never, alone),
  },
  {
    name: 'a budget that is nearly full makes the loop spin',
    caught: /promise 17/,
    run: () => broken(RetryBudget, 'waitMs', () => (() => 1e-13) as never, violation),
  },
]

/** A sink that fails for good stops the pipeline while more of the same key is on its way. */
function stopping(): string {
  for (let seed = 1; seed <= SEEDS * 5; seed += 1) {
    const options = { seed, keys: 3, records: 60, handlerMs: 2, sinkMs: 40, faults: { sinkPartial: 0.4 } }
    const scenario = chain(options, (topology) => ({
      stages: [topology.call('key', { concurrency: { kind: 'fixed', limit: 20 }, rate: null })],
      end: topology.sink(
        'key',
        { onFailure: { kind: 'stop' }, queueRecords: 100, retry: { attempts: 2, backoff: QUICK } },
        { atomic: false },
      ),
    }))
    try {
      new World(scenario).run(50_000)
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  return 'nothing was noticed'
}

const QUICK = { baseMs: 1, maxMs: 5, factor: 2 }

function rebalancing(): string {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const options = { seed, partitions: 6, records: 200, spreadMs: 5000, faults: { revoke: 100 } }
    try {
      new World(chain(options, (topology) => ({ stages: [], end: topology.sink('none') }))).run(50_000)
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  return 'nothing was noticed'
}

/** One record that fails once: nothing else ever wakes the loop. */
function alone(): string {
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const options = { seed, partitions: 1, records: 3, finite: true, passes: 1, faults: { handlerThrows: 0.5 } }
    try {
      const flow = chain(options, (topology) => ({ stages: [topology.call('none')], end: topology.sink('none') }))
      new World(flow).run(50_000)
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  return 'nothing was noticed'
}

for (const { name, caught, run } of MUTANTS)
  test(`the oracle notices when ${name}`, () => {
    expect(run()).toMatch(caught)
  })
