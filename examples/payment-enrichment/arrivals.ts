/**
 * When payments arrive: an open-loop schedule of phases, each with its own rate. The generator asks how many are due
 * by now and when the n-th was meant to arrive. The schedule never waits for anybody: a generator that fell behind
 * catches up, and the payments keep the time at which they should have come.
 */

export interface Phase {
  readonly perMinute: number
  /** How long it lasts; Infinity for the last one of a schedule without end. */
  readonly forMs: number
}

export class Arrivals {
  readonly #phases: readonly Phase[]

  constructor(phases: readonly Phase[]) {
    this.#phases = phases
  }

  /** How many payments have arrived by then; time counts from the start of the schedule. */
  dueBy(elapsedMs: number): number {
    let due = 0
    let left = elapsedMs
    for (const phase of this.#phases) {
      due += (Math.min(left, phase.forMs) * phase.perMinute) / 60_000
      left -= phase.forMs
      if (left <= 0) break
    }
    return Math.floor(due)
  }

  /** When the n-th payment (from 1) arrives; Infinity when the schedule ends before it. */
  timeOf(nth: number): number {
    let start = 0
    let before = 0
    for (const phase of this.#phases) {
      const atMs = ((nth - before) * 60_000) / phase.perMinute
      if (atMs <= phase.forMs) return start + atMs
      start += phase.forMs
      before += (phase.forMs * phase.perMinute) / 60_000
    }
    return Number.POSITIVE_INFINITY
  }

  /** How long the whole schedule lasts. */
  get endMs(): number {
    return this.#phases.reduce((sum, phase) => sum + phase.forMs, 0)
  }
}
