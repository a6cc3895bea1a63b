/**
 * The slots of a call stage: one for each attempt in progress. They are linked in the order they started, which is
 * also the order in which they time out, so the next deadline is always the first in the list. A slot is reused, and
 * with it whatever the runtime hung on it; one whose handler never settles is retired and forgotten.
 */
import type { Permit } from '../control/limiter.ts'
import type { CallPlan } from '../model/plan.ts'
import type { RateLimitFigures } from '../model/rate-limit.ts'
import type { CallLine } from './call-line.ts'
import type { Item } from './item.ts'
import { NO_LOT } from './lot.ts'
import { Wave } from './wave.ts'

/** A stage that asks for calls, and has the slots for them, as the world sees it. */
export interface Caller {
  readonly plan: CallPlan
  /** Whether the handler could tell if it were not given a context. */
  readonly takesContext: boolean
  /** How long an attempt may take from now on. */
  readonly timeoutMs: number
  settled(slot: Slot): void
  ran(ms: number): void
  pooling(slot: Slot, waiting: boolean): void
}

const NONE = new Wave(Number.NEGATIVE_INFINITY, 0)

export class Slot {
  readonly stage: Caller
  item: Item | null = null
  /** Nobody refers to it any more: what the row becomes that starts here next. */
  spare: Item | null = null
  permit: Permit = null
  /** Whose limiter the permit is from. */
  line: CallLine | null = null
  /** What the answer said of a quota. */
  heard: RateLimitFigures | undefined = undefined
  wave: Wave = NONE
  retry = false
  /** What it took from the retry budget. */
  paid = 0
  /** Its signal was aborted; it has until the grace is over to settle. */
  abortedMs: number | null = null
  abortReason: 'timeout' | 'fenced' | 'stopped' = 'timeout'
  /** Its handler did not settle in time: whatever it says later is ignored. */
  retired = false
  /** Waiting for a connection or worker. */
  pooling = false
  /** How the handler settled, written by the runtime just before `settled`. */
  threw = false
  result: unknown = undefined
  /** The runtime's own, made once a slot. */
  attachment: unknown = null
  previous: Slot | null = null
  next: Slot | null = null

  constructor(stage: Caller) {
    this.stage = stage
  }

  get startedMs(): number {
    return this.wave.startedMs
  }

  /** The result of this item has gone on as a row. */
  keepSpare(item: Item): void {
    if (this.spare !== null) return
    item.lot = NO_LOT
    item.value = undefined
    this.spare = item
  }
}

export class SlotList {
  readonly #stage: Caller
  readonly #free: Slot[] = []
  #first: Slot | null = null
  #last: Slot | null = null
  /** Of the last one that started. */
  #wave = NONE
  /** The one before it. */
  #waveBefore = NONE
  /** One that had ended in an earlier loop: used again, so that the slots, which are old, do not each point at something new. */
  #waveOver: Wave | null = null
  #size = 0

  constructor(stage: Caller) {
    this.#stage = stage
  }

  get size(): number {
    return this.#size
  }

  /** The one that started first. */
  get first(): Slot | null {
    return this.#first
  }

  /** The slot that `take` gives next. */
  get free(): Slot {
    const free = this.#free
    if (free.length === 0) free.push(new Slot(this.#stage))
    return free[free.length - 1] as Slot
  }

  /** `wave`: what `waveOf` gave for it. */
  take(item: Item, wave: Wave): Slot {
    const slot = this.free
    this.#free.pop()
    slot.item = item
    slot.wave = wave
    wave.open += 1
    slot.previous = this.#last
    if (this.#last === null) this.#first = slot
    else this.#last.next = slot
    this.#last = slot
    wave.beside = this.#size
    this.#size += 1
    return slot
  }

  /** What attempts belong to that start now with so many records each. */
  waveOf(records: number, nowMs: number): Wave {
    const present = this.#wave
    if (present.startedMs === nowMs && present.records === records) return present
    this.#wave = present.startedMs === nowMs ? new Wave(nowMs, records) : this.#nextWave(records, nowMs)
    return this.#wave
  }

  /** Once a loop: what ended in this one is measured only when it is over, and so is free from the next one on. */
  #nextWave(records: number, nowMs: number): Wave {
    const over = this.#waveOver
    const before = this.#waveBefore
    this.#waveOver = before !== NONE && before.open === 0 ? before : null
    this.#waveBefore = this.#wave
    if (over === null) return new Wave(nowMs, records)
    over.become(nowMs, records)
    return over
  }

  /** Unlinks the slot; a retired one is not used again. */
  release(slot: Slot): void {
    if (slot.previous === null) this.#first = slot.next
    else slot.previous.next = slot.next
    if (slot.next === null) this.#last = slot.previous
    else slot.next.previous = slot.previous
    this.#size -= 1
    slot.wave.open -= 1
    slot.previous = null
    slot.next = null
    slot.item = null
    slot.permit = null
    slot.line = null
    slot.heard = undefined
    slot.result = undefined
    slot.abortedMs = null
    slot.pooling = false
    if (!slot.retired) this.#free.push(slot)
  }
}
