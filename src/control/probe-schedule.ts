/**
 * When to probe. Probes come at round times of the wall clock, so that clients which know nothing of one another probe
 * together: only then does the queue that they share drain, and each sees the latency without it.
 */
const FIRST_MS = 500
const LONGEST_MS = 8000
/** A probe costs three tenths of the throughput while it lasts: at first it may take a quarter of the time, later a 25th. */
const FIRST_SHARE = 1 / 4
const SHARE = 1 / 25
/** Once the baseline has moved, another probe comes soon, but not before so many times what one takes. */
const SOON_PROBES = 8
const SLOT_DURATIONS = 8
const LONGEST_INTERVAL_MS = 600_000
const MOVED = 0.05

export class ProbeSchedule {
  dueMs = Number.POSITIVE_INFINITY
  #intervalMs = FIRST_MS

  /** Begins anew with short intervals. `aheadMs`: steady time minus wall time; `probeMs`: a probe takes so long. */
  restart(nowMs: number, aheadMs: number, probeMs: number): void {
    this.#intervalMs = atLeast(FIRST_MS, probeMs / FIRST_SHARE)
    this.#next(nowMs, aheadMs)
  }

  /** A probe has ended, and the baseline moved by so much (a difference of logarithms). */
  probed(moved: number, error: number, nowMs: number, aheadMs: number, probeMs: number): void {
    this.#intervalMs =
      Math.abs(moved) > MOVED + 2 * error
        ? Math.max(atLeast(FIRST_MS, SOON_PROBES * probeMs), this.#intervalMs / 2)
        : Math.min(atLeast(LONGEST_MS, probeMs / SHARE), this.#intervalMs * 2)
    this.#next(nowMs, aheadMs)
  }

  /** Asks again after the same interval. */
  postpone(nowMs: number, aheadMs: number): void {
    this.#next(nowMs, aheadMs)
  }

  #next(nowMs: number, aheadMs: number): void {
    this.dueMs = nextSlot(nowMs + this.#intervalMs / 2, aheadMs, this.#intervalMs)
  }
}

/**
 * The next slot for a deep probe: the first round second, or two, four … seconds where calls take longer. `again`: one
 * was just there; the next waits for a slot at which other clients have their scheduled probes.
 */
export function deepSlotMs(nowMs: number, aheadMs: number, typicalMs: number, again: boolean): number {
  return nextSlot(nowMs, aheadMs, atLeast(again ? LONGEST_MS : 1000, SLOT_DURATIONS * typicalMs))
}

/** `intervalMs`, doubled until it is at least so much: the slots of all clients are multiples of one another. */
function atLeast(intervalMs: number, leastMs: number): number {
  let interval = intervalMs
  while (interval < leastMs && interval < LONGEST_INTERVAL_MS) interval *= 2
  return interval
}

function nextSlot(nowMs: number, aheadMs: number, intervalMs: number): number {
  return Math.ceil((nowMs - aheadMs) / intervalMs) * intervalMs + aheadMs
}
