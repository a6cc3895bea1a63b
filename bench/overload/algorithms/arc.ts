/**
 * Vector's adaptive request concurrency: `Controller` of `sinks/util/adaptive_concurrency` (Rust, MPL-2.0,
 * github.com/vectordotdev/vector), with its constants. Once per mean round trip: one more if the mean did not rise and
 * the limit was reached, × 0.9 on 429, 5xx, time-outs, or a mean 2.5 deviations above the moving one.
 */
import type { Outcome } from '../../../src/sim/scenario.ts'
import { Limited, MOST_LIMIT, type SentCall } from './limited.ts'

const INITIAL = 1
const DECREASE = 0.9
const ALPHA = 0.4
const DEVIATIONS = 2.5

export class Arc extends Limited {
  /** Moving mean and variance; NaN before the first sample. */
  #meanMs = Number.NaN
  #variance = 0
  #nextMs = 0
  #sumMs = 0
  #samples = 0
  #pressed = false
  #reached = false

  constructor() {
    super(INITIAL)
  }

  override sent(nowMs: number): unknown {
    const permit = super.sent(nowMs)
    if (this.inFlight >= this.limit) this.#reached = true
    return permit
  }

  protected learn(call: SentCall, nowMs: number, outcome: Outcome): void {
    if (outcome.kind === 'success') {
      this.#sumMs += nowMs - call.sentMs
      this.#samples += 1
    } else if (outcome.kind !== 'failed') this.#pressed = true
    const rttMs = this.#samples === 0 ? Number.NaN : this.#sumMs / this.#samples
    if (Number.isNaN(this.#meanMs)) {
      if (Number.isNaN(rttMs)) return
      this.#meanMs = rttMs
      this.#nextMs = nowMs + rttMs
      return
    }
    if (nowMs < this.#nextMs) return
    this.#adjust(rttMs)
    if (!Number.isNaN(rttMs)) {
      const difference = rttMs - this.#meanMs
      const increment = ALPHA * difference
      this.#meanMs += increment
      this.#variance = (1 - ALPHA) * (this.#variance + difference * increment)
    }
    this.#nextMs = nowMs + this.#meanMs
    this.#sumMs = 0
    this.#samples = 0
    this.#pressed = false
    this.#reached = false
  }

  #adjust(rttMs: number): void {
    const threshold = this.#meanMs + DEVIATIONS * Math.sqrt(this.#variance)
    if (this.limit < MOST_LIMIT && this.#reached && !this.#pressed && rttMs <= this.#meanMs) {
      this.limit += 1
    } else if (this.limit > 1 && (this.#pressed || rttMs >= threshold)) {
      this.limit = Math.max(1, Math.floor(this.limit * DECREASE))
    }
  }
}
