/**
 * What moves between stages: values, and beside each what it belongs to: a row of a lot, or an item where a row is
 * not enough, because of its key's lane or since the value is not the whole of its record. A chunk holds one kind. A
 * row becomes an item when a stage needs one; a call stage gives back a row where it can.
 */
import { columnAt } from '../model/connector.ts'
import type { SourceRecord } from '../model/record.ts'
import { Item, membersOf } from './item.ts'
import type { Lot } from './lot.ts'
import type { Partition } from './partition.ts'

/** What synchronous stages take at a time: between two chunks others get their turn. */
export const CHUNK_RECORDS = 256

/** Rows of one lot, or items; never both. */
export type Refs = (number | Item)[]

const UNKNOWN = -1

/** What the records of these are charged to the memory budget. */
export function bytesOf(lot: Lot | null, refs: Refs): number {
  if (lot !== null) return lot.bytesOf(refs as number[])
  let bytes = 0
  for (const item of refs as Item[]) bytes += item.bytes
  return bytes
}

export class Chunk {
  /** Null when the chunk holds items. */
  readonly lot: Lot | null
  /** The present values; synchronous stages write them in place. */
  readonly values: unknown[]
  /** Beside each value its row in the lot, or its item. */
  readonly refs: Refs
  /** Of rows: a call was made for them, see `Item.started`. */
  readonly #started: boolean
  #bytes = UNKNOWN

  private constructor(lot: Lot | null, refs: Refs, values: unknown[], started: boolean) {
    this.lot = lot
    this.refs = refs
    this.values = values
    this.#started = started
  }

  /** Takes both arrays. `started`: a call was made for them. */
  static ofRows(lot: Lot, rows: number[], values: unknown[], started = false): Chunk {
    return new Chunk(lot, rows, values, started)
  }

  /** Takes the array. */
  static ofItems(items: Item[]): Chunk {
    const values = new Array<unknown>(items.length)
    for (let at = 0; at < items.length; at += 1) values[at] = (items[at] as Item).value
    return new Chunk(null, items, values, false)
  }

  get length(): number {
    return this.values.length
  }

  recordAt(at: number): SourceRecord {
    const ref = this.refs[at] as number | Item
    return typeof ref === 'number' ? (this.lot as Lot).recordAt(ref) : ref.record
  }

  bytesAt(at: number): number {
    const ref = this.refs[at] as number | Item
    return typeof ref === 'number' ? columnAt((this.lot as Lot).columns.bytes, ref) : ref.bytes
  }

  /** Of delivery, within the partition. */
  sequenceAt(at: number): number {
    const ref = this.refs[at] as number | Item
    return typeof ref === 'number' ? (this.lot as Lot).span.firstSequence + ref : ref.sequence
  }

  /** Of the places from `start` up to `end`. */
  bytesIn(start: number, end: number): number {
    const column = this.lot?.columns.bytes
    if (typeof column === 'number') return column * (end - start)
    let bytes = 0
    for (let at = start; at < end; at += 1) bytes += this.bytesAt(at)
    return bytes
  }

  /** What its records are charged to the memory budget. */
  get bytes(): number {
    if (this.#bytes === UNKNOWN) this.#bytes = bytesOf(this.lot, this.refs)
    return this.#bytes
  }

  /** Whether something in it belongs to a partition that is no longer ours. */
  get hasFenced(): boolean {
    return this.some(({ fenced }) => fenced)
  }

  /** Whether something in it belongs to such a partition. */
  some(such: (partition: Partition) => boolean): boolean {
    if (this.lot !== null) return such(this.lot.partition)
    let last: Partition | null = null
    for (const item of this.refs as Item[]) {
      // One after the other they tend to be of the same partition.
      if (item.root.members === null && item.partition === last) continue
      last = item.partition
      if (membersOf(item).some(({ partition }) => such(partition))) return true
    }
    return false
  }

  /** How many of its records were not attempted before at the present stage. */
  get firstAttempts(): number {
    if (this.lot !== null) return this.length
    let first = 0
    for (const item of this.refs as Item[]) if (item.attempt === 0) first += 1
    return first
  }

  /** All of it as items. The chunk is used up: a row must become one item only. */
  toItems(): Item[] {
    const { lot, values } = this
    const refs = this.refs
    if (lot === null) {
      for (let at = 0; at < refs.length; at += 1) (refs[at] as Item).value = values[at]
      return refs as Item[]
    }
    const items = new Array<Item>(refs.length)
    for (let at = 0; at < refs.length; at += 1) items[at] = this.#itemOf(lot, refs[at] as number, values[at])
    return items
  }

  /** Moves one place to another, over what stood there. */
  move(from: number, to: number): void {
    this.values[to] = this.values[from]
    this.refs[to] = this.refs[from] as number | Item
  }

  /** Drops what stands at `length` and after it. */
  truncate(length: number): void {
    this.values.length = length
    this.refs.length = length
    this.#bytes = UNKNOWN
  }

  /** A chunk of its own of the places from `start` up to `end`. */
  slice(start: number, end: number): Chunk {
    return new Chunk(this.lot, this.refs.slice(start, end), this.values.slice(start, end), this.#started)
  }

  /** One place as an item, of a row the `spare` one; the place itself is to be moved over or cut off. */
  itemAt(at: number, spare: Item | null = null): Item {
    const ref = this.refs[at] as number | Item
    if (typeof ref !== 'number') {
      ref.value = this.values[at]
      return ref
    }
    if (spare === null) return this.#itemOf(this.lot as Lot, ref, this.values[at])
    spare.become(this.lot as Lot, ref, this.values[at])
    spare.started = this.#started
    return spare
  }

  #itemOf(lot: Lot, row: number, value: unknown): Item {
    const item = new Item(null, lot, row, value)
    item.started = this.#started
    return item
  }
}
