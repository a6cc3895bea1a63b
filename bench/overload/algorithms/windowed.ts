/**
 * The window in which Netflix's Vegas and Gradient2 are run: `WindowedLimit` with `AverageSampleWindow` of
 * concurrency-limits (Java, Apache-2.0, github.com/Netflix/concurrency-limits), with its constants. Once a second the
 * limit learns the mean round trip, the most calls in flight, and whether anything was dropped.
 */
import type { Outcome } from '../../../src/sim/scenario.ts'
import { Limited, type SentCall } from './limited.ts'

const WINDOW_MS = 1000
const LEAST_SAMPLES = 10
const LEAST_RTT_MS = 0.1

export abstract class Windowed extends Limited {
  #nextMs = 0
  #samples = 0
  #sumMs = 0
  #mostInFlight = 0
  #dropped = false

  protected learn(call: SentCall, nowMs: number, outcome: Outcome): void {
    const rttMs = nowMs - call.sentMs
    if (rttMs < LEAST_RTT_MS) return
    this.#samples += 1
    this.#sumMs += rttMs
    this.#mostInFlight = Math.max(this.#mostInFlight, call.inFlight)
    if (outcome.kind !== 'success') this.#dropped = true
    if (nowMs <= this.#nextMs) return
    this.#nextMs = nowMs + WINDOW_MS
    // A window with too few samples is thrown away.
    if (this.#samples >= LEAST_SAMPLES) this.update(this.#sumMs / this.#samples, this.#mostInFlight, this.#dropped)
    this.#samples = 0
    this.#sumMs = 0
    this.#mostInFlight = 0
    this.#dropped = false
  }

  protected abstract update(rttMs: number, inFlight: number, dropped: boolean): void
}
