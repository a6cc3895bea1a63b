/**
 * A quota as services enforce them: a token bucket that refills continuously, or a fixed window that starts afresh at
 * every multiple of its length. Only granted calls count.
 */
import type { QuotaSpec } from './scenario.ts'

export class Quota {
  /** As of the last `take`, for the RateLimit figures: what is left, and the time until it is whole again. */
  remaining = 0
  resetMs = 0
  /** After a refusal: how long until a call would be granted. */
  waitMs = 0

  readonly spec: QuotaSpec
  readonly #capacity: number
  readonly #windowMs: number
  #tokens: number
  #filledMs: number
  #window: number

  constructor(spec: QuotaSpec, nowMs: number) {
    this.spec = spec
    this.#windowMs = spec.windowMs ?? 1000
    this.#capacity =
      spec.kind === 'bucket' ? (spec.burst ?? spec.perSecond) : Math.floor((spec.perSecond * this.#windowMs) / 1000)
    this.#tokens = this.#capacity
    this.#filledMs = nowMs
    this.#window = Math.floor(nowMs / this.#windowMs)
  }

  /** The figure that a RateLimit header calls the limit. */
  get limit(): number {
    return this.#capacity
  }

  /** True when the call is granted. */
  take(nowMs: number): boolean {
    this.#refill(nowMs)
    const granted = this.#tokens >= 1
    if (granted) this.#tokens -= 1
    this.remaining = Math.floor(this.#tokens)
    const perMs = this.spec.perSecond / 1000
    if (this.spec.kind === 'bucket') {
      this.resetMs = (this.#capacity - this.#tokens) / perMs
      this.waitMs = granted ? 0 : (1 - this.#tokens) / perMs
    } else {
      this.resetMs = (this.#window + 1) * this.#windowMs - nowMs
      this.waitMs = granted ? 0 : this.resetMs
    }
    return granted
  }

  #refill(nowMs: number): void {
    if (this.spec.kind === 'bucket') {
      const earned = ((nowMs - this.#filledMs) * this.spec.perSecond) / 1000
      this.#tokens = Math.min(this.#capacity, this.#tokens + earned)
      this.#filledMs = nowMs
      return
    }
    const window = Math.floor(nowMs / this.#windowMs)
    if (window === this.#window) return
    this.#window = window
    this.#tokens = this.#capacity
  }
}
