/**
 * Envoy's adaptive concurrency filter: `GradientController` (C++, Apache-2.0, github.com/envoyproxy/envoy), with its
 * defaults and the two intervals of its documentation's example, 100 ms and 60 s. The baseline is measured on 50 calls
 * at a concurrency of 3; the limit follows the ratio of the baseline to the median. Every answer is a sample, whatever
 * its status.
 */
import { SeededRandom } from '../../../src/control/random.ts'
import type { Outcome } from '../../../src/sim/scenario.ts'
import { Limited, MOST_LIMIT, type SentCall } from './limited.ts'

const LEAST = 3
const UPDATE_MS = 100
const MIN_RTT_INTERVAL_MS = 60_000
const JITTER = 0.15
const MIN_RTT_SAMPLES = 50
const BUFFER = 0.25
const LOWEST_TIMES = 5

export class Envoy extends Limited {
  readonly #random: SeededRandom
  #samples: number[] = []
  #minRttMs = 0
  /** The limit to go back to after the baseline has been measured; 0 outside of that. */
  #deferred = LEAST
  #epochMs: number
  #nextUpdateMs: number
  #nextMinRttMs = Number.POSITIVE_INFINITY
  #timesLowest = 0

  constructor(seed: number, nowMs: number) {
    super(LEAST)
    this.#random = new SeededRandom(seed)
    this.#epochMs = nowMs
    this.#nextUpdateMs = nowMs + UPDATE_MS
  }

  override admit(nowMs: number): number {
    this.#timers(nowMs)
    return super.admit(nowMs)
  }

  protected learn(call: SentCall, nowMs: number, _outcome: Outcome): void {
    this.#timers(nowMs)
    if (call.sentMs < this.#epochMs) return
    this.#samples.push(nowMs - call.sentMs)
    if (this.#deferred > 0 && this.#samples.length >= MIN_RTT_SAMPLES) this.#endMinRtt(nowMs)
  }

  #timers(nowMs: number): void {
    if (this.#deferred > 0) return
    if (nowMs >= this.#nextUpdateMs) {
      this.#nextUpdateMs = nowMs + UPDATE_MS
      if (this.#samples.length > 0) this.#set(this.#newLimit(this.#takeMedian()))
    }
    if (nowMs >= this.#nextMinRttMs || this.#timesLowest >= LOWEST_TIMES) this.#beginMinRtt(nowMs)
  }

  #beginMinRtt(nowMs: number): void {
    this.#deferred = this.limit
    this.limit = LEAST
    this.#timesLowest = 0
    this.#samples = []
    this.#epochMs = nowMs
  }

  #endMinRtt(nowMs: number): void {
    this.#minRttMs = this.#takeMedian()
    this.limit = this.#deferred
    this.#deferred = 0
    this.#nextMinRttMs = nowMs + MIN_RTT_INTERVAL_MS * (1 + JITTER * this.#random.next())
    this.#nextUpdateMs = nowMs + UPDATE_MS
  }

  #newLimit(medianMs: number): number {
    const gradient = Math.max(0.5, Math.min(2, (this.#minRttMs * (1 + BUFFER)) / medianMs))
    const limit = this.limit * gradient
    return Math.max(LEAST, Math.min(MOST_LIMIT, Math.floor(limit + Math.sqrt(limit))))
  }

  /** The baseline may be wrong when the limit is at its lowest for five windows: it is measured again. */
  #set(limit: number): void {
    this.#timesLowest = limit === LEAST && this.limit === LEAST ? this.#timesLowest + 1 : 0
    this.limit = limit
  }

  #takeMedian(): number {
    const sorted = Float64Array.from(this.#samples).sort()
    this.#samples = []
    return sorted[sorted.length >> 1] as number
  }
}
