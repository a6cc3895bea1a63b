/**
 * A queue that is fair over partitions: each partition has a line of its own, and they take turns, a few items a
 * turn. So a partition with a deep backlog, or one that was pulled first, does not hold back the others.
 */
import type { Item } from './item.ts'
import { Ring } from './ring.ts'

const TURN_ITEMS = 16

export class FairQueue {
  readonly #lines = new Map<number, Ring<Item>>()
  readonly #turns = new Ring<Ring<Item>>()
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
    let line = this.#lines.get(item.partition.index)
    if (line === undefined) {
      line = new Ring()
      this.#lines.set(item.partition.index, line)
    }
    if (line.size === 0) this.#turns.push(line)
    line.push(item)
    this.#size += 1
    this.#bytes += item.bytes
  }

  shift(): Item | undefined {
    const line = this.#turns.peek()
    if (line === undefined) return undefined
    const item = line.shift() as Item
    this.#size -= 1
    this.#bytes -= item.bytes
    this.#left -= 1
    if (line.size === 0 || this.#left === 0) {
      this.#left = TURN_ITEMS
      this.#turns.shift()
      if (line.size > 0) this.#turns.push(line)
    }
    return item
  }

  /** Takes out the items for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    for (const [index, line] of this.#lines) {
      line.retain((item) => {
        if (!drop(item)) return true
        dropped.push(item)
        this.#size -= 1
        this.#bytes -= item.bytes
        return false
      })
      if (line.size === 0) this.#lines.delete(index)
    }
    this.#turns.retain((line) => line.size > 0)
    this.#left = TURN_ITEMS
    return dropped
  }
}
