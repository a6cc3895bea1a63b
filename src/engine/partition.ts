/**
 * One assignment of one partition: its ledger, what of it is in flight, and whether it is being given up. A partition
 * that comes back is a new object with a new epoch; whatever still refers to the old one finds it fenced.
 */
import { type Assignment, type Column, columnAt } from '../model/connector.ts'
import type { Order } from '../model/plan.ts'
import type { PartitionStatus } from '../model/status.ts'
import { decodeDoneSet } from './done-set.ts'
import { Ledger, type Span } from './ledger.ts'

/** What a commit covers of a partition. */
export interface Covered {
  readonly completed: number
  /** Of those, the ones that a restart would not repeat. */
  readonly stored: number
  /** Timestamp of the first record that it does not cover, epoch ms; null when it covers all that were delivered. */
  readonly oldestLeftMs: number | null
}

export class Partition {
  readonly name: string
  readonly epoch: number
  /** Which source it belongs to, and its number among all partitions ever assigned: queues use it as an index. */
  readonly sourceIndex: number
  readonly index: number
  readonly ledger: Ledger
  inFlight = 0
  inFlightBytes = 0
  /** No longer ours: results are discarded and nothing of it is committed. */
  fenced = false
  /** While it is being given up: when it is fenced at the latest. */
  revokeByMs: number | null = null
  /** Completions that the last successful commit covered. */
  committedCompleted = 0
  /** Of those, the ones that a restart would not repeat: all but what did not fit into the commit's metadata. */
  storedCompleted = 0
  #oldestUncommittedMs: number | null = null
  /** Timestamp of the first record that was delivered since the last commit was begun; null when none was. */
  #deliveredSinceMs: number | null = null
  /** The first sequence that was given back, of all and by key: an ordered sink writes no later one after that. */
  #returnedFrom = Number.POSITIVE_INFINITY
  readonly #returnedKeys = new Map<string, number>()
  /** True when the assignment's `doneAhead` was not ours to read. */
  readonly foreignProgress: boolean

  constructor(assignment: Assignment, sourceIndex: number, index: number) {
    this.name = assignment.partition
    this.epoch = assignment.epoch
    this.sourceIndex = sourceIndex
    this.index = index
    const { doneAhead, nextOffset } = assignment
    const prior = doneAhead === null ? [] : decodeDoneSet(nextOffset, doneAhead)
    this.foreignProgress = prior === null
    this.ledger = new Ledger(nextOffset, prior ?? [])
  }

  deliver(offsets: Float64Array, timestampsMs: Column): Span {
    const firstMs = columnAt(timestampsMs, 0)
    this.#oldestUncommittedMs ??= firstMs
    this.#deliveredSinceMs ??= firstMs
    return this.ledger.deliver(offsets, timestampsMs)
  }

  /** A commit of what is done by now is under way. */
  beginCommit(): void {
    this.#deliveredSinceMs = null
  }

  committed({ completed, stored, oldestLeftMs }: Covered): void {
    this.committedCompleted = completed
    this.storedCompleted = stored
    this.#oldestUncommittedMs = oldestLeftMs ?? this.#deliveredSinceMs
  }

  /** Timestamp of the first record that was delivered and that no commit is past, epoch ms; null when there is none. */
  get oldestUncommittedMs(): number | null {
    return this.#oldestUncommittedMs
  }

  /** A record is given back uncommitted although the partition is still ours: whoever comes next gets it again. */
  gaveBack(key: string | null, sequence: number): void {
    this.#returnedFrom = Math.min(this.#returnedFrom, sequence)
    if (key !== null) this.#returnedKeys.set(key, Math.min(this.#returnedKeys.get(key) ?? sequence, sequence))
  }

  get hasReturned(): boolean {
    return this.#returnedFrom !== Number.POSITIVE_INFINITY
  }

  /** Whether an earlier record of the same key (or partition) was given back: done now, this one would overtake it. */
  overtakes(order: Order, { sequence, key }: { readonly sequence: number; readonly key: string | null }): boolean {
    if (sequence <= this.#returnedFrom || order === 'none') return false
    return order === 'partition' || (key !== null && sequence > (this.#returnedKeys.get(key) ?? sequence))
  }

  /** Delivered and not stored by a commit: what a crash would repeat. */
  get uncommitted(): number {
    return this.ledger.delivered - this.storedCompleted
  }

  /** How much waits in the broker the engine cannot know. */
  status(): PartitionStatus {
    const { delivered, completed, nextOffset, oldestOpenMs } = this.ledger
    return {
      name: this.name,
      delivered,
      completed,
      inFlight: this.inFlight,
      uncommitted: completed - this.committedCompleted,
      watermark: nextOffset,
      oldestOpenMs,
      oldestUncommittedMs: this.#oldestUncommittedMs,
      backlogRecords: null,
    }
  }

  /** Something completed that no commit has stored. */
  get dirty(): boolean {
    return this.ledger.completed !== this.committedCompleted
  }
}
