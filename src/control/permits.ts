/**
 * The calls in flight, in the order in which they were sent. A permit is a number that names a slot and the generation
 * of its use, so that one settled twice, or settled after its slot was given away, is recognised and changes nothing.
 * A call that never settles is given up as lost after a while: its place in the limit is free again, and its slot stays
 * readable for a late end as long as there is room. Invariant: slots ≤ MAX_SLOTS whatever the caller does.
 */
const FIRST_SLOTS = 64
const MAX_SLOTS = 65_536
/** Lost calls that are remembered; the oldest is forgotten first. */
const MAX_LOST = 1024
const NONE = -1
const GENERATION = MAX_SLOTS

const FREE = 0
const IN_FLIGHT = 1
const LOST = 2

export class Permits {
  #sentMs = new Float64Array(FIRST_SLOTS)
  #sequence = new Float64Array(FIRST_SLOTS)
  #generation = new Float64Array(FIRST_SLOTS)
  #state = new Uint8Array(FIRST_SLOTS)
  /** A list of the slots in flight from the oldest on; free slots are chained through `#next` alone. */
  #next = new Int32Array(FIRST_SLOTS)
  #previous = new Int32Array(FIRST_SLOTS)
  #used = 0
  #firstFree = NONE
  #oldest = NONE
  #newest = NONE
  #inFlight = 0
  readonly #lost = new Int32Array(MAX_LOST)
  readonly #lostGeneration = new Float64Array(MAX_LOST)
  #lostAt = 0

  get inFlight(): number {
    return this.#inFlight
  }

  /** A permit, never 0, for the call with this sequence number. */
  open(nowMs: number, sequence: number): number {
    const slot = this.#take()
    const generation = (this.#generation[slot] as number) + 1
    this.#generation[slot] = generation
    this.#sentMs[slot] = nowMs
    this.#sequence[slot] = sequence
    this.#state[slot] = IN_FLIGHT
    this.#next[slot] = NONE
    this.#previous[slot] = this.#newest
    if (this.#newest === NONE) this.#oldest = slot
    else this.#next[this.#newest] = slot
    this.#newest = slot
    this.#inFlight += 1
    return generation * GENERATION + slot
  }

  /** The slot of a permit that is open or lost, or -1 for one that means nothing (any more). */
  slotOf(permit: unknown): number {
    if (typeof permit !== 'number' || !(permit > 0)) return NONE
    // The low sixteen bits: `%` of numbers this large is a call of the C library.
    const slot = permit & (GENERATION - 1)
    if (slot >= this.#used || this.#state[slot] === FREE) return NONE
    return this.#generation[slot] === (permit - slot) / GENERATION ? slot : NONE
  }

  sentMs(slot: number): number {
    return this.#sentMs[slot] as number
  }

  sequence(slot: number): number {
    return this.#sequence[slot] as number
  }

  isLost(slot: number): boolean {
    return this.#state[slot] === LOST
  }

  /** The call of this slot has ended. */
  close(slot: number): void {
    if (this.#state[slot] === IN_FLIGHT) this.#unlink(slot)
    this.#release(slot)
  }

  /** When the oldest call in flight was sent; Infinity when there is none. */
  get oldestMs(): number {
    return this.#oldest === NONE ? Number.POSITIVE_INFINITY : (this.#sentMs[this.#oldest] as number)
  }

  /** Gives up the oldest call in flight. */
  loseOldest(): void {
    const slot = this.#oldest
    if (slot === NONE) return
    this.#unlink(slot)
    this.#state[slot] = LOST
    const at = this.#lostAt % MAX_LOST
    if (this.#lostAt >= MAX_LOST) this.#forget(this.#lost[at] as number, this.#lostGeneration[at] as number)
    this.#lost[at] = slot
    this.#lostGeneration[at] = this.#generation[slot] as number
    this.#lostAt += 1
  }

  #forget(slot: number, generation: number): void {
    if (this.#state[slot] === LOST && this.#generation[slot] === generation) this.#release(slot)
  }

  #release(slot: number): void {
    this.#state[slot] = FREE
    this.#next[slot] = this.#firstFree
    this.#firstFree = slot
  }

  #unlink(slot: number): void {
    const next = this.#next[slot] as number
    const previous = this.#previous[slot] as number
    if (previous === NONE) this.#oldest = next
    else this.#next[previous] = next
    if (next === NONE) this.#newest = previous
    else this.#previous[next] = previous
    this.#inFlight -= 1
  }

  #take(): number {
    if (this.#firstFree === NONE && this.#used === MAX_SLOTS) {
      // Somebody sends without asking and settles nothing: the oldest call makes room.
      const slot = this.#oldest
      this.#unlink(slot)
      this.#release(slot)
    }
    const slot = this.#firstFree
    if (slot !== NONE) {
      this.#firstFree = this.#next[slot] as number
      return slot
    }
    if (this.#used === this.#state.length) this.#grow(Math.min(MAX_SLOTS, this.#used * 4))
    this.#used += 1
    return this.#used - 1
  }

  #grow(slots: number): void {
    this.#sentMs = copied(this.#sentMs, new Float64Array(slots))
    this.#sequence = copied(this.#sequence, new Float64Array(slots))
    this.#generation = copied(this.#generation, new Float64Array(slots))
    this.#state = copied(this.#state, new Uint8Array(slots))
    this.#next = copied(this.#next, new Int32Array(slots))
    this.#previous = copied(this.#previous, new Int32Array(slots))
  }
}

function copied<T extends Float64Array | Uint8Array | Int32Array>(from: T, into: T): T {
  into.set(from)
  return into
}
