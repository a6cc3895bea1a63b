/**
 * A queue that is fair over partitions: each partition has a line of its own, and they take turns, a few items a
 * turn. So a partition with a deep backlog, or one that was pulled first, does not hold back the others. What comes as
 * a chunk waits as one; each of its rows becomes an item when its turn comes.
 */
import { Chunk } from './chunk.ts'
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
  /** How many places of the first, if it is a chunk, have been taken. */
  #taken = 0

  get isEmpty(): boolean {
    return this.waiting.size === 0
  }

  shift(spare: Item | null): Item {
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
    const chunk = this.waiting.peek() as Item | Chunk
    if (!(chunk instanceof Chunk) || chunk.hasFenced) return null
    const start = this.#taken
    const end = Math.min(chunk.length, start + most)
    this.#taken = end
    if (end === chunk.length) {
      this.waiting.shift()
      this.#taken = 0
    }
    return { chunk, start, end, bytes: chunk.bytesIn(start, end) }
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
    this.#add(item.partition.index, item, 1, item.bytes)
  }

  /** A chunk, all of it of one partition. */
  pushChunk(chunk: Chunk, partition: Partition): void {
    this.#add(partition.index, chunk, chunk.length, chunk.bytes)
  }

  #add(partition: number, what: Item | Chunk, records: number, bytes: number): void {
    if (records === 0) return
    let line = this.#lines.get(partition)
    if (line === undefined) {
      line = new Line()
      this.#lines.set(partition, line)
    }
    if (line.isEmpty) this.#turns.push(line)
    line.waiting.push(what)
    this.#size += records
    this.#bytes += bytes
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
