/**
 * The agenda of a simulation: a binary heap of events in parallel typed arrays, so that an event costs no garbage.
 * Events due at the same time come out in an order drawn from the seed, so that no result rests on the order in which
 * the code happened to schedule them, and the same seed gives the same run.
 */
import { SeededRandom } from '../control/random.ts'

/** Kinds of events are small numbers and share a word with their argument. */
const KIND_BITS = 4
const KIND_MASK = (1 << KIND_BITS) - 1

export class Agenda {
  /** Of the event that `next` took off last. */
  nowMs = 0
  kind = 0
  argument = 0

  #dueMs = new Float64Array(1024)
  #tie = new Uint32Array(1024)
  #what = new Int32Array(1024)
  #size = 0
  readonly #random: SeededRandom

  constructor(seed: number) {
    this.#random = new SeededRandom(seed)
  }

  get size(): number {
    return this.#size
  }

  /** When the next event is due; Infinity when there is none. */
  get nextMs(): number {
    return this.#size === 0 ? Number.POSITIVE_INFINITY : (this.#dueMs[0] as number)
  }

  /** `kind` is below 16, `argument` a whole number below 2²⁷. */
  schedule(dueMs: number, kind: number, argument: number): void {
    if (this.#size === this.#dueMs.length) this.#grow()
    const due = this.#dueMs
    const ties = this.#tie
    const what = this.#what
    const tie = this.#random.next() * 0xffffffff
    let at = this.#size++
    while (at > 0) {
      const parent = (at - 1) >> 1
      const parentMs = due[parent] as number
      if (parentMs < dueMs || (parentMs === dueMs && (ties[parent] as number) <= tie)) break
      due[at] = parentMs
      ties[at] = ties[parent] as number
      what[at] = what[parent] as number
      at = parent
    }
    due[at] = dueMs
    ties[at] = tie
    what[at] = (argument << KIND_BITS) | kind
  }

  /** Takes the next event off and moves the clock to it; false when nothing is due. */
  next(): boolean {
    if (this.#size === 0) return false
    const due = this.#dueMs
    const ties = this.#tie
    const what = this.#what
    this.nowMs = due[0] as number
    this.kind = (what[0] as number) & KIND_MASK
    this.argument = (what[0] as number) >> KIND_BITS
    const last = --this.#size
    const dueMs = due[last] as number
    const tie = ties[last] as number
    let at = 0
    for (;;) {
      let child = at * 2 + 1
      if (child >= last) break
      let childMs = due[child] as number
      if (child + 1 < last) {
        const otherMs = due[child + 1] as number
        if (otherMs < childMs || (otherMs === childMs && (ties[child + 1] as number) < (ties[child] as number))) {
          child += 1
          childMs = otherMs
        }
      }
      if (childMs > dueMs || (childMs === dueMs && (ties[child] as number) >= tie)) break
      due[at] = childMs
      ties[at] = ties[child] as number
      what[at] = what[child] as number
      at = child
    }
    due[at] = dueMs
    ties[at] = tie
    what[at] = what[last] as number
    return true
  }

  #grow(): void {
    const length = this.#dueMs.length * 2
    const due = new Float64Array(length)
    const ties = new Uint32Array(length)
    const what = new Int32Array(length)
    due.set(this.#dueMs)
    ties.set(this.#tie)
    what.set(this.#what)
    this.#dueMs = due
    this.#tie = ties
    this.#what = what
  }
}
