/**
 * Results of a call stage that the next stage has no room for yet. Those that were rows when they came leave as rows:
 * they are gathered by lot, so that neither an item nor a chunk is made for each. Where the lots change too often for
 * that they leave as items. Order is kept among the items that came: those alone can have one.
 */
import { Chunk } from './chunk.ts'
import { Item, isFenced } from './item.ts'
import type { Lot } from './lot.ts'

/** Fewer rows than this are no chunk of their own: the stages that follow do some work for each chunk. */
const LEAST_ROWS = 8

export class Outbox {
  /** The first `#itemCount` of these, and the first `#gathered` of the rows below: the arrays are kept, not grown anew. */
  readonly #items: (Item | undefined)[] = []
  #itemCount = 0
  /** Chunks of rows that are ready to leave. */
  #chunks: Chunk[] = []
  /** The lot that rows are gathered of, and the rows with their values. */
  #lot: Lot | null = null
  readonly #rows: number[] = []
  readonly #values: unknown[] = []
  #gathered = 0
  #length = 0
  #bytes = 0

  get length(): number {
    return this.#length
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: Item): void {
    this.#addItem(item)
    this.#length += 1
    this.#bytes += item.bytes
  }

  #addItem(item: Item): void {
    this.#items[this.#itemCount] = item
    this.#itemCount += 1
  }

  pushRow(lot: Lot, row: number, bytes: number, value: unknown): void {
    if (lot !== this.#lot) {
      this.#close(LEAST_ROWS)
      this.#lot = lot
    }
    this.#rows[this.#gathered] = row
    this.#values[this.#gathered] = value
    this.#gathered += 1
    this.#length += 1
    this.#bytes += bytes
  }

  /** The next chunk of up to `room` records; null when nothing is left, or no room. */
  shift(room: number): Chunk | null {
    if (this.#length === 0 || room <= 0) return null
    // Nothing else leaves: it is a chunk in any case.
    this.#close(this.#gathered === this.#length ? 1 : LEAST_ROWS)
    const chunk = this.#chunks.length > 0 ? this.#shiftRows(room) : this.#shiftItems(room)
    this.#length -= chunk.length
    this.#bytes -= chunk.bytes
    return chunk
  }

  #shiftItems(room: number): Chunk {
    const count = this.#itemCount
    const taken = this.#items.slice(0, Math.min(room, count)) as Item[]
    this.#dropItems(taken.length)
    return Chunk.ofItems(taken)
  }

  /** Drops the first ones; what was handed on must not be kept alive from here. */
  #dropItems(dropped: number): void {
    const count = this.#itemCount
    this.#itemCount = count - dropped
    if (dropped < count) this.#items.copyWithin(0, dropped, count)
    this.#items.fill(undefined, this.#itemCount, count)
  }

  #shiftRows(room: number): Chunk {
    const chunk = this.#chunks.shift() as Chunk
    if (chunk.length <= room) return chunk
    this.#chunks.unshift(chunk.slice(room, chunk.length))
    return chunk.slice(0, room)
  }

  /** What is gathered becomes a chunk, or a few items if it has fewer rows than `least`. */
  #close(least: number): void {
    const count = this.#gathered
    if (count === 0) return
    const lot = this.#lot as Lot
    if (count >= least) {
      this.#chunks.push(Chunk.ofRows(lot, this.#rows.slice(0, count), this.#values.slice(0, count), true))
    } else {
      for (let at = 0; at < count; at += 1) {
        const item = new Item(null, lot, this.#rows[at] as number, this.#values[at])
        item.started = true
        this.#addItem(item)
      }
    }
    this.#values.fill(undefined, 0, count)
    this.#gathered = 0
    this.#lot = null
  }

  /** Takes out results of partitions that are no longer ours. */
  takeFenced(): Chunk[] {
    this.#close(LEAST_ROWS)
    const fenced = this.#chunks.filter(({ hasFenced }) => hasFenced)
    if (fenced.length > 0) this.#chunks = this.#chunks.filter(({ hasFenced }) => !hasFenced)
    const items = this.#items.slice(0, this.#itemCount) as Item[]
    if (items.some(isFenced)) {
      fenced.push(Chunk.ofItems(items.filter(isFenced)))
      this.#dropItems(items.length)
      for (const item of items) if (!isFenced(item)) this.#addItem(item)
    }
    for (const { length, bytes } of fenced) {
      this.#length -= length
      this.#bytes -= bytes
    }
    return fenced
  }
}
