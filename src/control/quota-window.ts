/**
 * A quota of so many calls in every second of the clock. `quota.ts` tells it what is sent and refused; it says whether
 * refusals look like such a quota (two of them after as many calls of their second, but not after as long), and from
 * then on when the next call may go. What is left of a second is spread over what is left of it, also where it began
 * with a pause.
 * It is tried early in a second, at more than the usual pace: the Retry-After of a refusal there is over while most of
 * the next second is left, that of one at the end costs the whole of it.
 * Invariant: while it is believed, no more than the believed count (and what a try adds) is sent in one second.
 */
const WINDOW_MS = 1000
const BIN_MS = 5
const BINS = 512
/** Two counts are the same when they differ by no more than this: calls are counted in bins, and the lag is a guess. */
const SAME_CALLS = 1
const SAME_SHARE = 0.015
/** The same count after the same time says nothing: a bucket that was as full grants as many. */
const OTHER_TIME = 0.15
/** A count is of no use where so few calls would be within chance. */
const LEAST_COUNT = 16
/** The clock of the downstream is known no better than this: that close to the turn of a second nothing is sent. */
const GUARD_MS = 5
const MOST_GUARD_MS = 30
/** How much faster than evenly a second is spent: at most when it began with a pause, and when the quota is tried. */
const CATCH_UP = 3
const TRY_PACE = 2
const FIRST_STEP = 0.04
const STEEPER = 1.5
const LARGEST_STEP = 0.5
/** Seconds of a try in which less was sent than might have been: something else is the bound. */
const MOST_IDLE = 3
const RISEN = 1.3
/** Shorter waits are lost in the digits of a clock. */
const LEAST_WAIT_MS = 0.01
/** A refusal before this share of the count says that it is another quota. */
const BROKEN = 0.97

export class QuotaWindow {
  readonly #bins = new Float64Array(BINS)
  #bin = Number.NEGATIVE_INFINITY
  #binEndMs = Number.NEGATIVE_INFINITY
  #slot = 0
  /** From sending a call to its arrival: half of what a refusal takes. */
  #lagMs = 0
  #isLagKnown = false
  /** Calls of its second before the last refusal. */
  #lastCount = 0
  #lastSecond = Number.NEGATIVE_INFINITY
  /** How long after the first of them. */
  #lastTookMs = 0
  /** Calls a second that are believed in; 0: none. */
  #count = 0
  #second = Number.NEGATIVE_INFINITY
  #used = 0
  #nextMs = 0
  /** What this second may have: more than the count while it is tried. */
  #cap = 0
  #step = 0
  #idle = 0
  /** The count before it was tried. */
  #held = 0
  #isUnbound = false

  get count(): number {
    return this.#count
  }

  get isBelieved(): boolean {
    return this.#count > 0
  }

  get isTried(): boolean {
    return this.#step > 0
  }

  /** A try has raised the count by much and was never refused, and now something else is what holds the client back. */
  get isUnbound(): boolean {
    return this.#isUnbound
  }

