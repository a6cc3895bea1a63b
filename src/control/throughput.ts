/**
 * Completions a second, as an exponentially weighted mean. The head gate sizes what is in flight in time with it:
 * records in flight ≤ throughput × residence target. It samples every 100 ms, or sooner when much has completed, so
 * that a fast pipeline is known to be fast within milliseconds.
 */
const SAMPLE_MS = 100
const MIN_SAMPLE_MS = 2
const TIME_CONSTANT_MS = 2000

export class Throughput {
  #perSecond: number | null = null
  #completed = 0
  #sinceMs: number
  #firstMs: number | null = null

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  completed(records: number): void {
    this.#completed += records
  }

  /** Takes a sample if it is time; `enough` completions make it time at once. */
  sample(nowMs: number, enough: number): void {
    const elapsedMs = nowMs - this.#sinceMs
    if (elapsedMs < SAMPLE_MS && !(this.#completed >= enough && elapsedMs >= MIN_SAMPLE_MS)) return
    const observed = (this.#completed / elapsedMs) * 1000
    if (this.#perSecond === null) {
      // Nothing has completed yet: there is no rate to speak of, and the wait for the first must not count.
      if (this.#completed > 0) this.#start(observed, nowMs)
    } else {
      // A short history is weighted by its own length, so that the first seconds do not stick.
      const memoryMs = Math.min(TIME_CONSTANT_MS, nowMs - (this.#firstMs as number))
      this.#perSecond += (observed - this.#perSecond) * (1 - Math.exp(-elapsedMs / memoryMs))
    }
    this.#completed = 0
    this.#sinceMs = nowMs
  }

  /** Null until something has completed. */
  get perSecond(): number | null {
    return this.#perSecond
  }

  #start(perSecond: number, nowMs: number): void {
    this.#perSecond = perSecond
    this.#firstMs = nowMs - SAMPLE_MS
  }
}
