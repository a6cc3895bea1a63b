/**
 * The pause that a downstream asks for with Retry-After. A pause is only ever extended, is believed up to one minute,
 * and gets up to five percent on top so that many clients do not come back at the same moment.
 */
import { MAX_RETRY_AFTER_MS } from '../model/errors.ts'

const JITTER = 0.05

export class Gate {
  #untilMs = Number.NEGATIVE_INFINITY

  get untilMs(): number {
    return this.#untilMs
  }

  /** `uniform` is drawn from [0, 1). What is negative or no number asks for nothing. */
  close(retryAfterMs: number, nowMs: number, uniform: number): void {
    const pauseMs = believed(retryAfterMs)
    if (pauseMs > 0) this.#untilMs = Math.max(this.#untilMs, nowMs + pauseMs * (1 + JITTER * uniform))
  }

  waitMs(nowMs: number): number {
    return Math.max(0, this.#untilMs - nowMs)
  }
}

/** A pause in ms that is taken seriously: nonsense is none, and what is longer than a minute is a minute. */
export function believed(retryAfterMs: number | undefined): number {
  if (retryAfterMs === undefined || !(retryAfterMs > 0)) return 0
  return Math.min(MAX_RETRY_AFTER_MS, retryAfterMs)
}
