/**
 * The seam for concurrency control: a stage asks the limiter before each attempt and tells it how the attempt ended.
 * `FixedLimiter` is a plain bound; an adaptive one implements the same four calls.
 */
import type { RateLimitFigures } from '../model/rate-limit.ts'

export type { RateLimitFigures } from '../model/rate-limit.ts'

/** How an attempt ended, in the words that a limiter understands. */
export interface AttemptOutcome {
  /** `ignored`: says nothing about the downstream (the record was at fault, or the attempt was cancelled). */
  readonly kind: 'success' | 'overloaded' | 'timeout' | 'failed' | 'ignored'
  /** For `overloaded`: 429 is a quota, anything else (503, or unknown) a downstream that is too busy. */
  readonly status?: number | undefined
  /** How long the downstream asked to be left alone, in ms from now. */
  readonly retryAfterMs?: number | undefined
  /** The RateLimit headers of the answer, where it had any. */
  readonly rateLimit?: RateLimitFigures | undefined
}

/** What `sent` hands out and `settled` takes back, opaque to the stage. */
export type Permit = unknown

export interface Limiter {
  /** Attempts that may be in flight at once, at this moment. */
  readonly limit: number
  /** 0: send now. Otherwise the instant, on `nowMs`'s clock, at which to ask again; Infinity: when an attempt settles. */
  admit(nowMs: number): number
  sent(nowMs: number): Permit
  settled(permit: Permit, nowMs: number, outcome: AttemptOutcome): void
}

export class FixedLimiter implements Limiter {
  limit: number
  #inFlight = 0

  constructor(limit: number) {
    this.limit = limit
  }

  admit(_nowMs: number): number {
    return this.#inFlight < this.limit ? 0 : Number.POSITIVE_INFINITY
  }

  sent(_nowMs: number): Permit {
    this.#inFlight += 1
    return null
  }

  settled(_permit: Permit, _nowMs: number, _outcome: AttemptOutcome): void {
    this.#inFlight -= 1
  }
}
