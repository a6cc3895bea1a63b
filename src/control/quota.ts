/**
 * The rate that a quota grants, found from its refusals (429). The rate is unbounded until the first one.
 *
 * Between two refusals a bucket is empty at both ends, so what was granted between them is what flowed in: over the
 * time between them that is the quota itself, less what overflowed while the gate was closed by Retry-After. That gives
 * a lower bound (over all the time) and an upper one (over the time that the gate was open), and the pace is set
 * between them, so that the second refusal mostly ends the search. A pace that has been clean for a while is raised
 * slowly, then faster, until the next refusal: then the quota has risen, or only a full bucket was emptied, and a rise
 * that ends where the last one did is taken back.
 * Invariant: once something has been granted, refused calls in a row pause it for at most `LONGEST_PAUSE_MS`.
 */
import { RateLimit } from './rate.ts'

/** A pace below the estimate by this much is not refused on account of rounding. */
const HOLD = 0.995
const LEAST_CUT = 0.98
const SLOWEST = 0.02
/** Granted calls, or time, that make an interval between refusals worth a conclusion. */
const ENOUGH = 16
const ENOUGH_MS = 2000
/** How far the bounds may be apart before the search goes on sooner. */
const UNSURE = 1.1
const SEARCH_MS = 4000
const HOLD_MS = 20_000
/** At the most this share of the time is spent waiting for Retry-After because the quota was tried. */
const TRIED_SHARE = 1 / 20
const LONGEST_SHARE = 1 / 60
const LONGEST_HOLD_MS = 60_000
const RAMP = 0.05
const STEEPEST_RAMP = 0.7
const STEEPER = 1.3
const SAME_RAMP = 1.1
const SPACING_MS = 5
const RAMP_STEP_MS = 50
/** Refused calls in a row before a quota that names no time is left alone for one, and for how long. */
const STREAK = 3
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

export class Quota {
  readonly #pacer = new RateLimit(1, 1)
  #perSecond = Number.POSITIVE_INFINITY
  /** Sends minus refusals, in all. */
  #granted = 0
  #firstMs = Number.NaN
  /** The refusal from which the present interval counts, and how much of it the gate was closed. */
  #anchorMs = Number.NaN
  #anchorGranted = 0
  #closedMs = 0
  #closedUntilMs = Number.NEGATIVE_INFINITY
  /** Calls sent before the pace changed say nothing about it. */
  #changedAt = 0
  #changedMs = 0
  #lastRefusalMs = Number.NEGATIVE_INFINITY
  #retryAfterMs = 0
  #holdMs = HOLD_MS
  /** The pace that held before it was raised; 0 while it is not being raised. */
  #held = 0
  #steepness = RAMP
  #rampedMs = 0
  /** By what factor the pace could be raised last time, although the quota was the same. */
  #lastRamp = 1
  /** A pace that was clean for as long as a hold; 0 when there is none, or it was refused since. */
  #sure = 0
  /** Somebody had to wait for the pace: only then does being clean mean anything. */
  #bound = false
  #streak = 0
  #pausedAt = 0
  #pauseUntilMs = Number.NEGATIVE_INFINITY

  /** Infinity while no refusal has been seen. */
  get perSecond(): number {
    return this.#perSecond
  }

  get isProbing(): boolean {
    return this.#held > 0
  }

