/**
 * One assignment of one partition: its ledger, what of it is in flight, and whether it is being given up. A partition
 * that comes back is a new object with a new epoch; whatever still refers to the old one finds it fenced.
 */
import type { Assignment } from '../model/connector.ts'
import type { Order } from '../model/plan.ts'
import type { PartitionStatus } from '../model/status.ts'
import { decodeDoneSet } from './done-set.ts'
import { Ledger } from './ledger.ts'

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
      backlogRecords: null,
    }
  }

  /** Something completed that no commit has stored. */
  get dirty(): boolean {
    return this.ledger.completed !== this.committedCompleted
  }
}
