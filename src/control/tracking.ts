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
const MOST_BOOST = 1e6
/** A window below the baseline counts as well, since noise is even, but no further than this many errors. */
const LOW_ERRORS = 2

export class Tracking {
  #cusum = 0
  #calm = 0
  #boost = 1

  restart(): void {
    this.#cusum = 0
    this.restartGrowth()
  }

  restartGrowth(): void {
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

  /** The limit after a window in which it held the client back; `whole` calls at once is what it came to. */
  next(limit: number, whole: number, rise: number, error: number, target: number): number {
    if (rise <= CALM_RISE + 0.5 * error) {
      this.#calm += 1
      if (this.#calm >= CALM_WINDOWS) this.#boost = Math.min(this.#boost * 2, MOST_BOOST)
    } else if (rise <= target / limit + 1.5 * error) {
      // Neither calm nor a queue: with much noise that is how calm looks every now and then.
      this.#calm = Math.max(0, this.#calm - 2)
      this.#boost = Math.max(1, this.#boost / 4)
    } else this.restartGrowth()
    const queueless = whole * Math.exp(-beyondNoise(rise, error))
    return limit + HALF * (queueless + Math.min(target * this.#boost, limit / 2 + 1) - limit)
  }

  /** The limit after a window in which something else did: it can fall, but nothing says that it may rise. */
  lowered(limit: number, rise: number, error: number, target: number): number {
    if (rise <= target / limit + 2 * error) return limit
    return Math.min(limit, limit + HALF * (limit * Math.exp(-rise) + target - limit))
  }
}

/** A rise less what noise alone explains: without this, noise would hold the limit down where few calls are seen. */
function beyondNoise(rise: number, error: number): number {
  if (rise > 0) return Math.max(0, rise - 0.5 * error)
  return Math.min(0, Math.max(rise, -LOW_ERRORS * error) + 0.5 * error)
}
