/**
 * Keyed lanes: one item of a key at a time, the others wait behind it in arrival order. Only the first stage with an
 * order looks a key up: an item that comes from a lane of the same order knows where its key goes from there, so the
 * lanes of later stages hang on those of the first and are in no map. A lane lives as long as an item was last in it,
 * or a lane beyond it lives; those that are idle are kept for the next item of their key, never more than are in use
 * (or sixteen thousand), so a million distinct keys cost no more than those in flight.
 */
import type { Item } from './item.ts'

/** So many idle lanes are kept in any case: a megabyte or two, and a key that comes again finds its lane. */
const IDLE_LANES = 16_384

export class Lane {
  readonly lanes: Lanes
  /** The lane that its items come from; null where the key was looked up. */
  readonly #before: Lane | null
  holder: Item | null = null
  /** The last in line, the holder if nobody waits. */
  last: Item | null = null
  /** Items that were last in this lane, and lanes beyond it that are in use. */
  #uses = 0
  /** The first of the lanes that its items go to, one for each later stage with the same order; they are linked. */
  #onward: Lane | null = null
  #beside: Lane | null = null

  constructor(lanes: Lanes, before: Lane | null) {
    this.lanes = lanes
    this.#before = before
  }

  get isIdle(): boolean {
    return this.#uses === 0
  }

  /** The holder has left: the next in line holds the key. */
  leave(): void {
    this.lanes.leave(this)
  }

  take(): void {
    this.#uses += 1
    if (this.#uses > 1) return
    if (this.#before === null) this.lanes.woke()
    else this.#before.take()
  }

  /** An item that was last here is in another lane now, or has ended. */
  release(): void {
    this.#uses -= 1
    if (this.#uses > 0) return
    if (this.#before === null) this.lanes.fellIdle()
    else this.#before.release()
  }

  /** Where items of this key go in `lanes`; null while none went there. */
  onwardIn(lanes: Lanes): Lane | null {
    let lane = this.#onward
    while (lane !== null && lane.lanes !== lanes) lane = lane.#beside
    return lane
  }

  extendTo(lanes: Lanes): Lane {
    const lane = new Lane(lanes, this)
    lane.#beside = this.#onward
    this.#onward = lane
    return lane
  }
}

export class Lanes {
  /** By key, or by the index of the partition: those that were looked up. */
  #lanes = new Map<string | number, Lane>()
  /** Whose lanes those here hang on. */
  #before: Lanes | null = null
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

  woke(): void {
    this.#idle -= 1
  }

  fellIdle(): void {
    this.#idle += 1
    if (this.#idle > IDLE_LANES && this.#idle > this.#lanes.size / 2) this.#dropIdle()
  }

  /** True when the item holds its key now; false when it waits. An item without a key never waits. */
  enter(item: Item): boolean {
    const from = item.lastLane as Lane | null
    const lane = this.#laneOf(item, from)
    lane?.take()
    // Also of an item that has no key here: in a later stage it must not come another way than those that have.
    from?.release()
    item.lastLane = lane
    if (lane === null) return true
    item.lane = lane
    if (lane.holder === null) {
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

  /** Lets all of these enter; leaves in the array those that hold their key now. */
  enterAll(items: Item[]): void {
    let kept = 0
    for (let at = 0; at < items.length; at += 1) {
      const item = items[at] as Item
      if (this.enter(item)) items[kept++] = item
    }
    if (kept < items.length) items.length = kept
  }

  #laneOf(item: Item, from: Lane | null): Lane | null {
    if (from !== null && from.lanes.#order === this.#order) {
      this.#before = from.lanes
      return from.onwardIn(this) ?? from.extendTo(this)
    }
    const key = this.#order === 'key' ? item.key : item.partition.index
    if (key === null) return null
    return this.#lanes.get(key) ?? this.#add(key)
  }

  #add(key: string | number): Lane {
    const lane = new Lane(this, null)
    this.#lanes.set(key, lane)
    this.#idle += 1
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
      return
    }
    this.#waiting -= 1
    this.#waitingBytes -= next.bytes
    this.#onReady(next)
  }

  /** No item points at an idle lane, so the next of its key may as well make a new one. */
  #dropIdle(): void {
    const inUse = new Map<string | number, Lane>()
    for (const [key, lane] of this.#lanes) if (!lane.isIdle) inUse.set(key, lane)
    this.#lanes = inUse
    this.#idle = 0
  }

  *#every(): Iterable<Lane> {
    yield* this.#lanes.values()
    if (this.#before === null) return
    for (const before of this.#before.#every()) {
      const lane = before.onwardIn(this)
      if (lane !== null) yield lane
    }
  }

  /** Takes out waiting items for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    for (const lane of this.#every()) {
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
