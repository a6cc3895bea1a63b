/**
 * Slot-state accounting: for each concurrency slot of a stage, how long it was in which state. The stage says how
 * many slots are in each state whenever that changes, at most once a loop; the clock adds counts × elapsed. The
 * integrals must sum to slots × time, which is kept apart and compared (`error`).
 */
import { SLOT_STATES, type SlotState } from '../model/status.ts'

export const IDLE = 0
export const CPU = 1
export const AWAIT = 2
export const POOL = 3
export const RATE = 4
export const KEY = 5
export const LINGER = 6
export const BACKOFF = 7
export const BLOCKED = 8
export const COMMIT = 9
const STATES = SLOT_STATES.length

export class SlotClock {
  /** Slots in each state now; the stage writes it after `advance`. */
  readonly counts = new Float64Array(STATES)
  readonly #slotMs = new Float64Array(STATES)
  #expectedSlotMs = 0
  /** Of the AWAIT time to come, what is CPU. */
  #owedMs = 0
  #slots: number
  #atMs: number

  constructor(slots: number, nowMs: number) {
    this.#slots = slots
    this.#atMs = nowMs
    this.counts[IDLE] = slots
  }

  /** Charges the time since the last call to the states as they were. */
  advance(nowMs: number): void {
    const elapsed = nowMs - this.#atMs
    if (elapsed <= 0) return
    this.#atMs = nowMs
    this.#expectedSlotMs += elapsed * this.#slots
    const { counts } = this
    const slotMs = this.#slotMs
    // The slots of a stage are mostly in one state or two.
    for (let state = 0; state < STATES; state += 1) {
      const slots = counts[state] as number
      if (slots !== 0) slotMs[state] = (slotMs[state] as number) + slots * elapsed
    }
    if (this.#owedMs > 0) this.#settle((counts[AWAIT] as number) * elapsed)
  }

  /** Only of what was just charged, so that no state ever loses time. */
  #settle(awaitedMs: number): void {
    const ms = Math.min(this.#owedMs, awaitedMs)
    this.#owedMs -= ms
    this.#slotMs[AWAIT] = (this.#slotMs[AWAIT] as number) - ms
    this.#slotMs[CPU] = (this.#slotMs[CPU] as number) + ms
  }

  get atMs(): number {
    return this.#atMs
  }

  /** How many slots the stage has from now on. */
  resize(slots: number): void {
    this.#slots = slots
  }

  /** One slot ran user code for `ms` of the time that the next `advance` will charge as AWAIT. */
  ranOfAwait(ms: number): void {
    this.#owedMs += ms
  }

  /** One slot ran user code for `ms` since the last `advance`; moves the clock on. */
  run(state: number, ms: number): void {
    if (ms <= 0) return
    this.#atMs += ms
    this.#expectedSlotMs += ms * this.#slots
    this.#slotMs[state] = (this.#slotMs[state] as number) + ms
  }

  slotMs(state: number): number {
    return this.#slotMs[state] as number
  }

  /** |Σ states − slots × time| / (slots × time). */
  error(): number {
    if (this.#expectedSlotMs === 0) return 0
    let sum = 0
    for (const ms of this.#slotMs) sum += ms
    return Math.abs(sum - this.#expectedSlotMs) / this.#expectedSlotMs
  }

  /** Slot-seconds by state since the start. */
  seconds(): Record<SlotState, number> {
    const seconds = {} as Record<SlotState, number>
    for (let state = 0; state < STATES; state += 1) {
      seconds[SLOT_STATES[state] as SlotState] = (this.#slotMs[state] as number) / 1000
    }
    return seconds
  }
}
