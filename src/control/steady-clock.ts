/**
 * Time that never runs backwards, for clocks that do. The controller is handed the time by its caller; a step back
 * continues from where it was, and what is no number counts as no time passed. Invariant: `read` never falls.
 */
const MAX_TIME_MS = 1e15

export class SteadyClock {
  #givenMs = 0
  /** What the given time has lost by stepping back. */
  #aheadMs = 0

  constructor(nowMs: number) {
    this.#givenMs = isTime(nowMs) ? nowMs : 0
  }

  /** The steady time that belongs to `nowMs`. */
  read(nowMs: number): number {
    if (!(nowMs >= this.#givenMs && nowMs < MAX_TIME_MS)) {
      if (!isTime(nowMs)) return this.#givenMs + this.#aheadMs
      this.#aheadMs += this.#givenMs - nowMs
    }
    this.#givenMs = nowMs
    return nowMs + this.#aheadMs
  }

  /** Steady time minus the time as given: the wall clock is needed where clients meet at round seconds. */
  get aheadMs(): number {
    return this.#aheadMs
  }
}

function isTime(value: number): boolean {
  return value > -MAX_TIME_MS && value < MAX_TIME_MS
}
