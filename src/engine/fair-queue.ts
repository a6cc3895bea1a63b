/**
 * A queue that is fair over partitions: each partition has a line of its own, and they take turns, a few items a
 * turn. So a partition with a deep backlog, or one that was pulled first, does not hold back the others. What comes as
 * a chunk waits as one; each of its rows becomes an item when its turn comes. What waited for its key goes ahead of all
 * that came after it: the records of a frequent key, which follow one another, do not queue again for each of them.
 */
import { Chunk } from './chunk.ts'
import { Heap } from './heap.ts'
import type { Item } from './item.ts'
import type { Partition } from './partition.ts'
import { Ring } from './ring.ts'

const TURN_ITEMS = 16

/** Rows that were shifted together: the places of a chunk from `start` up to `end`. */
export interface RowRun {
  readonly chunk: Chunk
  readonly start: number
  readonly end: number
  readonly bytes: number
}

/** What waits of one partition. */
class Line {
  readonly waiting = new Ring<Item | Chunk>()
  /** Those that waited for their keys. */
  readonly rejoined = new Heap<Item>(({ sequence }) => sequence)
  /** How many places of the first that waits, if it is a chunk, have been taken. */
  #taken = 0

  get isEmpty(): boolean {
    return this.waiting.size === 0 && this.rejoined.size === 0
  }

  /** Of what waits first. */
  #sequence(): number {
    const first = this.waiting.peek()
    if (first === undefined) return Number.POSITIVE_INFINITY
    return first instanceof Chunk ? first.sequenceAt(this.#taken) : first.sequence
  }

  shift(spare: Item | null): Item {
    const rejoined = this.rejoined.peek()
    if (rejoined !== undefined && rejoined.sequence < this.#sequence()) return this.rejoined.pop() as Item
    const first = this.waiting.peek() as Item | Chunk
    if (!(first instanceof Chunk)) return this.waiting.shift() as Item
    const item = first.itemAt(this.#taken, spare)
    this.#taken += 1
    if (this.#taken === first.length) {
      this.waiting.shift()
      this.#taken = 0
    }
    return item
  }

  /** Up to `most` rows of the first chunk; null when an item is first, or what is to be looked at one by one. */
  shiftRows(most: number): RowRun | null {
    const chunk = this.waiting.peek()
    if (!(chunk instanceof Chunk) || chunk.hasFenced) return null
    const start = this.#taken
    const end = this.#firstAfterRejoined(chunk, start, Math.min(chunk.length, start + most))
    if (end === start) return null
    this.#taken = end
    if (end === chunk.length) {
      this.waiting.shift()
      this.#taken = 0
    }
    return { chunk, start, end, bytes: chunk.bytesIn(start, end) }
  }

  /** The first place from `start` up to `end` that comes after an item that rejoined; `end` when none does. */
  #firstAfterRejoined(chunk: Chunk, start: number, end: number): number {
    const rejoined = this.rejoined.peek()
    if (rejoined === undefined) return end
    const { sequence } = rejoined
    let at = start
    while (at < end && chunk.sequenceAt(at) <= sequence) at += 1
    return at
  }

  /** Takes out all that waits, as items. */
  takeAll(): Item[] {
    const items: Item[] = []
    while (!this.isEmpty) items.push(this.shift(null))
    return items
  }
}

export class FairQueue {
  readonly #lines = new Map<number, Line>()
  readonly #turns = new Ring<Line>()
  #left = TURN_ITEMS
  #size = 0
  #bytes = 0

  get size(): number {
    return this.#size
  }

  get bytes(): number {
    return this.#bytes
  }

  push(item: Item): void {
    this.#lineFor(item.partition.index, 1, item.bytes).waiting.push(item)
  }

  /** An item that waited for its key: it takes the place that it would have had in its partition's line. */
  rejoin(item: Item): void {
    this.#lineFor(item.partition.index, 1, item.bytes).rejoined.push(item)
  }

  /** A chunk, all of it of one partition. */
  pushChunk(chunk: Chunk, partition: Partition): void {
    if (chunk.length > 0) this.#lineFor(partition.index, chunk.length, chunk.bytes).waiting.push(chunk)
  }

  /** Counts so many records, and gives the line of their partition for the caller to put them into. */
  #lineFor(partition: number, records: number, bytes: number): Line {
    let line = this.#lines.get(partition)
    if (line === undefined) {
      line = new Line()
      this.#lines.set(partition, line)
    }
    if (line.isEmpty) this.#turns.push(line)
    this.#size += records
    this.#bytes += bytes
    return line
  }

  /** The next in turn; a row becomes the `spare` item, if there is one. */
  shift(spare: Item | null = null): Item | undefined {
    const line = this.#turns.peek()
    if (line === undefined) return undefined
    const item = line.shift(spare)
    this.#took(line, 1, item.bytes)
    return item
  }

  /**
   * Those that `shift` would give next, up to `most` and as far as they are rows of one chunk; null when the next is
   * none, or its partition is no longer ours.
   */
  shiftRows(most: number): RowRun | null {
    const line = this.#turns.peek()
    if (line === undefined) return null
    const run = line.shiftRows(this.#turns.size > 1 ? Math.min(most, this.#left) : most)
    if (run !== null) this.#took(line, run.end - run.start, run.bytes)
    return run
  }

  #took(line: Line, records: number, bytes: number): void {
    this.#size -= records
    this.#bytes -= bytes
    this.#left -= records
    if (!line.isEmpty && this.#left > 0) return
    this.#left = TURN_ITEMS
    this.#turns.shift()
    if (!line.isEmpty) this.#turns.push(line)
  }

  /** Takes out the items for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    for (const [index, line] of this.#lines) {
      for (const item of line.takeAll()) {
        if (!drop(item)) {
          line.waiting.push(item)
          continue
        }
        dropped.push(item)
        this.#size -= 1
        this.#bytes -= item.bytes
      }
      if (line.isEmpty) this.#lines.delete(index)
    }
    this.#turns.retain((line) => !line.isEmpty)
    this.#left = TURN_ITEMS
    return dropped
  }
}