  waitMs(nowMs: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0
    const wait = Math.max(this.#pacer.waitMs(nowMs), this.#pauseUntilMs - nowMs)
    if (wait > 0) this.#bound = true
    return Math.max(0, wait)
  }

  sent(nowMs: number): void {
    if (Number.isNaN(this.#firstMs)) this.#firstMs = nowMs
    this.#granted += 1
    if (this.#perSecond === Number.POSITIVE_INFINITY) return
    this.#pacer.take(nowMs)
    this.#advance(nowMs)
  }

  succeeded(): void {
    this.#streak = 0
  }

  /** Starts from a rate that an earlier run found. */
  learned(perSecond: number, nowMs: number): void {
    this.#pace(perSecond, nowMs, 0)
  }

  /** A 429 for the call with this sequence number, sent at `sentMs`. */
  refused(sequence: number, sentMs: number, latestSequence: number, nowMs: number, retryAfterMs: number): void {
    // Calls sent after this one are not yet known to be granted.
    const granted = Math.max(0, this.#granted - 1 - (latestSequence - sequence) - this.#anchorGranted)
    this.#granted -= 1
    this.#retryAfterMs = Math.max(retryAfterMs, 0.8 * this.#retryAfterMs)
    this.#lastRefusalMs = Math.max(this.#lastRefusalMs, sentMs)
    const isFirst = Number.isNaN(this.#anchorMs)
    const sinceMs = Math.max(1, sentMs - (isFirst ? this.#firstMs : this.#anchorMs))
    const isEnough = granted >= ENOUGH || sinceMs >= ENOUGH_MS
    if (sequence > this.#changedAt) {
      if (isFirst) this.#first(granted, sinceMs, retryAfterMs, latestSequence, nowMs)
      else if (this.#held > 0) this.#endRamp(latestSequence, nowMs)
      else if (isEnough) this.#lower(granted, sinceMs, latestSequence, nowMs)
    }
    this.#close(sequence, latestSequence, nowMs, retryAfterMs)
    if (isFirst || isEnough) {
      this.#anchorMs = sentMs
      this.#anchorGranted += granted
      this.#closedMs = Math.max(0, this.#closedUntilMs - nowMs)
    }
  }

  /** The gate is closed now, or, when the refusal named no time and is not the first in a row, a pause begins. */
  #close(sequence: number, latestSequence: number, nowMs: number, retryAfterMs: number): void {
    if (retryAfterMs > 0) {
      const untilMs = nowMs + retryAfterMs
      this.#closedMs += Math.max(0, untilMs - Math.max(nowMs, this.#closedUntilMs))
      this.#closedUntilMs = Math.max(this.#closedUntilMs, untilMs)
      return
    }
    if (sequence <= this.#pausedAt) return
    this.#streak += 1
    if (this.#streak < STREAK) return
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(20, this.#streak - STREAK))
    this.#pauseUntilMs = nowMs + pauseMs
    this.#pausedAt = latestSequence
  }

  /** Of the first refusal only what came before it is known; a Retry-After in whole seconds was rounded up. */
  #first(granted: number, sinceMs: number, retryAfterMs: number, latestSequence: number, nowMs: number): void {
    const isRounded = retryAfterMs >= 1000 && retryAfterMs % 1000 === 0
    const closedMs = isRounded ? retryAfterMs - 500 : retryAfterMs
    this.#setHold(UNSURE * 2)
    this.#pace((Math.max(granted, 1) * 1000) / (sinceMs + closedMs), nowMs, latestSequence)
  }

  #lower(granted: number, sinceMs: number, latestSequence: number, nowMs: number): void {
    const calls = Math.max(granted, 0.5)
    const least = (calls * 1000) / sinceMs
    const most = (calls * 1000) / Math.max(sinceMs - this.#closedMs, 0.02 * sinceMs, 1)
    this.#setHold(most / least)
    // Refused at a pace that had held: the quota has fallen, and what held means nothing any more.
    if (this.#perSecond <= this.#sure) this.#sure = 0
    const found = HOLD * Math.sqrt(Math.max(least, this.#sure) * Math.min(most, this.#perSecond))
    this.#pace(Math.min(found, LEAST_CUT * this.#perSecond), nowMs, latestSequence)
  }

  #setHold(apart: number): void {
    this.#holdMs =
      apart > UNSURE
        ? Math.max(SEARCH_MS, 3 * this.#retryAfterMs)
        : Math.max(HOLD_MS, Math.min(this.#holdMs, LONGEST_HOLD_MS), this.#retryAfterMs / TRIED_SHARE)
  }

  #endRamp(latestSequence: number, nowMs: number): void {
    const held = this.#held
    const ramp = this.#perSecond / held
    this.#sure = held
    this.#held = 0
    if (ramp <= SAME_RAMP * this.#lastRamp) {
      this.#setHold(1)
      this.#holdMs = Math.min(1.5 * this.#holdMs, Math.max(LONGEST_HOLD_MS, this.#retryAfterMs / LONGEST_SHARE))
      this.#pace(held, nowMs, latestSequence)
      return
    }
    this.#lastRamp = ramp
    this.#setHold(2 * UNSURE)
    this.#pace(held * Math.sqrt(ramp), nowMs, latestSequence)
  }

  #advance(nowMs: number): void {
    if (this.#held > 0) {
      this.#ramp(nowMs)
      return
    }
    if (!this.#bound || nowMs - Math.max(this.#changedMs, this.#lastRefusalMs) < this.#holdMs) return
    this.#held = this.#perSecond
    this.#steepness = RAMP
    this.#rampedMs = nowMs
    this.#bound = false
  }

  #ramp(nowMs: number): void {
    const lastedMs = nowMs - this.#rampedMs
    if (lastedMs < RAMP_STEP_MS) return
    // Nothing waits for the pace any more: something else is the bound, and a higher pace would mean nothing.
    if (!this.#bound && lastedMs > 20_000 / this.#perSecond && this.#perSecond > 1.5 * this.#held) {
      this.#held = 0
      this.#changedMs = nowMs
      return
    }
    const seconds = Math.min(1, lastedMs / 1000)
    this.#rampedMs = nowMs
    this.#steepness = Math.min(STEEPEST_RAMP, this.#steepness * STEEPER ** seconds)
    this.#bound = false
    this.#perSecond *= Math.exp(this.#steepness * seconds)
    this.#change()
  }

  #pace(perSecond: number, nowMs: number, sequence: number): void {
    this.#perSecond = Math.max(SLOWEST, perSecond)
    this.#held = 0
    this.#changedMs = nowMs
    this.#changedAt = sequence
    this.#bound = false
    this.#change()
  }

  #change(): void {
    this.#pacer.change(this.#perSecond, 1 + (this.#perSecond * SPACING_MS) / 1000)
  }
}
