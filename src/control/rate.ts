/**
 * A rate limit: the generic cell rate algorithm (ITU-T I.371), which spaces starts evenly instead of opening a window
 * full of them. The theoretical arrival time runs ahead of the clock by one interval a start, and a start is allowed
 * while it is ahead by less than the burst. In any window of T seconds at most T × perSecond + burst starts happen.
 */
export class RateLimit {
  #intervalMs: number
  #toleranceMs: number
  #theoreticalMs = Number.NEGATIVE_INFINITY

  constructor(perSecond: number, burst: number) {
    this.#intervalMs = 1000 / perSecond
    this.#toleranceMs = (Math.max(1, burst) - 1) * this.#intervalMs
  }

  get perSecond(): number {
    return 1000 / this.#intervalMs
  }

  /** Changes the rate from now on; what was already granted stays granted. */
  change(perSecond: number, burst: number): void {
    this.#intervalMs = 1000 / perSecond
    this.#toleranceMs = (Math.max(1, burst) - 1) * this.#intervalMs
  }

  /** 0 when a start is allowed now, else the milliseconds until one is. */
  waitMs(nowMs: number): number {
    const wait = this.#theoreticalMs - this.#toleranceMs - nowMs
    return Math.max(wait, 0)
  }

  /** Takes one start; the caller has seen `waitMs` return 0. */
  take(nowMs: number): void {
    this.#theoreticalMs = Math.max(this.#theoreticalMs, nowMs) + this.#intervalMs
  }
}
