/**
 * An item is what moves through the stages: a source record with its present value, one of the outputs that a
 * `flatMap` made of it, or a batch of items. The root is the item of the source record; it is settled when every item
 * that came from it has ended, and only then does the ledger hear of it.
 */
import { columnAt } from '../model/connector.ts'
import type { HeadgateError } from '../model/errors.ts'
import type { SourceRecord } from '../model/record.ts'
import type { HeldLane } from './held-lane.ts'
import type { Lot } from './lot.ts'
import type { Partition } from './partition.ts'

/** How an item ended; a root collects the bits of all that came from it. */
export const FILTERED = 1
export const WRITTEN = 2
export const SKIPPED = 4
export const DEAD_LETTERED = 8
export const RETURNED = 16

/** Why an item is on its way to the dead-letter sink. */
export interface Failure {
  readonly error: HeadgateError
  readonly stage: string
  readonly attempts: number
}

export class Item {
  readonly root: Item
  lot: Lot
  row: number
  value: unknown
  /** Of the record, as charged to the memory budget; of a batch, of all in it. */
  bytes: number
  /** Of a root: items that came from it and have not ended, itself included. */
  pending = 1
  /** Of a root: the bits of those that ended. */
  fate = 0
  /** Of a root: items that came from it and are in the open transaction. */
  joined = 0
  /** Of a root: a call was made for it, so draining finishes it rather than giving it back. */
  started = false
  /** Attempts at the present stage; `charged` are those that count against `retry.attempts`. */
  attempt = 0
  charged = 0
  failure: Failure | null = null
  /** The lane of its key, until it leaves the stage or ends, and who waits behind it there. */
  lane: HeldLane | null = null
  /** The last lane that it was in, until the item ends: it knows where items of its key go next. */
  lastLane: HeldLane | null = null
  laneNext: Item | null = null
  /** Of a batch: the items in it. */
  members: Item[] | null = null

  constructor(root: Item | null, lot: Lot, row: number, value: unknown) {
    this.root = root ?? this
    this.lot = lot
    this.row = row
    this.value = value
    this.bytes = columnAt(lot.columns.bytes, row)
    if (root === null && lot.hasLanes) this.#takeLane()
  }

  /** Nothing would be lost if it were a row with a value: all of its record, and it holds no key. */
  get isPlain(): boolean {
    return this.root === this && this.pending === 1 && this.lane === null && this.members === null && this.fate === 0
  }

  /** What the lot kept for the row goes with the item. */
  #takeLane(): void {
    const { lot, row } = this
    const lane = lot.laneAt(row)
    if (lane === null) return
    lot.setLane(row, null)
    this.lastLane = lane
    if (lane.isHeldByRow(lot, row)) lane.holdItem(this)
  }

  /** A plain item goes on as a row with its value, and nobody refers to the item any more. */
  leaveRow(): void {
    if (this.lastLane === null) return
    this.lot.setLane(this.row, this.lastLane)
    this.lastLane = null
  }

  /** It comes to another stage: attempts are counted by stage. */
  reset(): void {
    this.attempt = 0
    this.charged = 0
  }

  /** A plain item that nobody refers to any more stands for another row, instead of a new one. */
  become(lot: Lot, row: number, value: unknown): void {
    this.lot = lot
    this.row = row
    this.value = value
    this.bytes = columnAt(lot.columns.bytes, row)
    this.started = false
    this.reset()
    if (lot.hasLanes) this.#takeLane()
  }

  get partition(): Partition {
    return this.lot.partition
  }

  /** Of delivery, within the partition. */
  get sequence(): number {
    return this.lot.span.firstSequence + this.row
  }

  get record(): SourceRecord {
    return this.lot.recordAt(this.row)
  }

  get key(): string | null {
    return this.lot.columns.keyAt(this.row)
  }
}

/** The item has ended: it holds no key any more, and where its key goes need not be known for its sake. */
export function leaveLanes(item: Item): void {
  if (item.lane !== null) item.lane.leave()
  if (item.lastLane === null) return
  item.lastLane.release()
  item.lastLane = null
}

/** One of several outputs of `parent`; the root stays open until it has ended too. */
export function childOf(parent: Item, value: unknown): Item {
  parent.root.pending += 1
  return new Item(parent.root, parent.lot, parent.row, value)
}

/** A batch as one item. It has no root of its own: what becomes of it becomes of its members. */
export function batchOf(members: Item[]): Item {
  const first = members[0] as Item
  const batch = new Item(
    null,
    first.lot,
    first.row,
    members.map((member) => member.value),
  )
  batch.members = members
  batch.bytes = members.reduce((sum, { bytes }) => sum + bytes, 0)
  return batch
}

/** Whether nothing that came from this item's records is wanted any more. A batch is, while one of its records is. */
export function isFenced(item: Item): boolean {
  const { members } = item.root
  return members === null ? item.partition.fenced : members.every(isFenced)
}

/** Whether all of this item's records belong to partitions that are being given up. */
export function isRevoking(item: Item): boolean {
  const { members } = item.root
  return members === null ? item.partition.revokeByMs !== null : members.every(isRevoking)
}

export function isStarted(item: Item): boolean {
  const { members } = item.root
  return members === null ? item.root.started : members.some(isStarted)
}

export function markStarted(item: Item): void {
  const { members } = item.root
  if (members === null) item.root.started = true
  else for (const member of members) markStarted(member)
}

/** The items that an item stands for: itself, or those of a batch. */
export function membersOf(item: Item): Item[] {
  const { members } = item.root
  return members === null ? [item] : members.flatMap(membersOf)
}
