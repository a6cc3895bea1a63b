/**
 * The writes of one sink stage in the open transaction: what they stored stays in flight until it ends, and goes back
 * to the head of the stage's queue when it was not committed. `sink.ts` has one of these in an exactly-once pipeline.
 * Invariant: every chunk that is held is either committed or done again (or given back), exactly once.
 */
import type { WriteResult } from '../model/connector.ts'
import { classify, type HeadgateError } from '../model/errors.ts'
import type { SinkPlan } from '../model/plan.ts'
import { retryAfterOf } from './attempt.ts'
import { Chunk } from './chunk.ts'
import type { ChunkQueue } from './chunk-queue.ts'
import type { Core } from './core.ts'
import { type Item, isFenced, RETURNED } from './item.ts'
import { type Place, place } from './place.ts'
import { miscounted, rejected } from './sink-error.ts'
import type { StageMeter } from './stage-meter.ts'
import type { Participant, Transaction } from './transaction.ts'
import type { Write } from './write.ts'

/** What of a sink stage its writes need. */
export interface SinkSide {
  readonly plan: SinkPlan
  readonly queue: ChunkQueue
  readonly meter: StageMeter
  /** A dead letter always has another attempt. */
  readonly takesDeadLetters: boolean
  succeeded(chunks: readonly Chunk[], records: number): void
}

export class TransactedWrites implements Participant {
  readonly #core: Core
  readonly #transaction: Transaction
  readonly #sink: SinkSide
  #records = 0
  #bytes = 0

  constructor(core: Core, transaction: Transaction, sink: SinkSide) {
    this.#core = core
    this.#transaction = transaction
    this.#sink = sink
  }

  /** Records that were written and wait for the end of the transaction. */
  get records(): number {
    return this.#records
  }

  /** Nothing is taken any more. */
  get over(): boolean {
    return this.#transaction.over
  }

  gate(nowMs: number): 'transaction' | 'backoff' | null {
    return this.#transaction.gate(nowMs)
  }

  started(write: Write): void {
    this.#transaction.join(this, write)
  }

  /** A write ended: what failed takes the transaction with it, what was rejected leaves it. */
  ended(write: Write, result: WriteResult | { readonly threw: unknown }): void {
    if (result === 'written') {
      for (const { lot, refs } of write.chunks) if (lot === null) for (const item of refs as Item[]) leaveLane(item)
      this.#hold(write, write.chunks)
      return
    }
    const threw = 'threw' in result
    if (!threw && result.length !== write.records) {
      this.#core.halt(miscounted(this.#sink.plan.name, result.length, write.records))
      this.#transaction.doom(0)
    }
    const kept: Item[] = []
    for (const [at, item] of write.toItems().entries()) {
      const outcome = threw ? ({ kind: 'failed', error: result.threw } as const) : result[at]
      const error = outcome === undefined || outcome.kind === 'written' ? null : classify(outcome.error)
      if (error === null) leaveLane(item)
      const refused = outcome?.kind === 'rejected' && !this.#sink.takesDeadLetters
      if (error === null || this.#keeps(item, error, refused)) kept.push(item)
    }
    this.#hold(write, kept.length > 0 ? [Chunk.ofItems(kept)] : [])
  }

  /** False when the item has failed for good: then it is not in the transaction any more. */
  #keeps(item: Item, error: HeadgateError, refused: boolean): boolean {
    const { meter, plan, takesDeadLetters } = this.#sink
    meter.failed(error.code, 1)
    if (!refused) {
      if (error.scope !== 'downstream') item.charged += 1
      this.#transaction.doom(retryAfterOf(error))
      if (takesDeadLetters || (error.retryable && item.charged < plan.retry.attempts)) return true
    }
    this.#transaction.leave(item)
    this.#core.fail(item, refused ? rejected(error) : error, plan.name, plan.onFailure)
    return false
  }

  #hold(write: Write, chunks: readonly Chunk[]): void {
    this.#transaction.hold(write, chunks)
    this.#count(chunks, 1)
  }

  #count(chunks: readonly Chunk[], by: 1 | -1): void {
    for (const { length, bytes } of chunks) {
      this.#records += by * length
      this.#bytes += by * bytes
    }
  }

  committed(chunks: readonly Chunk[]): void {
    this.#count(chunks, -1)
    let records = 0
    for (const { length } of chunks) records += length
    this.#sink.succeeded(chunks, records)
  }

  redo(chunks: readonly Chunk[]): void {
    this.#count(chunks, -1)
    const again: Item[] = []
    for (const item of chunks.flatMap((chunk) => chunk.toItems())) {
      item.attempt += 1
      const unwanted = this.#core.givesUp || isFenced(item) || (item.root.fate & RETURNED) !== 0
      if (unwanted) this.#core.finish(item, RETURNED)
      else again.push(item)
    }
    if (again.length > 0) this.#sink.queue.unshift(Chunk.ofItems(again))
  }

  place(): Place {
    const { records } = this.#core.admission.limits
    return place(this.#sink.plan.name, 'in-transaction', this.#records, this.#bytes, records)
  }
}

/** Others of the same key may go on: what follows is in this transaction too, or in a later one. */
function leaveLane(item: Item): void {
  const { lane } = item
  item.lane = null
  lane?.leave()
}
