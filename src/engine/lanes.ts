/**
 * Keyed lanes: one item of a key at a time, the others wait behind it in arrival order. An item that holds or waits
 * in a lane points at it, so only entering looks a key up, and not even that where the item comes from a lane of its
 * key in an earlier stage, which knows its lane here. Lanes that are empty are kept for the next item of their key, never more of them than are in use (or sixteen thousand), so a million distinct keys cost no more than those in flight.
 */
import type { Item } from './item.ts'

/** So many empty lanes are kept in any case: a megabyte or two, and a key that comes again finds its lane. */
const IDLE_LANES = 16_384

export class Lane {
  readonly lanes: Lanes
  holder: Item | null = null
  /** The last in line, the holder if nobody waits. */
  last: Item | null = null
  /** Where items of its key went from here: their lane in a later stage. */
  onward: Lane | null = null
  /** No longer kept: whoever points at it has to look the key up. */
  dropped = false

  constructor(lanes: Lanes) {
    this.lanes = lanes
  }

  /** The holder has left: the next in line holds the key. */
  leave(): void {
    this.lanes.leave(this)
  }
}

export class Lanes {
  /** By key, or by the index of the partition. */
  #lanes = new Map<string | number, Lane>()
  readonly #order: 'key' | 'partition'
  readonly #onReady: (item: Item) => void
  #idle = 0
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

  /** Lanes that are kept, in use or empty. */
  get size(): number {
    return this.#lanes.size
  }

  /** True when the item holds its key now; false when it waits. An item without a key never waits. */
  enter(item: Item): boolean {
    const lane = this.#laneOf(item)
    if (lane === null) return true
    item.lane = lane
    item.lastLane = lane
    if (lane.holder === null) {
      this.#idle -= 1
      lane.holder = item
      lane.last = item
      return true
    }
    ;(lane.last as Item).laneNext = item
    lane.last = item
    this.#waiting += 1
    this.#waitingBytes += item.bytes
    return false
  }

  #laneOf(item: Item): Lane | null {
    const from = item.lastLane as Lane | null
    const known = from === null ? null : from.onward
    if (known !== null && known.lanes === this && !known.dropped) return known
    const key = this.#order === 'key' ? item.key : item.partition.index
    if (key === null) return null
    let lane = this.#lanes.get(key)
    if (lane === undefined) {
      lane = new Lane(this)
      this.#lanes.set(key, lane)
      this.#idle += 1
    }
    if (from !== null && from.lanes.#order === this.#order) from.onward = lane
    return lane
  }

  leave(lane: Lane): void {
    const item = lane.holder as Item
    const next = item.laneNext
    item.lane = null
    item.laneNext = null
    lane.holder = next
    if (next === null) {
      lane.last = null
      this.#idle += 1
      if (this.#idle > IDLE_LANES && this.#idle > this.#lanes.size / 2) this.#dropIdle()
      return
    }
    this.#waiting -= 1
    this.#waitingBytes -= next.bytes
    this.#onReady(next)
  }

  #dropIdle(): void {
    const inUse = new Map<string | number, Lane>()
    for (const [key, lane] of this.#lanes) {
      if (lane.holder === null) lane.dropped = true
      else inUse.set(key, lane)
    }
    this.#lanes = inUse
    this.#idle = 0
  }

  /** Takes out waiting items for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    for (const lane of this.#lanes.values()) {
      if (lane.holder === null) continue
      let last = lane.holder
      for (let item = last.laneNext; item !== null; ) {
        const next: Item | null = item.laneNext
        if (drop(item)) {
          last.laneNext = next
          item.laneNext = null
          item.lane = null
          this.#waiting -= 1
          this.#waitingBytes -= item.bytes
          dropped.push(item)
        } else {
          last = item
        }
        item = next
      }
      lane.last = last
    }
    return dropped
  }
}
