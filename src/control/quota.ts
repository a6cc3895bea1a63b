/**
 * The rate that a quota grants, found from its refusals (429). The rate is unbounded until the first refusal. Then two
 * bounds are kept: `good`, which was granted, and `bad`, which was refused, and the pace is set between them until they
 * are five percent apart. Between two refusals a bucket is empty at both ends, so what was granted between them, over
 * the time between them, is the quota itself (less what overflowed while nothing was sent): mostly that ends the search
 * at the second refusal. Later the pace is raised now and then, to find out whether the quota has been.
 * Invariant: the pace changes at most once for the calls that were sent before it changed.
 */
import { RateLimit } from './rate.ts'

const CLOSE = 1.05
const HOLD = 0.975
const SLOWEST = 0.02
/** Granted calls that make an interval between refusals worth a conclusion. */
const ENOUGH = 16
const INTERVAL_MS = 4000
const CLEAN_MS = 4000
const HOLD_MS = 15_000
const RAMP = 0.05
const STEEPEST_RAMP = 0.7
const SPACING_MS = 5

export class Quota {
  readonly #pacer = new RateLimit(1, 1)
  #perSecond = Number.POSITIVE_INFINITY
  #good = 0
  #bad = Number.POSITIVE_INFINITY
  /** The refusal from which the present interval counts: when its call was sent, and how many had been granted then. */
  #anchorMs = Number.NaN
  #anchorGranted = 0
  /** Sends minus refusals. */
  #granted = 0
  #changedAt = 0
  #changedMs = 0
  #lastRefusalMs = Number.NEGATIVE_INFINITY
  #retryAfterMs = 0
  #holdMs = HOLD_MS
  #ramping = false
  #rampedMs = 0
  #steepness = RAMP
  #firstMs = Number.NaN
  #bound = false

  /** Infinity while no refusal has been seen. */
  get perSecond(): number {
    return this.#perSecond
  }

  get isProbing(): boolean {
    return this.#ramping
  }

  waitMs(nowMs: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0
    const wait = this.#pacer.waitMs(nowMs)
    if (wait > 0) this.#bound = true
    return wait
  }

