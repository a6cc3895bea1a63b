/**
 * The rate that a quota grants, found from its refusals (429). The rate is unbounded until the first one.
 *
 * At a refusal nothing is left, so each says what was granted until then by a quota of which rate and size are unknown;
 * what the last few say together (`quota-fit.ts`) is the new pace, in the upper half of what is believed while that is
 * wide, since a pace that is too high is found out at once and one that is too low only by raising it. A pace that has
 * been clean for a while is raised until the next refusal, faster the less is known; where that shows the same quota
 * again, the next try waits longer.
 * Invariant: once something has been granted, refused calls in a row pause it for at most `LONGEST_PAUSE_MS`.
 */
import { fitQuota } from './quota-fit.ts'
import { QuotaWindow } from './quota-window.ts'
import { RateLimit } from './rate.ts'
import { Stretch } from './stretch.ts'

/** A pace below the estimate by this much is not refused on account of rounding. */
const HOLD = 0.995
const LEAST_CUT = 0.98
const SLOWEST = 0.02
/** Granted calls, or time, that make an interval between refusals worth a conclusion. */
const ENOUGH = 16
const ENOUGH_MS = 2000
/** How far what is believed may lie apart before the search goes on sooner: a try costs a Retry-After. */
const UNSURE = 1.3
const SEARCH_MS = 4000
const HOLD_MS = 20_000
/** A refusal is wasted: so many calls are granted for each of the last ones before the quota is tried again. */
const CALLS_PER_REFUSAL = 200
const MOST_OWED = 1000
/** Where little is known of the quota, more may be wasted to learn it. */
const UNSURE_OWED = 500
/** A pace that is much too low would take for ever to pay: a try waits no longer than so many times the usual. */
const LONGEST_PAYING = 3
/** A window that no longer holds the client back gives way to this multiple of it, until the next refusal. */
const UNBOUND = 1.5
/** At the most this share of the time is spent waiting for Retry-After because the quota was tried. */
const TRIED_SHARE = 1 / 20
const LONGEST_SHARE = 1 / 60
const LONGEST_HOLD_MS = 60_000
const RAMP = 0.05
const STEEPEST_RAMP = 0.7
const STEEPER = 1.3
/** What is believed is passed through in about so many seconds, but at most this steeply to begin with. */
const APART_S = 8
const STEEP = 0.25
/** A try that finds no more than this above what held has found the same quota. */
const SAME = 1.05
/** Bounds of what is believed, as shares of a pace that held and of one that was refused. */
const SURE_SHARE = 0.9
const LEAST_SHARE = 1 / 6
const MOST_EVIDENCE = 4
/** What was sent within less time is no rate. */
const LEAST_RATE_MS = 500
const SPACING_MS = 5
const RAMP_STEP_MS = 50
/** Refused calls in a row before a quota that names no time is left alone for one, and for how long. */
const STREAK = 3
const FIRST_PAUSE_MS = 20
const LONGEST_PAUSE_MS = 2000

export class Quota {
  readonly #pacer = new RateLimit(1, 1)
  readonly #window = new QuotaWindow()
  #perSecond = Number.POSITIVE_INFINITY
  /** What was granted since the last refusal; null before the first call. */
  #stretch: Stretch | null = null
  /** The last stretches that ended with a refusal by what seems to be the present quota. */
  readonly #evidence: Stretch[] = []
  /** Calls sent before the pace changed say nothing about it. */
  #changedAt = 0
  #changedMs = 0
  #lastRefusalMs = Number.NEGATIVE_INFINITY
  #retryAfterMs = 0
  #holdMs = HOLD_MS
  /** Calls until the quota may be tried again: what the last refusals wasted has to be a small share. */
  #owed = 0
  /** The pace that held before it was raised; 0 while it is not being raised. */
  #held = 0
  #steepness = RAMP
  /** How far what is believed of the quota lies apart, as a ratio. */
  #apart = 1
  #rampedMs = 0
  /** A pace that was clean for as long as a hold; 0 when there is none, or it was refused since. */
  #sure = 0
  /** Somebody had to wait for the pace: only then does being clean mean anything. */
  #bound = false
  #streak = 0
  #pausedAt = 0
  #pauseUntilMs = Number.NEGATIVE_INFINITY

