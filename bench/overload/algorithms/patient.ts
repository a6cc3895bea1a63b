/**
 * The client around a published limiter. Such a limiter says how many calls may be in flight and nothing about when a
 * failed one is tried again, so each runs in the client that a careful engineer writes around it: the worker whose call
 * failed keeps its place under the limit and waits before it goes on, for Retry-After where there is one and for about
 * a second otherwise, with jitter. Without this, every one of them would send a refused record again as fast as the
 * refusals come back.
 */
import { SeededRandom } from '../../../src/control/random.ts'
import { Agenda } from '../../../src/sim/agenda.ts'
import type { Gate, Outcome } from '../../../src/sim/scenario.ts'

const WAIT_MS = 1000
/** The wait is drawn from this share of it to the share plus 1. Retry-After is never undercut. */
const LEAST_WAIT_SHARE = 0.5
const RETRY_AFTER_JITTER = 0.25

export class Patient implements Gate {
  readonly #gate: Gate
  readonly #random: SeededRandom
  /** When each waiting worker goes on. */
  readonly #waits = new Agenda(1)
  #inFlight = 0

  constructor(gate: Gate, seed: number) {
    this.#gate = gate
    this.#random = new SeededRandom(seed ^ 0x9a7137)
  }

  admit(nowMs: number): number {
    const waits = this.#waits
    while (waits.nextMs <= nowMs) waits.next()
    if (waits.size > 0 && this.#inFlight + waits.size >= this.#gate.snapshot().limit) return waits.nextMs
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
    this.#waits.schedule(nowMs + waitMs, 0, 0)
  }

  snapshot(): { readonly limit: number } {
    return this.#gate.snapshot()
  }
}
