/**
 * The share of calls that fail in one way (refused for overload, or timed out), and how much of it the load does not
 * make. Called by `failures.ts`. Invariant: the background is never more than `attribute` said last.
 */
const WEIGHT = 1 / 64
/** The background follows the share downwards, so slowly that chance hardly moves it. */
const SLOW_WEIGHT = 1 / 512
/** More than the background by so many standard errors is more than chance: such shares are skewed, and asked for often. */
const ERRORS = 6
/** By fewer calls nothing is said of a share, and of a small one. */
const FEW = 16
const MANY = 256

export class FailureShare {
  readonly #least: number
  /** Exponentially weighted: of the last 64 calls or so. */
  #share = 0
  #background = 0
  #attributed = 0
  #succeeded = 0
  #failed = 0
  /** Calls up to this sequence number would have failed by now; counted from the other. */
  #upTo = 0
  #from = 0

  /** `least`: up to this share nothing has to be wrong. */
  constructor(least: number) {
    this.#least = least
  }

  /** Calls since `restart` that failed, and that succeeded. */
  get failed(): number {
    return this.#failed
  }

  get succeeded(): number {
    return this.#succeeded
  }

  /** What fails whatever the load is. */
  get background(): number {
    return this.#background
  }

  /** The share of what has settled since `restart`; 0 while few have succeeded. */
  get mean(): number {
    return this.#succeeded < FEW ? 0 : this.#failed / (this.#failed + this.#succeeded)
  }

  /** More calls fail than the background and chance explain. */
  get isHigh(): boolean {
    const background = this.#background
    // The variance of an exponentially weighted mean with weight w is w ÷ (2 − w) of that of single values.
    const error = Math.sqrt((background * (1 - background) * WEIGHT) / (2 - WEIGHT))
    return this.#share > this.#least + background + ERRORS * error
  }

  /** So few fail that nothing has to be explained. */
  get isLow(): boolean {
    return this.#succeeded >= MANY && this.#failed <= (this.#least / 2 + this.#background) * this.#succeeded
  }

  /** Only calls from this sequence number on count. */
  restart(sequence: number): void {
    this.#share = 0
    this.#succeeded = 0
    this.#failed = 0
    this.#upTo = sequence
    this.#from = sequence
  }

  succeeds(): void {
    this.#succeeded += 1
    this.#learn(0)
  }

  fails(sequence: number): void {
    this.#failed += 1
    if (sequence >= this.#upTo) this.#upTo = sequence + 1
    this.#learn(1)
  }

  #learn(failed: 0 | 1): void {
    this.#share += (failed - this.#share) * WEIGHT
    if (this.#attributed === 0) return
    const followed = this.#background + (failed - this.#background) * SLOW_WEIGHT
    this.#background = Math.min(followed, this.#attributed)
  }

  /**
   * Calls since `restart` of which it is known whether they failed: those sent before one that failed. Which settle
   * first says nothing, since refusals come at once and time-outs late.
   */
  get known(): number {
    return this.#upTo - this.#from
  }

  /** So large a share is not the load's doing. */
  attribute(share: number): void {
    this.#background = share
    this.#attributed = share
  }
}
