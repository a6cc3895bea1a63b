/**
 * The client around a published limiter. Such a limiter says how many calls may be in flight and nothing about when a
 * failed one is tried again, so each runs in the client that a careful engineer writes around it: the worker whose call
 * failed keeps its place under the limit and waits before it goes on, for Retry-After where there is one and for about
 * a second otherwise, with jitter. Without this, every one of them would send a refused record again as fast as the
 * refusals come back.
 */
import { SeededRandom } from '../../../src/control/random.ts'
import type { Gate, Outcome } from '../../../src/sim/scenario.ts'

const WAIT_MS = 1000
/** The wait is drawn from this share of it to the share plus 1. Retry-After is never undercut. */
const LEAST_WAIT_SHARE = 0.5
const RETRY_AFTER_JITTER = 0.25

export class Patient implements Gate {
  readonly #gate: Gate
  readonly #random: SeededRandom
  #inFlight = 0
  /** When each waiting worker goes on; few, so a plain list will do. */
  #waits: number[] = []
  #firstMs = Number.POSITIVE_INFINITY

  constructor(gate: Gate, seed: number) {
    this.#gate = gate
    this.#random = new SeededRandom(seed ^ 0x9a7137)
  }

  admit(nowMs: number): number {
    if (nowMs >= this.#firstMs) this.#wakeUp(nowMs)
    if (this.#waits.length > 0 && this.#inFlight + this.#waits.length >= this.#gate.snapshot().limit) {
      return this.#firstMs
    }
    return this.#gate.admit(nowMs)
  }

  sent(nowMs: number): unknown {
    this.#inFlight += 1
    return this.#gate.sent(nowMs)
  }

  settled(permit: unknown, nowMs: number, outcome: Outcome): void {
    this.#inFlight -= 1
    this.#gate.settled(permit, nowMs, outcome)
    if (outcome.kind === 'success' || outcome.kind === 'ignored') return
    const { retryAfterMs } = outcome
    const waitMs =
      retryAfterMs === undefined
        ? WAIT_MS * (LEAST_WAIT_SHARE + this.#random.next())
        : retryAfterMs * (1 + RETRY_AFTER_JITTER * this.#random.next())
    this.#waits.push(nowMs + waitMs)
    this.#firstMs = Math.min(this.#firstMs, nowMs + waitMs)
  }

  snapshot(): { readonly limit: number } {
    return this.#gate.snapshot()
  }

  #wakeUp(nowMs: number): void {
    this.#waits = this.#waits.filter((dueMs) => dueMs > nowMs)
    this.#firstMs = this.#waits.reduce((first, dueMs) => Math.min(first, dueMs), Number.POSITIVE_INFINITY)
  }
}
