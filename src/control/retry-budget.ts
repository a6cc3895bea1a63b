/**
 * The retry budget of one stage: retries are paid for by successes, so that those that fail again stay a fraction of
 * the work while the downstream is in trouble. An empty budget makes retries wait; it never fails a record. The shape is
 * Finagle's RetryBudget: a deposit for each success, a small reserve a second, and a bound that lets old credit expire.
 * Unlike there, a retry that succeeds gets back what it paid: it was no waste, and what an outage left to be repeated
 * would otherwise trickle through at the pace of the reserve, long after the downstream is well.
 */
const RESERVE_PER_SECOND = 1
const LIFE_SECONDS = 10
const MINIMUM_CAPACITY = 10
/** Tokens this close to the cost pay for it: a wait too short for the clock to show would never end. */
const ROUNDING = 1e-6

export class RetryBudget {
  readonly #perSuccess: number
  #tokens = 0
  #atMs = 0
  #successPerSecond = 0

  /** `perSuccess`: retries granted for each success, 0.1 for one in ten. */
  constructor(perSuccess: number, nowMs: number) {
    this.#perSuccess = perSuccess
    this.#tokens = MINIMUM_CAPACITY
    this.#atMs = nowMs
  }

  /** `refunded`: what those of them that were retries had paid. */
  deposit(successes: number, nowMs: number, refunded = 0): void {
    this.#advance(nowMs)
    this.#successPerSecond += successes / LIFE_SECONDS
    this.#tokens = Math.min(this.#capacity(), this.#tokens + successes * this.#perSuccess + refunded)
  }

  /** 0 when `cost` can be paid now, else the milliseconds until the reserve alone will have filled it. */
  waitMs(cost: number, nowMs: number): number {
    this.#advance(nowMs)
    return this.#tokens >= cost - ROUNDING ? 0 : ((cost - this.#tokens) / RESERVE_PER_SECOND) * 1000
  }

  /** Pays; the caller has seen `waitMs` return 0. */
  take(cost: number): void {
    this.#tokens -= cost
  }

  tokens(nowMs: number): number {
    this.#advance(nowMs)
    return this.#tokens
  }

  /** What ten seconds of deposits come to: older credit is worth nothing. */
  #capacity(): number {
    return Math.max(MINIMUM_CAPACITY, this.#successPerSecond * this.#perSuccess * LIFE_SECONDS)
  }

  #advance(nowMs: number): void {
    const seconds = (nowMs - this.#atMs) / 1000
    if (seconds <= 0) return
    this.#atMs = nowMs
    this.#successPerSecond *= Math.exp(-seconds / LIFE_SECONDS)
    this.#tokens = Math.min(this.#capacity(), this.#tokens + seconds * RESERVE_PER_SECOND)
  }
}
