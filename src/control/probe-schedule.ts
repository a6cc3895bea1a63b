/**
 * When to probe. Probes come at round times of the wall clock, so that clients which know nothing of one another probe
 * together: only then does the queue that they share drain, and each sees the latency without it.
 */
const FIRST_MS = 500
const LONGEST_MS = 10_000
/** A probe costs a few durations of a call; it must not come more often than this many of them. */
const DURATIONS = 60
const SLOT_DURATIONS = 8
const MOVED = 0.05

export class ProbeSchedule {
  dueMs = Number.POSITIVE_INFINITY
  #intervalMs = FIRST_MS

  /** Begins anew with short intervals. `aheadMs` is steady time minus wall time. */
  restart(nowMs: number, aheadMs: number, typicalMs: number): void {
    this.#intervalMs = FIRST_MS
    this.#next(nowMs, aheadMs, typicalMs)
  }

  /** A probe has ended, and the baseline moved by so much (a difference of logarithms). */
  probed(moved: number, error: number, nowMs: number, aheadMs: number, typicalMs: number): void {
    this.#intervalMs =
      Math.abs(moved) > MOVED + 2 * error
        ? Math.max(2000, this.#intervalMs / 2)
        : Math.min(LONGEST_MS, this.#intervalMs * 2)
    this.#next(nowMs, aheadMs, typicalMs)
  }

  /** Asks again after the same interval. */
  postpone(nowMs: number, aheadMs: number, typicalMs: number): void {
    this.#next(nowMs, aheadMs, typicalMs)
  }

  #next(nowMs: number, aheadMs: number, typicalMs: number): void {
    let interval = this.#intervalMs
    while (interval < DURATIONS * typicalMs && interval < 600_000) interval *= 2
    this.dueMs = nextSlot(nowMs + interval / 2, aheadMs, interval)
  }
}

/** The next slot for a deep probe: the first round second, or two, four … seconds where calls take longer. */
export function deepSlotMs(nowMs: number, aheadMs: number, typicalMs: number): number {
  let interval = 1000
  while (interval < SLOT_DURATIONS * typicalMs && interval < 600_000) interval *= 2
  return nextSlot(nowMs, aheadMs, interval)
}

function nextSlot(nowMs: number, aheadMs: number, intervalMs: number): number {
  return Math.ceil((nowMs - aheadMs) / intervalMs) * intervalMs + aheadMs
}
