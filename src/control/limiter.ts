/**
 * The seam for concurrency control: a stage asks the limiter before each attempt and tells it how the attempt ended.
 * `FixedLimiter` keeps to a number, `Controller` finds one; both wait for a downstream that is down or asks for a pause.
 */
import type { RateLimitFigures } from '../model/rate-limit.ts'

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
  /** For `ignored` and `timeout`: there was an answer all the same, so the downstream is not down. */
  readonly answered?: boolean | undefined
}

/** What `sent` hands out and `settled` takes back, opaque to the stage. */
export type Permit = unknown

/** Why nothing more may be sent: the gates of a limiter, in the order in which it asks them. */
export type GateReason = 'retry-after' | 'breaker' | 'concurrency' | 'quota'

export interface Limiter {
  /** Attempts that may be in flight at once, at this moment. */
  readonly limit: number
  /** Why `admit` said no when it was last asked; null when it said yes. */
  readonly reason: GateReason | null
  /** The downstream is taken to be down: one call at a time tests whether it is back. */
  readonly isDown: boolean
  /**
   * 0: send now. Otherwise the instant at which to ask again, in ms on the clock of `nowMs` and later than it;
   * Infinity: when an attempt settles.
   */
  admit(nowMs: number): number
  sent(nowMs: number): Permit
  settled(permit: Permit, nowMs: number, outcome: AttemptOutcome): void
}
