/**
 * The step of the limit at the end of a window: towards the limit at which the target queue stands, half of the way.
 * Where latency stays at the baseline the step doubles from window to window, so that capacity that came back is found
 * within a few. A sum of small rises (CUSUM, Page 1954) finds a drift that no single window shows.
 */
const HALF = 0.5
const CALM_RISE = 0.02
const CALM_WINDOWS = 3
const CUSUM_LIMIT = 6
const CUSUM_SLACK = 0.03
const LEAST_ERROR = 0.03
/** Noise is even: a window below the baseline counts as well, but no further than this many errors. */
const LOW_ERRORS = 2

export class Tracking {
  #cusum = 0
  #calm = 0
  #boost = 1

  restart(): void {
    this.#cusum = 0
    this.#calm = 0
    this.#boost = 1
  }

  /** Takes the rise of a window over the baseline; true when the sum of them is a drift. `target`: calls to queue. */
  isDrift(rise: number, error: number, target: number, limit: number): boolean {
    const unexpected = rise - (1.3 * target) / limit - CUSUM_SLACK
    this.#cusum = Math.max(0, this.#cusum + unexpected / Math.max(error, LEAST_ERROR))
    if (this.#cusum <= CUSUM_LIMIT) return false
    this.#cusum = 0
    return true
  }

  /** The limit after a window in which the limit was what held the client back. */
  next(limit: number, rise: number, error: number, target: number): number {
    this.#calm = rise <= CALM_RISE + 0.5 * error ? this.#calm + 1 : 0
    this.#boost = this.#calm >= CALM_WINDOWS ? Math.min(this.#boost * 2, 1e6) : 1
    const queueless = limit * Math.exp(-Math.max(rise, -LOW_ERRORS * error))
    return limit + HALF * (queueless + Math.min(target * this.#boost, limit / 2 + 1) - limit)
  }

  /** The limit after a window in which something else did: it can fall, but nothing says that it may rise. */
  lowered(limit: number, rise: number, error: number, target: number): number {
    if (rise <= target / limit + 2 * error) return limit
    return Math.min(limit, limit + HALF * (limit * Math.exp(-rise) + target - limit))
  }
}