  /** Infinity while no refusal has been seen. */
  get perSecond(): number {
    return this.#window.isBelieved ? this.#window.count : this.#perSecond
  }

  get isProbing(): boolean {
    return this.#held > 0 || this.#window.isTried
  }

  waitMs(nowMs: number): number {
    if (this.#perSecond === Number.POSITIVE_INFINITY) return 0
    const paceMs = this.#window.isBelieved ? this.#window.waitMs(nowMs) : this.#pacer.waitMs(nowMs)
    const wait = Math.max(paceMs, this.#pauseUntilMs - nowMs)
    if (wait > 0) this.#bound = true
    return Math.max(0, wait)
  }

  sent(nowMs: number): void {
    this.#stretch ??= new Stretch(nowMs, Number.POSITIVE_INFINITY)
    this.#stretch.granted(nowMs)
    this.#window.sent(nowMs)
    if (this.#perSecond === Number.POSITIVE_INFINITY) return
    if (this.#window.isBelieved) this.#advanceWindow(nowMs)
    else {
      this.#pacer.take(nowMs)
      this.#advance(nowMs)
    }
  }

  succeeded(): void {
    this.#owed -= 1
    this.#streak = 0
  }

  /** Starts from a rate that an earlier run found. */
  learned(perSecond: number, nowMs: number): void {
    this.#pace(perSecond, nowMs, 0)
  }

  /** Whatever was found is of no use any more. */
  forget(): void {
    this.#perSecond = Number.POSITIVE_INFINITY
    this.#window.forget()
    this.#stretch = null
    this.#evidence.length = 0
    this.#held = 0
    this.#sure = 0
    this.#apart = 1
  }

  /** A 429 for the call with this sequence number, sent at `sentMs`. */
  refused(sequence: number, sentMs: number, latestSequence: number, nowMs: number, retryAfterMs: number): void {
    this.#retryAfterMs = Math.max(retryAfterMs, 0.8 * this.#retryAfterMs)
    this.#lastRefusalMs = Math.max(this.#lastRefusalMs, sentMs)
    this.#owed = Math.min(Math.max(0, this.#owed) + CALLS_PER_REFUSAL, MOST_OWED)
    const stretch = this.#stretch
    const later = latestSequence - sequence
    this.#window.refused(sentMs, nowMs)
    if (
      this.#window.isBelieved &&
      sequence > this.#changedAt &&
      this.#refusedWindow(sentMs, later, latestSequence, nowMs)
    ) {
      this.#close(sequence, latestSequence, nowMs, retryAfterMs)
      return
    }
    if (sequence > this.#changedAt && stretch !== null) {
      const isEnough = stretch.calls - later > ENOUGH || sentMs - stretch.startMs >= ENOUGH_MS
      if (this.#perSecond === Number.POSITIVE_INFINITY || this.#held > 0 || isEnough) {
        stretch.end(sentMs, later + 1)
        this.#conclude(stretch, latestSequence, nowMs)
        if (!this.#window.isBelieved && this.#window.concluded(sentMs, later, stretch.mostBefore))
          this.#believeWindow(nowMs)
        this.#stretch = new Stretch(nowMs, 0)
      } else stretch.refused(sentMs)
    } else stretch?.refused(sentMs)
    this.#close(sequence, latestSequence, nowMs, retryAfterMs)
  }

  /** The gate is closed now, or, when the refusal named no time and is not the first in a row, a pause begins. */
  #close(sequence: number, latestSequence: number, nowMs: number, retryAfterMs: number): void {
    if (retryAfterMs > 0) return
    if (sequence <= this.#pausedAt) return
    this.#streak += 1
    if (this.#streak < STREAK) return
    const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(20, this.#streak - STREAK))
    this.#pauseUntilMs = nowMs + pauseMs
    this.#pausedAt = latestSequence
  }

  /** A stretch of calls has ended with a refusal: what it says together with those before it is the new pace. */
  #conclude(stretch: Stretch, latestSequence: number, nowMs: number): void {
    // Where the limit held the client back, less was sent than the pace allowed.
    const isShort = stretch.lastsMs < LEAST_RATE_MS && this.#perSecond < Number.POSITIVE_INFINITY
    const refusedAt = isShort ? this.#perSecond : Math.min(this.#perSecond, stretch.fastest())
    const held = this.#held
    if (held === 0 && this.#perSecond <= this.#sure) {
      // Refused at a pace that had held: the quota has fallen in the midst of this stretch, and what held means nothing.
      this.#sure = 0
      this.#evidence.length = 0
      this.#setHold(2 * UNSURE)
      this.#pace(LEAST_CUT * refusedAt, nowMs, latestSequence)
      return
    }
    if (held > 0) this.#sure = Math.min(held, refusedAt)
    const evidence = this.#evidence
    evidence.push(stretch)
    if (evidence.length > MOST_EVIDENCE) evidence.shift()
    const low = Math.max(SURE_SHARE * this.#sure, LEAST_SHARE * refusedAt)
    const { perSecond, apart } = fitQuota(evidence, low, refusedAt)
    if (held > 0 && perSecond <= SAME * held) {
      this.#apart = 1
      this.#setHold(1)
      this.#holdLonger()
      this.#pace(Math.min(held, HOLD * perSecond), nowMs, latestSequence)
      return
    }
    this.#apart = apart
    this.#setHold(apart)
    this.#pace(Math.min(HOLD * perSecond, LEAST_CUT * refusedAt), nowMs, latestSequence)
  }

  /** False: it is no window, or another one. */
  #refusedWindow(sentMs: number, later: number, latestSequence: number, nowMs: number): boolean {
    const wasTried = this.#window.isTried
    const before = this.#window.count
    const isBelieved = this.#window.concluded(sentMs, later, 0)
    if (!isBelieved) {
      this.#pace(before, nowMs, 0)
      this.#sure = before
      return false
    }
    this.#believeWindow(nowMs)
    if (wasTried) this.#holdLonger()
    this.#changedAt = latestSequence
    return true
  }

  #believeWindow(nowMs: number): void {
    this.#perSecond = this.#window.count
    this.#evidence.length = 0
    this.#held = 0
    this.#apart = 1
    this.#setHold(1)
    this.#changedMs = nowMs
    this.#bound = false
    this.#stretch = new Stretch(nowMs, 0)
  }

  #advanceWindow(nowMs: number): void {
    this.#perSecond = this.#window.count
    if (this.#window.isUnbound) {
      this.#window.forget()
      this.#pace(UNBOUND * this.#perSecond, nowMs, 0)
      return
    }
    if (this.#window.isTried) {
      this.#changedMs = nowMs
      return
    }
    if (!this.#isTryDue(nowMs)) return
    this.#window.tryMore()
    this.#bound = false
  }

  /** A try has found the same quota. */
  #holdLonger(): void {
    const longestMs = Math.max(LONGEST_HOLD_MS, this.#retryAfterMs / LONGEST_SHARE)
    this.#holdMs = Math.min(1.25 * this.#holdMs, longestMs)
  }

  #setHold(apart: number): void {
    this.#holdMs =
      apart > UNSURE
        ? Math.max(SEARCH_MS, 3 * this.#retryAfterMs)
        : Math.max(HOLD_MS, Math.min(this.#holdMs, LONGEST_HOLD_MS), this.#retryAfterMs / TRIED_SHARE)
  }

  #isTryDue(nowMs: number): boolean {
    if (!this.#bound) return false
    const quietMs = nowMs - Math.max(this.#changedMs, this.#lastRefusalMs)
    const isPaid = this.#owed <= (this.#apart > UNSURE ? UNSURE_OWED : 0)
    return quietMs >= (isPaid ? 1 : LONGEST_PAYING) * this.#holdMs
  }

  #advance(nowMs: number): void {
    if (this.#held > 0) {
      this.#ramp(nowMs)
      return
    }
    if (!this.#isTryDue(nowMs)) return
    this.#held = this.#perSecond
    this.#steepness = Math.max(RAMP, Math.min(STEEP, Math.log(this.#apart) / APART_S))
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
