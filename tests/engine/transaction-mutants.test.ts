/**
 * Tests of the oracle for transactions: ways to get exactly-once wrong are put into the engine, one at a time, and the
 * simulated world has to notice each.
 */
import { expect, test } from 'vitest'
import { Ledger } from '../../src/engine/ledger.ts'
import { TransactedWrites } from '../../src/engine/transacted-writes.ts'
import { Transaction } from '../../src/engine/transaction.ts'
import { broken } from './patch.ts'
import { chain } from './scenarios.ts'
import { World } from './world.ts'

const SEEDS = 2
const TRANSACTION = { intervalMs: 60, records: 40, id: null, timeoutMs: 10_000 }

/** Records with several outputs, failing sinks, rebalances, crashes: what the oracle says first. */
function violation(): string {
  const faults = {
    sinkThrows: 0.1,
    commitFails: 0.2,
    revoke: 800,
    lose: 500,
    crash: 900,
    drain: 3000,
    handlerThrows: 0.1,
  }
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const options = { seed, faults, records: 80, keys: 10, handlerMs: 30, transaction: TRANSACTION, poison: 0.02 }
    const scenario = chain({ ...options, metadataBytes: seed % 2 === 0 ? 4096 : 7 }, (topology) => ({
      stages: [topology.flatMap(), topology.call('none', { onFailure: topology.letters(), timeoutMs: 200 })],
      end: topology.sink('none', { onFailure: topology.letters() }),
    }))
    try {
      new World(scenario).run(100_000)
    } catch (thrown) {
      return (thrown as Error).message
    }
  }
  return 'nothing was noticed'
}

test('the engine itself passes the scenario that the mutants are caught with', { timeout: 120_000 }, () => {
  expect(violation()).toBe('nothing was noticed')
})

const MUTANTS: readonly { readonly name: string; readonly caught: RegExp; readonly run: () => string }[] = [
  {
    name: 'a transaction is committed with a part of the outputs of a record',
    caught: /promise (1|11)/,
    run: () => broken(Transaction, 'join', (join) => forgetful(join) as never, violation),
  },
  {
    name: 'progress is stored that leaves out what does not fit',
    caught: /promise 11/,
    run: () =>
      broken(
        Ledger,
        'proposedPosition',
        (proposed) =>
          function (this: Ledger, maxBytes: number) {
            const position = (proposed as Ledger['proposedPosition']).call(this, Number.POSITIVE_INFINITY)
            const { doneAhead } = position as NonNullable<typeof position>
            return { ...position, doneAhead: doneAhead !== null && doneAhead.length > maxBytes ? null : doneAhead }
          } as never,
        violation,
      ),
  },
  {
    name: 'the progress of a transaction leaves out its own records',
    caught: /promise (11|17)|the pipeline failed/,
    run: () => broken(Ledger, 'propose', () => (() => {}) as never, violation),
  },
  {
    name: 'an aborted transaction is not made again',
    caught: /promise (1|5|7|17|20)/,
    run: () =>
      broken(
        TransactedWrites,
        'redo',
        () =>
          function (this: TransactedWrites, ...given: never[]) {
            ;(this.committed as (...all: unknown[]) => void).call(this, ...given)
          } as never,
        violation,
      ),
  },
]

/** Every output counts as all that there is of its record. */
function forgetful(join: unknown) {
  return function (this: Transaction, ...given: Parameters<Transaction['join']>): void {
    ;(join as Transaction['join']).apply(this, given)
    for (const { lot, refs } of given[1].chunks)
      if (lot === null) for (const item of refs) if (typeof item !== 'number') item.root.joined = 1_000
  }
}

for (const { name, caught, run } of MUTANTS)
  test(`the oracle notices when ${name}`, { timeout: 120_000 }, () => {
    expect(run()).toMatch(caught)
  })
