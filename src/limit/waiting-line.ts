/**
 * Calls that wait for their turn, first come first served, any of which may leave. Invariant: joining, leaving and
 * taking the first are all O(1), and the line holds on to nobody who has left.
 */
export interface Waiter<T> {
  readonly value: T
  /** The line that it stands in, as long as it does. */
  line: WaitingLine<T> | null
  before: Waiter<T> | null
  after: Waiter<T> | null
}

export class WaitingLine<T> {
  #first: Waiter<T> | null = null
  #last: Waiter<T> | null = null
  #length = 0

  get length(): number {
    return this.#length
  }

  join(value: T): Waiter<T> {
    const waiter: Waiter<T> = { value, line: this, before: this.#last, after: null }
    if (this.#last === null) this.#first = waiter
    else this.#last.after = waiter
    this.#last = waiter
    this.#length += 1
    return waiter
  }

  /** Takes out the one that has waited longest. */
  shift(): T | undefined {
    const waiter = this.#first
    if (waiter === null) return undefined
    this.leave(waiter)
    return waiter.value
  }

  /** False when it does not stand here (any more). */
  leave(waiter: Waiter<T>): boolean {
    if (waiter.line !== this) return false
    const { before, after } = waiter
    if (before === null) this.#first = after
    else before.after = after
    if (after === null) this.#last = before
    else after.before = before
    waiter.line = null
    waiter.before = null
    waiter.after = null
    this.#length -= 1
    return true
  }
}
