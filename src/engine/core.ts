/**
 * What all stages share: the books. Every item ends here exactly once (`finish`), and a source record is settled when
 * all that came from it has ended. Invariant: records in = out + filtered + dead-lettered + skipped + returned + in flight.
 */
import { SeededRandom } from '../control/random.ts'
import { type Column, columnAt, type DeadLetter, type Sink } from '../model/connector.ts'
import { HeadgateError } from '../model/errors.ts'
import type { FailurePolicy, TransactionPlan } from '../model/plan.ts'
import type { RecordCounts } from '../model/status.ts'
import type { Admission } from './admission.ts'
import { Chunk, type Refs } from './chunk.ts'
import type { Command, Ports } from './commands.ts'
import { Failures } from './failures.ts'
import { Histogram } from './histogram.ts'
import { DEAD_LETTERED, FILTERED, Item, leaveLanes, membersOf, RETURNED, SKIPPED, WRITTEN } from './item.ts'
import type { LimiterPool } from './limiter-pool.ts'
import type { Lot } from './lot.ts'
import type { Partition } from './partition.ts'
import type { Inlet } from './stage.ts'
import { Transaction } from './transaction.ts'

export class Core {
  readonly ports: Ports
  readonly admission: Admission
  readonly random: SeededRandom
  readonly counts: RecordCounts = { in: 0, out: 0, filtered: 0, deadLettered: 0, skipped: 0, returned: 0, inFlight: 0 }
  /**
   * Items that are open: a record that was admitted is one, each output of a `flatMap` one more, a batch one in place of its
   * members. What the stages hold adds up to it at all times.
   */
  openItems = 0
  /** From the source's timestamp to completion. */
  readonly latency = new Histogram()
  /** How long attempts or writes take, by the name of their stage. */
  readonly stageLatencies = new Map<string, Histogram>()
  readonly failures = new Failures()
  readonly deadLetters = new Map<Sink<DeadLetter>, Inlet>()
  /** By the name of the limiter that stages share, or of the stage that has its own. */
  readonly limiters = new Map<string, LimiterPool>()
  /** Null where records are delivered at least once. */
  readonly transaction: Transaction | null
  commands: Command[] = []
  /** Of the items that are being settled; the array is kept, so that it is not grown each time. */
  readonly #rows: number[] = []
  /** Engine time + this = epoch time. */
  wallOffsetMs: number
  /** Moves on within a loop as synchronous stages run. */
  nowMs: number
  /** When the present loop began: slots are charged from here, so that starts and ends fit together. */
  loopMs: number
  /** Nothing new is started; what was started is finished. */
  draining = false
  /** Nothing new is pulled; what is in flight goes on. */
  paused = false
  /** No more input will come: what waits to be filled up goes as it is. */
  flushing = false
  /** No call is started any more; what has been called for is still written. */
  halted = false
  /** Nothing is tried again: what fails now is given back. */
  givesUp = false
  failure: HeadgateError | null = null
  /** Set by `halt` until the engine has taken out what waits: nothing moves in between. */
  failedNow = false

  constructor(
    ports: Ports,
    admission: Admission,
    seed: number,
    nowMs: number,
    wallOffsetMs: number,
    transaction?: TransactionPlan,
  ) {
    this.ports = ports
    this.admission = admission
    this.random = new SeededRandom(seed)
    this.nowMs = nowMs
    this.loopMs = nowMs
    this.wallOffsetMs = wallOffsetMs
    this.transaction = transaction === undefined ? null : new Transaction(this, transaction)
  }

  latencyOf(stage: string): Histogram {
    const latency = new Histogram()
    this.stageLatencies.set(stage, latency)
    return latency
  }

  admitted(records: number): void {
    this.counts.inFlight += records
    this.openItems += records
  }

  /** The item has ended; it leaves its lane, and its record is settled if nothing else of it is open. */
  finish(item: Item, fate: number): void {
    this.openItems -= 1
    this.#end(item, fate)
  }

