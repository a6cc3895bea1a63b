/**
 * Keyed lanes: one item of a key at a time, the others wait behind it in arrival order. A lane exists only while its
 * key has an item, so a million distinct keys cost no more than those in flight. The item that holds the key also
 * holds the list of those that wait for it: there is no lane object, and entering and leaving are O(1).
 */
import type { Item } from './item.ts'
import type { Partition } from './partition.ts'

export class Lanes {
  readonly #holders = new Map<string | Partition, Item>()
  readonly #order: 'key' | 'partition'
  readonly #onReady: (item: Item) => void
  #waiting = 0
  #waitingBytes = 0

  /** `onReady` is told when an item that waited comes to hold its key. */
  constructor(order: 'key' | 'partition', onReady: (item: Item) => void) {
    this.#order = order
    this.#onReady = onReady
  }

  /** Items behind a held key. */
  get waiting(): number {
    return this.#waiting
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** True when the item holds its key now; false when it waits. An item without a key never waits. */
  enter(item: Item): boolean {
    const key = this.#keyOf(item)
    if (key === null) return true
    item.lanes = this
    const holder = this.#holders.get(key)
    if (holder === undefined) {
      this.#holders.set(key, item)
      return true
    }
    const last = holder.laneTail ?? holder
    last.laneNext = item
    holder.laneTail = item
    this.#waiting += 1
    this.#waitingBytes += item.bytes
    return false
  }

  /** The holder has left: the next in line holds the key. */
  leave(item: Item): void {
    const key = this.#keyOf(item) as string | Partition
    item.lanes = null
    const next = item.laneNext
    if (next === null) {
      this.#holders.delete(key)
      return
    }
    next.laneTail = item.laneTail === next ? null : item.laneTail
    item.laneNext = null
    item.laneTail = null
    this.#holders.set(key, next)
    this.#waiting -= 1
    this.#waitingBytes -= next.bytes
    this.#onReady(next)
  }

  /** Takes out waiting items for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    for (const holder of this.#holders.values()) {
      let last = holder
      for (let item = holder.laneNext; item !== null; ) {
        const next: Item | null = item.laneNext
        if (drop(item)) {
          last.laneNext = next
          item.laneNext = null
          item.lanes = null
          this.#waiting -= 1
          this.#waitingBytes -= item.bytes
          dropped.push(item)
        } else {
          last = item
        }
        item = next
      }
      holder.laneTail = last === holder ? null : last
    }
    return dropped
  }

  #keyOf(item: Item): string | Partition | null {
    return this.#order === 'key' ? item.key : item.partition
  }
}
