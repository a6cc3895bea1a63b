/**
 * A quota as the downstream states it in its RateLimit headers (IETF draft): so many calls remain, and the count begins
 * anew in so many ms. What remains is spread over the time until then, so that no call is ever refused and no search is
 * needed; where others use it up as well, it is one's own share that is spread. When a count is over, the next one is
 * taken to be like it until an answer says so. Invariant: an upper bound that is at most `TRUSTED_MS` old, or none.
 */
import type { RateLimitFigures } from '../model/rate-limit.ts'

const TRUSTED_MS = 60_000
const LONGEST_RESET_MS = 60_000
/** After so many answers in a row without figures nothing is stated any more. */
const MOST_SILENT = 64
/** Headers count in whole seconds. */
const ROUNDING_MS = 1000
/** Over about so many calls it is told what share of them were one's own. */
const SHARE_CALLS = 64
const LEAST_SHARE = 0.1
/** While more than this share of the quota remains per share of the time, nothing is held back at all. */
const MOST = 1e9

export class HeaderQuota {
  #remaining = Number.POSITIVE_INFINITY
  #resetAtMs = 0
  #seenMs = Number.NEGATIVE_INFINITY
  /** Sequence number of the call that brought the figures: later ones are not in them. */
  #sequence = 0
  #nextMs = 0
  /** What a whole count allows and how long it lasts, as far as it is known. */
  #limit = 0
  #periodMs = 0
  #silent = 0
  /** By how much what remains fell of late, and how much of that were one's own calls. */
  #fallen = 0
  #own = 0

  isKnown(nowMs: number): boolean {
    return nowMs - this.#seenMs < TRUSTED_MS
  }

  /** A success that came without figures. */
  unseen(): void {
    this.#silent += 1
    if (this.#silent >= MOST_SILENT) this.#seenMs = Number.NEGATIVE_INFINITY
  }

  /** Figures that came with the answer to a call. */
  seen(figures: RateLimitFigures, sequence: number, nowMs: number): void {
    const { limit, remaining, resetMs } = figures
    if (remaining === undefined || resetMs === undefined) return
    if (!(remaining >= 0 && remaining <= MOST) || !(resetMs >= 0)) return
    this.#silent = 0
    if (!this.isKnown(nowMs)) this.#own = this.#fallen = 0
    this.#seenMs = nowMs
    const resetAtMs = nowMs + Math.min(LONGEST_RESET_MS, resetMs)
    // Answers overtake one another: within one count the lowest figure is the newest.
    const apartMs = resetAtMs - this.#resetAtMs
    const sameCount = Math.abs(apartMs) < Math.max(this.#periodMs / 2, 0.05 * resetMs, 1) && nowMs < this.#resetAtMs
    if (sequence < this.#sequence && (sameCount || apartMs < 0)) return
    if (sameCount) this.#compare(this.#remaining - remaining, sequence - this.#sequence)
    else this.#periodMs = 0
    this.#periodMs = Math.max(this.#periodMs, resetAtMs - nowMs)
    this.#limit =
      limit !== undefined && limit >= 1 && limit <= MOST ? limit : Math.max(sameCount ? this.#limit : 1, remaining)
    this.#remaining = remaining
    // Whole seconds are rounded up: of several answers within one count the earliest instant is the nearest.
    if (!(sameCount && apartMs > 0 && apartMs <= ROUNDING_MS && resetMs % ROUNDING_MS === 0))
      this.#resetAtMs = resetAtMs
    this.#sequence = Math.max(sequence, this.#sequence)
  }

  /** Others may use up the same quota: what falls faster than one sends is theirs. */
  #compare(fallen: number, own: number): void {
    if (!(own > 0)) return
    const keep = Math.exp(-own / SHARE_CALLS)
    this.#fallen = this.#fallen * keep + Math.max(fallen, 0)
    this.#own = this.#own * keep + own
  }

  #share(): number {
    return Math.min(1, Math.max(LEAST_SHARE, (this.#own + 1) / (this.#fallen + 1)))
  }

  /** 0 when the stated quota allows a call now, else ms until it does. `latestSequence`: of the last call sent. */
  waitMs(latestSequence: number, nowMs: number): number {
    if (!this.isKnown(nowMs)) return 0
    this.#roll(latestSequence, nowMs)
    const left = this.#remaining - (latestSequence - this.#sequence)
    const untilResetMs = this.#resetAtMs - nowMs
    if (left <= 0) return untilResetMs
    return Math.min(untilResetMs, Math.max(0, this.#nextMs - nowMs))
  }

  /** A count that is over gives way to one like it. */
  #roll(latestSequence: number, nowMs: number): void {
    if (nowMs < this.#resetAtMs) return
    const periodMs = Math.max(1, this.#periodMs)
    this.#resetAtMs += periodMs * (Math.floor((nowMs - this.#resetAtMs) / periodMs) + 1)
    this.#remaining = this.#limit
    this.#sequence = latestSequence
  }

  sent(latestSequence: number, nowMs: number): void {
    if (!this.isKnown(nowMs)) return
    this.#roll(latestSequence - 1, nowMs)
    const left = Math.max(1, this.#remaining - (latestSequence - this.#sequence))
    const spacingMs = (this.#resetAtMs - nowMs) / (left * this.#share())
    this.#nextMs = Math.max(this.#nextMs, nowMs - 5) + spacingMs
  }

  /** Calls a second that a whole count allows; Infinity when nothing is known. */
  perSecond(nowMs: number): number {
    return this.isKnown(nowMs) ? (this.#limit / Math.max(1, this.#periodMs)) * 1000 : Number.POSITIVE_INFINITY
  }
}