  sent(nowMs: number): void {
    if (Number.isNaN(this.#firstMs)) this.#firstMs = nowMs
    this.#granted += 1
    if (this.#perSecond === Number.POSITIVE_INFINITY) return
    this.#pacer.take(nowMs)
    this.#advance(nowMs)
  }

  /** Starts from a rate that an earlier run found. */
  learned(perSecond: number, nowMs: number): void {
    this.#good = perSecond
    this.#bad = perSecond / HOLD
    this.#pace(perSecond, nowMs, 0)
  }

  /** A 429 for the call with this sequence number, sent at `sentMs`. */
  refused(sequence: number, sentMs: number, latestSequence: number, nowMs: number, retryAfterMs: number): void {
    this.#granted -= 1
    this.#retryAfterMs = Math.max(retryAfterMs, 0.8 * this.#retryAfterMs)
    const isNew = sequence > this.#changedAt
    const sinceMs = sentMs - (Number.isNaN(this.#anchorMs) ? this.#firstMs : this.#anchorMs)
    // Calls sent after this one are not yet known to be granted.
    const granted = Math.max(0, this.#granted - (latestSequence - sequence) - this.#anchorGranted)
    const isFirst = Number.isNaN(this.#anchorMs)
    const enough = granted >= ENOUGH || sinceMs >= 2000
    const quietMs = sentMs - this.#lastRefusalMs
    this.#lastRefusalMs = sentMs
    if (isNew) this.#lower(isFirst, granted, sinceMs, quietMs, latestSequence, nowMs)
    if (isFirst || enough) {
      this.#anchorMs = sentMs
      this.#anchorGranted += granted
    }
  }

  #lower(
    isFirst: boolean,
    granted: number,
    sinceMs: number,
    quietMs: number,
    latestSequence: number,
    nowMs: number,
  ): void {
    const seconds = Math.max(sinceMs, 1) / 1000
    const pace = this.#perSecond
    const closed = this.#retryAfterMs / 1000
    this.#holdMs = Math.max(HOLD_MS, 15 * this.#retryAfterMs)
    if (isFirst) {
      this.#bad = Math.max(granted, 1) / seconds
      this.#good = 0
      this.#pace(Math.max(SLOWEST, Math.max(granted, 1) / (seconds + closed)), nowMs, latestSequence)
      return
    }
    if (this.#ramping) {
      // The pace was being raised: what held before it still holds.
      this.#ramping = false
      const found = this.#bad / CLOSE > pace || pace <= 1.15 * this.#good
      this.#bad = pace
      if (found) {
        this.#pace(HOLD * this.#good, nowMs, latestSequence)
        return
      }
      this.#good = Math.max(this.#good, pace / 1.3)
      this.#pace(Math.sqrt(this.#good * this.#bad), nowMs, latestSequence)
      return
    }
    this.#bad = Math.min(this.#bad, pace)
    if (quietMs > INTERVAL_MS + 3 * this.#retryAfterMs) {
      // A long time went well at this pace: either a full bucket has run dry, or the quota has fallen. Which, the
      // interval to the next refusal will tell.
      this.#good = 0
      this.#pace(0.93 * pace, nowMs, latestSequence)
      return
    }
    const floor = granted >= 4 || seconds > 2 ? granted / seconds : 0
    if (floor > 0 && this.#retryAfterMs < 50) {
      this.#good = Math.min(floor, pace)
      this.#bad = Math.min(this.#bad, Math.max(this.#good * CLOSE, this.#good))
      this.#pace(Math.min(HOLD * floor, 0.97 * pace), nowMs, latestSequence)
      return
    }
    this.#good = Math.min(Math.max(this.#good, floor), 0.97 * pace)
    const guess = this.#good > 0 ? Math.sqrt(this.#good * this.#bad) : pace / 2
    this.#pace(Math.min(guess, 0.97 * pace), nowMs, latestSequence)
  }

  #advance(nowMs: number): void {
    const cleanMs = nowMs - Math.max(this.#changedMs, this.#lastRefusalMs)
    if (this.#ramping) {
      this.#ramp(nowMs)
      return
    }
    if (!this.#bound) return
    if (this.#bad > CLOSE * this.#perSecond && this.#bad < Number.POSITIVE_INFINITY) {
      if (cleanMs < Math.max(CLEAN_MS, 3 * this.#retryAfterMs)) return
      this.#good = Math.max(this.#good, this.#perSecond)
      const next = Math.sqrt(this.#good * this.#bad)
      this.#pace(this.#bad / this.#good < CLOSE ? Math.max(this.#perSecond, HOLD * this.#bad) : next, nowMs, null)
      return
    }
    if (cleanMs < this.#holdMs) return
    this.#good = this.#perSecond
    this.#ramping = true
    this.#rampedMs = nowMs
    this.#steepness = RAMP
  }

  #ramp(nowMs: number): void {
    const seconds = (nowMs - this.#rampedMs) / 1000
    if (seconds < 0.05) return
    this.#rampedMs = nowMs
    this.#steepness = Math.min(STEEPEST_RAMP, this.#steepness * 1.3 ** seconds)
    // Nothing waits for the pace any more: something else is the bound, and a pace above it means nothing.
    if (!this.#bound && this.#perSecond > 1.5 * this.#good) {
      this.#ramping = false
      this.#good = this.#perSecond
      this.#changedMs = nowMs
      return
    }
    this.#bound = false
    this.#perSecond *= Math.exp(this.#steepness * seconds)
    this.#change()
  }

  #pace(perSecond: number, nowMs: number, sequence: number | null): void {
    this.#perSecond = Math.max(SLOWEST, perSecond)
    this.#changedMs = nowMs
    this.#bound = false
    if (sequence !== null) this.#changedAt = sequence
    this.#change()
  }

  #change(): void {
    this.#pacer.change(this.#perSecond, 1 + (this.#perSecond * SPACING_MS) / 1000)
  }
}