  #end(item: Item, fate: number): void {
    leaveLanes(item)
    const { root, partition } = item
    if (fate === RETURNED && root.members === null && !partition.fenced) partition.gaveBack(root.key, root.sequence)
    root.fate |= fate
    root.pending -= 1
    if (root.pending > 0) return
    if (root.members === null) this.#settle(root)
    else for (const member of root.members) this.#end(member, root.fate)
  }

  /** The item cannot be completed: the policy says what becomes of its records. */
  fail(item: Item, error: HeadgateError, stage: string, policy: FailurePolicy): void {
    this.failures.note(item, error, stage, this.nowMs)
    if (error.scope === 'pipeline' || policy.kind === 'stop') {
      this.halt(describeFailure(item, error, stage))
      this.finish(item, RETURNED)
    } else if (policy.kind === 'skip') {
      this.finish(item, SKIPPED)
    } else {
      const failure = { error, stage, attempts: Math.max(1, item.attempt) }
      const letters = item.root.members === null ? [item] : lettersOf(item)
      for (const letter of letters) letter.failure = failure
      if (item.root.members !== null) this.openItems += letters.length
      ;(this.deadLetters.get(policy.sink) as Inlet).offer(Chunk.ofItems(letters), this.nowMs)
      if (item.root.members !== null) this.finish(item, DEAD_LETTERED)
    }
  }

  /** The pipeline stops: nothing more is pulled or started; what is in progress may settle. */
  halt(error: HeadgateError): void {
    this.failedNow ||= !this.halted
    this.halted = true
    this.failure ??= error
  }

  /** Whether a policy could take a failed item now. A dead-letter sink that is down stalls its stages. */
  canFail(policy: FailurePolicy): boolean {
    return policy.kind !== 'deadLetter' || (this.deadLetters.get(policy.sink) as Inlet).room() > 0
  }

  /** All of these have ended; the rows of a lot are settled without an item for each. `bytes`: what they weigh. */
  finishAll(lot: Lot | null, refs: Refs, bytes: number, fate: number): void {
    this.openItems -= refs.length
    if (lot === null) {
      this.#finishItems(refs as Item[], fate)
    } else {
      lot.leaveLanes(refs as number[])
      this.#finishRows(lot, refs as number[], bytes, fate)
    }
  }

  /** Items that are the whole of their record leave their lanes and are settled together with their neighbours of the same lot. */
  #finishItems(items: readonly Item[], fate: number): void {
    const rows = this.#rows
    let lot: Lot | null = null
    let count = 0
    let bytes = 0
    for (let at = 0; at < items.length; at += 1) {
      const item = items[at] as Item
      if (item.root !== item || item.pending !== 1 || item.fate !== 0 || item.members !== null) {
        this.#end(item, fate)
        continue
      }
      leaveLanes(item)
      if (item.lot !== lot) {
        if (lot !== null) this.#finishRows(lot, rows.slice(0, count), bytes, fate)
        lot = item.lot
        count = 0
        bytes = 0
      }
      item.pending = 0
      rows[count] = item.row
      count += 1
      bytes += item.bytes
    }
    if (lot !== null) this.#finishRows(lot, rows.slice(0, count), bytes, fate)
  }

  #finishRows(lot: Lot, rows: readonly number[], bytes: number, fate: number): void {
    const { partition, span } = lot
    this.#release(partition, rows.length, bytes)
    if (partition.fenced) {
      this.counts.returned += rows.length
      return
    }
    if (!partition.ledger.completeAll(span, rows)) throw settledTwice()
    this.#count(fate, rows.length)
    this.#recordLatencies(lot.columns.timestampsMs, rows)
  }

  /** Records of one pull tend to have the same time: each run of them is recorded at once. */
  #recordLatencies(timestampsMs: Column, rows: readonly number[]): void {
    const nowMs = this.nowMs + this.wallOffsetMs
    if (typeof timestampsMs === 'number') {
      this.latency.record(nowMs - timestampsMs, rows.length)
      return
    }
    let timeMs = timestampsMs[rows[0] as number] as number
    let alike = 0
    for (let at = 0; at < rows.length; at += 1) {
      const nextMs = timestampsMs[rows[at] as number] as number
      if (nextMs !== timeMs) {
        this.latency.record(nowMs - timeMs, alike)
        timeMs = nextMs
        alike = 0
      }
      alike += 1
    }
    this.latency.record(nowMs - timeMs, alike)
  }

  #settle({ lot, row, fate, bytes }: Item): void {
    const { partition } = lot
    this.#release(partition, 1, bytes)
    if (partition.fenced || (fate & RETURNED) !== 0) {
      this.counts.returned += 1
      return
    }
    if (!partition.ledger.complete(lot.span, row)) throw settledTwice()
    this.#count(fate, 1)
    this.latency.record(this.nowMs + this.wallOffsetMs - columnAt(lot.columns.timestampsMs, row))
  }

  #release(partition: Partition, records: number, bytes: number): void {
    partition.inFlight -= records
    partition.inFlightBytes -= bytes
    this.admission.release(records, bytes)
    this.counts.inFlight -= records
  }

  #count(fate: number, records: number): void {
    const { counts } = this
    if ((fate & DEAD_LETTERED) !== 0) counts.deadLettered += records
    else if ((fate & WRITTEN) !== 0) counts.out += records
    else if ((fate & SKIPPED) !== 0) counts.skipped += records
    else if ((fate & FILTERED) !== 0) counts.filtered += records
    else throw new HeadgateError('HG_INVARIANT', 'a record was settled without an outcome')
    this.admission.throughput.completed(records)
  }
}

function settledTwice(): HeadgateError {
  return new HeadgateError('HG_INVARIANT', 'a record was settled twice')
}

/** One item for each record of a batch, so that each gets a dead letter of its own. */
function lettersOf(item: Item): Item[] {
  return membersOf(item).map(({ lot, row }) => {
    item.root.pending += 1
    return new Item(item.root, lot, row, lot.recordAt(row).value)
  })
}

function describeFailure(item: Item, error: HeadgateError, stage: string): HeadgateError {
  const { partition, offset } = item.record
  const attempts = item.attempt > 1 ? ` after ${item.attempt} attempts` : ''
  const happened = `stage '${stage}' failed for the record at ${partition}@${offset}${attempts}: ${error.message}`
  const left = 'The pipeline stopped and the record stays uncommitted.'
  // What concerns the whole pipeline stops it under every policy.
  const advice = ' To go on past such records set onFailure to deadLetter(sink) or skip().'
  return new HeadgateError(error.code, `${happened}. ${left}${error.scope === 'pipeline' ? '' : advice}`, {
    cause: error,
  })
}
