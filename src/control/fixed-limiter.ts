/**
 * A plain bound on the attempts in flight, together with the two gates that any downstream needs: the pause that it
 * asks for (Retry-After), and a breaker for when it is down. Invariant: no more in flight than `limit`, as long as each
 * `sent` follows an `admit` of 0.
 */
import { Breaker, type BreakerState } from './breaker.ts'
import { Gate } from './gate.ts'
import type { AttemptOutcome, GateReason, Limiter, Permit } from './limiter.ts'

export class FixedLimiter implements Limiter {
  limit: number
  reason: GateReason | null = null
  readonly #random: () => number
  readonly #breaker = new Breaker()
  readonly #gate = new Gate()
  #inFlight = 0

  /** `random`: uniform in [0, 1), for jitter. */
  constructor(limit: number, random: () => number) {
    this.limit = limit
    this.#random = random
  }

  get inFlight(): number {
    return this.#inFlight
  }

  get breaker(): BreakerState {
    return this.#breaker.state
  }

  get isDown(): boolean {
    return this.#breaker.state !== 'closed'
  }

  admit(nowMs: number): number {
    if (this.#gate.untilMs > nowMs) return this.#wait('retry-after', this.#gate.untilMs)
    const breakerMs = this.#breaker.waitMs(nowMs)
    if (breakerMs > 0) return this.#wait('breaker', nowMs + breakerMs)
    if (this.#inFlight >= this.limit) return this.#wait('concurrency', Number.POSITIVE_INFINITY)
    this.reason = null
    return 0
  }

  /** How many may be sent in a row, once `admit` has said yes. */
  get room(): number {
    return this.isDown ? 1 : this.limit - this.#inFlight
  }

  #wait(reason: GateReason, untilMs: number): number {
    this.reason = reason
    return untilMs
  }

  sent(_nowMs: number): Permit {
    this.#inFlight += 1
    this.#breaker.started()
    return null
  }

  settled(_permit: Permit, nowMs: number, { kind, retryAfterMs, answered }: AttemptOutcome): void {
    this.#inFlight -= 1
    if (kind === 'success' || answered === true) this.#breaker.succeeded()
    else if (kind === 'timeout' || kind === 'failed') this.#breaker.failed(nowMs, this.#random())
    else this.#breaker.undecided()
    if (retryAfterMs !== undefined && retryAfterMs > 0) this.#gate.close(retryAfterMs, nowMs, this.#random())
  }
}
