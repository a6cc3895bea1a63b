/**
 * Whether the limit from before an alarm may be tried again at once. After a pause of the downstream it may; where the
 * alarm comes back each time, capacity has fallen, and the tries become rarer.
 */
const FIRST_BACKOFF_MS = 1000
const LONGEST_BACKOFF_MS = 16_000
const FAILED_WITHIN_MS = 1000
const FAILED_WITHIN_DURATIONS = 20

export class Restores {
  #restoredMs = Number.NEGATIVE_INFINITY
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #backoffMs = FIRST_BACKOFF_MS

  /** An alarm; if it follows closely on a restored limit, that was a failure. */
  alarmed(nowMs: number, typicalMs: number): void {
    const sinceMs = nowMs - this.#restoredMs
    if (sinceMs < Math.max(FAILED_WITHIN_MS, FAILED_WITHIN_DURATIONS * typicalMs)) {
      this.#backoffMs = Math.min(LONGEST_BACKOFF_MS, 2 * this.#backoffMs)
      this.#notBeforeMs = nowMs + this.#backoffMs
    } else if (sinceMs > 2 * LONGEST_BACKOFF_MS) this.#backoffMs = FIRST_BACKOFF_MS
  }

  /** True when the old limit may be tried now; then it is. */
  tryNow(nowMs: number): boolean {
    if (nowMs < this.#notBeforeMs) return false
    this.#restoredMs = nowMs
    return true
  }
}