  waitMs(nowMs: number): number {
    this.#turn(nowMs)
    if (this.#used >= this.#cap) return Math.max(LEAST_WAIT_MS, this.#endMs() + this.#guardMs() - nowMs)
    return Math.max(0, this.#nextMs - nowMs)
  }

  sent(nowMs: number): void {
    // Every call comes here: nothing is divided but at the turn of a bin.
    if (nowMs >= this.#binEndMs) this.#clear(Math.floor(nowMs / BIN_MS))
    this.#bins[this.#slot] = (this.#bins[this.#slot] as number) + 1
    if (this.#count === 0) return
    this.#turn(nowMs)
    const leftMs = Math.max(0, this.#endMs() - this.#guardMs() - nowMs)
    const evenMs = WINDOW_MS / this.#cap
    const spacing =
      this.#step > 0 ? evenMs / TRY_PACE : Math.max(leftMs / Math.max(1, this.#cap - this.#used), evenMs / CATCH_UP)
    this.#used += 1
    this.#nextMs = Math.max(this.#nextMs, nowMs - BIN_MS) + spacing
  }

  /** Tries whether the quota has risen, from the next second on. */
  tryMore(): void {
    this.#step = FIRST_STEP
    this.#idle = 0
    this.#held = this.#count
  }

  forget(): void {
    this.#count = 0
    this.#step = 0
    this.#isUnbound = false
  }

  /** A refused call was not granted, and it tells how far away the downstream is. */
  refused(sentMs: number, nowMs: number): void {
    const bin = Math.floor(sentMs / BIN_MS)
    if (bin > this.#bin - BINS) this.#bins[bin % BINS] = Math.max(0, (this.#bins[bin % BINS] as number) - 1)
    const half = (nowMs - sentMs) / 2
    if (!this.#isLagKnown || half < this.#lagMs) this.#lagMs = half
    else this.#lagMs += (half - this.#lagMs) / 8
    this.#isLagKnown = true
  }

  /**
   * The first refusal of several: its call was sent at `sentMs`, and `later` calls after it. `mostBefore`: the most that
   * was granted in an earlier second since the refusal before. True while a quota of this kind is believed in.
   */
  concluded(sentMs: number, later: number, mostBefore: number): boolean {
    const second = Math.floor((sentMs + this.#lagMs) / WINDOW_MS)
    if (this.#count > 0) return this.#confirmed(second, later)
    const beginMs = second * WINDOW_MS - this.#lagMs
    const count = Math.max(0, this.#since(beginMs) - later)
    const tookMs = sentMs - this.#firstSince(beginMs)
    const isSame = Math.abs(count - this.#lastCount) <= SAME_CALLS + SAME_SHARE * count
    const isMost = count >= (1 - SAME_SHARE) * mostBefore - SAME_CALLS - this.#lagMs * 0.001 * mostBefore
    const isTold = Math.abs(tookMs - this.#lastTookMs) > OTHER_TIME * Math.max(tookMs, this.#lastTookMs)
    if (isSame && isTold && isMost && second !== this.#lastSecond && count >= LEAST_COUNT) {
      this.#count = Math.max(1, Math.min(count, this.#lastCount) - 1)
      this.#cap = this.#count
      this.#second = second
      this.#used = this.#cap
      this.#step = 0
    }
    this.#lastCount = count
    this.#lastSecond = second
    this.#lastTookMs = tookMs
    return this.#count > 0
  }

  #confirmed(second: number, later: number): boolean {
    const used = second === this.#second ? this.#used - later - 1 : this.#cap
    const wasTried = this.#step > 0
    this.#step = 0
    if (used < BROKEN * this.#count - SAME_CALLS) {
      this.forget()
      this.#lastCount = used
      this.#lastSecond = second
      return false
    }
    this.#count = Math.max(1, wasTried ? used : Math.min(this.#count, used))
    this.#cap = this.#count
    if (second === this.#second) this.#used = Math.max(this.#used, this.#cap)
    return true
  }

  #endMs(): number {
    return (this.#second + 1) * WINDOW_MS - this.#lagMs
  }

  #guardMs(): number {
    return Math.min(MOST_GUARD_MS, GUARD_MS + this.#lagMs / 4)
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#endMs()) return
    const second = Math.floor((nowMs + this.#lagMs) / WINDOW_MS)
    if (this.#step > 0 && this.#second === second - 1) {
      if (this.#used >= this.#cap) {
        if (this.#cap > this.#count) {
          this.#count = this.#cap
          this.#step = Math.min(LARGEST_STEP, this.#step * STEEPER)
        }
        this.#idle = 0
      } else {
        this.#idle += 1
        if (this.#idle >= MOST_IDLE) {
          this.#step = 0
          this.#isUnbound = this.#count > RISEN * this.#held
        }
      }
    }
    this.#second = second
    this.#used = 0
    this.#cap = Math.ceil(this.#count * (1 + this.#step))
    this.#nextMs = second * WINDOW_MS - this.#lagMs + this.#guardMs()
  }

  #clear(bin: number): void {
    const first = Math.max(this.#bin + 1, bin - BINS + 1)
    for (let each = first; each <= bin; each += 1) this.#bins[each % BINS] = 0
    this.#bin = bin
    this.#binEndMs = (bin + 1) * BIN_MS
    this.#slot = bin % BINS
  }

  /** When the first of the calls was sent that were sent from then on, to a bin's length. */
  #firstSince(fromMs: number): number {
    const from = Math.floor(fromMs / BIN_MS)
    let bin = Math.max(from, this.#bin - BINS + 1)
    while (bin < this.#bin && (this.#bins[bin % BINS] as number) === 0) bin += 1
    return Math.max(fromMs, bin * BIN_MS)
  }

  /** Calls sent from then on, refused ones apart. */
  #since(fromMs: number): number {
    const from = fromMs / BIN_MS
    const first = Math.max(Math.floor(from), this.#bin - BINS + 1)
    let sum = 0
    for (let each = first; each <= this.#bin; each += 1) {
      const part = each === Math.floor(from) ? 1 - (from - each) : 1
      sum += part * (this.#bins[each % BINS] as number)
    }
    return Math.round(sum)
  }
}
