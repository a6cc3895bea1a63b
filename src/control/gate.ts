/**
 * The pause that a downstream asks for with Retry-After. A pause is only ever extended, is believed up to one minute,
 * and gets up to five percent on top so that many clients do not come back at the same moment. After a pause for
 * overload one client's own calls do not either: the queue that they overflowed would overflow again.
 */
import { MAX_RETRY_AFTER_MS } from '../model/errors.ts'

const JITTER = 0.05
/** However long calls last, all of them are back after this. */
const LONGEST_SPREAD_MS = 2000

export class Gate {
  #untilMs = Number.NEGATIVE_INFINITY
  /** After the pause calls come back within so long. */
  #spreadMs = 0

  get untilMs(): number {
    return this.#untilMs
  }

  /** `uniform` is drawn from [0, 1). What is negative or no number asks for nothing. */
  close(retryAfterMs: number, nowMs: number, uniform: number): void {
    const pauseMs = believed(retryAfterMs)
    if (pauseMs === 0) return
    this.#untilMs = Math.max(this.#untilMs, nowMs + pauseMs * (1 + JITTER * uniform))
    this.#spreadMs = 0
  }

  /** The calls that a limit allows come back one after the other, within `durationMs` after the pause. */
  spread(durationMs: number): void {
    this.#spreadMs = Math.min(LONGEST_SPREAD_MS, durationMs)
  }

  /** `inFlight` calls are under way, of `limit` that may be; when all are, the pause is no longer what is waited for. */
  waitMs(nowMs: number, inFlight: number, limit: number): number {
    const pauseMs = this.#untilMs - nowMs
    if (pauseMs > 0) return pauseMs
    if (inFlight === 0 || inFlight >= limit || -pauseMs >= this.#spreadMs) return 0
    return Math.max(0, ((inFlight + 1) / limit) * this.#spreadMs + pauseMs)
  }
}

/** A pause in ms that is taken seriously: nonsense is none, and what is longer than a minute is a minute. */
export function believed(retryAfterMs: number | undefined): number {
  if (retryAfterMs === undefined || !(retryAfterMs > 0)) return 0
  return Math.min(MAX_RETRY_AFTER_MS, retryAfterMs)
}
