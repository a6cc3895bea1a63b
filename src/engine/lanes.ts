/**
 * Keyed lanes: one record of a key at a time, the others wait behind it in arrival order. Only the first stage with an
 * order looks a key up: what comes from a lane of the same order knows where its key goes from there, so the lanes of
 * later stages hang on those of the first and are in no map. A lane is in use as long as a record was last in it, or a
 * lane beyond it is. Once it is idle it becomes that of another key, so the map holds the keys in flight and no more:
 * a map of all keys that may come back would be read from memory, not from the processor's cache.
 */
import type { Chunk } from './chunk.ts'
import type { HeldLane } from './held-lane.ts'
import type { Item } from './item.ts'
import type { Lot } from './lot.ts'

/** The most idle lanes that are kept for other keys. */
const SPARE_LANES = 4096
const NO_ROW = -1

export class Lane implements HeldLane {
  readonly lanes: Lanes
  /** The key, or the index of the partition, where it was looked up; another one once it was idle. */
  name: string | number | null
  /** The lane that its records come from; null where the key was looked up. */
  readonly #before: Lane | null
  /** Who has the key: an item, or a row of this lot. */
  #holder: Item | Lot | null = null
  #row = NO_ROW
  /** Who waits behind the holder, linked by `Item.laneNext`. */
  first: Item | null = null
  last: Item | null = null
  /** Records that were last in this lane, and lanes beyond it that are in use. */
  #uses = 0
  /** The first of the lanes that its records go to, one for each later stage with the same order; they are linked. */
  #onward: Lane | null = null
  #beside: Lane | null = null

  constructor(lanes: Lanes, before: Lane | null, name: string | number | null) {
    this.lanes = lanes
    this.#before = before
    this.name = name
  }

  get holder(): Item | Lot | null {
    return this.#holder
  }

  isHeldByRow(lot: Lot, row: number): boolean {
    return this.#holder === lot && this.#row === row
  }

  holdRow(lot: Lot, row: number): void {
    this.#holder = lot
    this.#row = row
  }

  holdItem(item: Item): void {
    this.#holder = item
    this.#row = NO_ROW
    item.lane = this
  }

  /** The holder has left: the next in line holds the key. */
  leave(): void {
    if (this.#row === NO_ROW) (this.#holder as Item).lane = null
    const next = this.first
    this.#holder = next
    this.#row = NO_ROW
    if (next === null) return
    this.first = next.laneNext
    if (this.first === null) this.last = null
    next.laneNext = null
    this.lanes.passed(next)
  }

  take(): void {
    this.#uses += 1
    if (this.#uses === 1) this.#before?.take()
  }

  /** A record that was last here is in another lane now, or has ended. */
  release(): void {
    this.#uses -= 1
    if (this.#uses > 0) return
    if (this.#before === null) this.lanes.fellIdle(this)
    else this.#before.release()
  }

  /** Where records of this key go in `lanes`; null while none went there. */
  onwardIn(lanes: Lanes): Lane | null {
    let lane = this.#onward
    while (lane !== null && lane.lanes !== lanes) lane = lane.#beside
    return lane
  }

  extendTo(lanes: Lanes): Lane {
    const lane = new Lane(lanes, this, null)
    lane.#beside = this.#onward
    this.#onward = lane
    return lane
  }
}

export class Lanes {
  /** By key, or by the index of the partition: those that were looked up. */
  readonly #lanes = new Map<string | number, Lane>()
  /** Whose lanes those here hang on. */
  #before: Lanes | null = null
  readonly #order: 'key' | 'partition'
  readonly #onReady: (item: Item) => void
  /** Idle, for the keys that come next. */
  readonly #spares: Lane[] = []
  #waiting = 0
  #waitingBytes = 0

  /** `onReady` is told when an item that waited comes to hold its key. */
  constructor(order: 'key' | 'partition', onReady: (item: Item) => void) {
    this.#order = order
    this.#onReady = onReady
  }

  /** Records behind a held key. */
  get waiting(): number {
    return this.#waiting
  }

  get waitingBytes(): number {
    return this.#waitingBytes
  }

  /** Lanes in use, of those that were looked up. */
  get size(): number {
    return this.#lanes.size
  }

  /** Nothing points at the lane any more, nor at those beyond it. */
  fellIdle(lane: Lane): void {
    this.#lanes.delete(lane.name as string | number)
    if (this.#spares.length < SPARE_LANES) this.#spares.push(lane)
  }

  /** True when the item holds its key now; false when it waits. An item without a key never waits. */
  enter(item: Item): boolean {
    const lane = this.#move(item.lastLane as Lane | null, item.lot, item.row)
    item.lastLane = lane
    if (lane === null) return true
    if (lane.holder === null) {
      lane.holdItem(item)
      return true
    }
    this.#wait(lane, item)
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

  /** Lets all rows of a chunk enter; leaves in it those that hold their key now, as rows. The others wait as items. */
  enterRows(chunk: Chunk, lot: Lot): void {
    const { length } = chunk
    let kept = 0
    for (let at = 0; at < length; at += 1) {
      const row = chunk.refs[at] as number
      const lane = this.#move(lot.laneAt(row) as Lane | null, lot, row)
      lot.setLane(row, lane)
      if (lane === null || lane.holder === null) {
        lane?.holdRow(lot, row)
        if (kept < at) chunk.move(at, kept)
        kept += 1
      } else {
        this.#wait(lane, chunk.itemAt(at))
      }
    }
    if (kept < length) chunk.truncate(kept)
  }

  /** From its last lane into the one that it has here. */
  #move(from: Lane | null, lot: Lot, row: number): Lane | null {
    const lane = this.#laneOf(from, lot, row)
    lane?.take()
    // Also of a record that has no key here: in a later stage it must not come another way than those that have.
    from?.release()
    return lane
  }

  #wait(lane: Lane, item: Item): void {
    item.lane = lane
    if (lane.last === null) lane.first = item
    else lane.last.laneNext = item
    lane.last = item
    this.#waiting += 1
    this.#waitingBytes += item.bytes
  }

  #laneOf(from: Lane | null, lot: Lot, row: number): Lane | null {
    if (from !== null && from.lanes.#order === this.#order) {
      this.#before = from.lanes
      return from.onwardIn(this) ?? from.extendTo(this)
    }
    const name = this.#order === 'key' ? lot.columns.keyAt(row) : lot.partition.index
    if (name === null) return null
    return this.#lanes.get(name) ?? this.#add(name)
  }

  #add(name: string | number): Lane {
    const lane = this.#spares.pop() ?? new Lane(this, null, name)
    lane.name = name
    this.#lanes.set(name, lane)
    return lane
  }

  /** The key was passed on to one that waited. */
  passed(item: Item): void {
    this.#waiting -= 1
    this.#waitingBytes -= item.bytes
    this.#onReady(item)
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
      let item = lane.first
      lane.first = null
      lane.last = null
      while (item !== null) {
        const next: Item | null = item.laneNext
        item.laneNext = null
        this.#waiting -= 1
        this.#waitingBytes -= item.bytes
        if (drop(item)) {
          item.lane = null
          dropped.push(item)
        } else {
          this.#wait(lane, item)
        }
        item = next
      }
    }
    return dropped
  }
}
