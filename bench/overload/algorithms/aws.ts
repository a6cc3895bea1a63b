/**
 * The adaptive retry mode of the AWS SDKs: `ClientRateLimiter` with `CubicCalculator` and `TokenBucket` of botocore
 * (Python, Apache-2.0, github.com/boto/botocore), with their constants. A token bucket that is active from the first
 * throttled call on; its rate is cut to 70 % on a throttled call and then follows the cubic curve of RFC 8312. Calls in
 * flight are bounded by the SDK's sockets, 50 in the one for JavaScript.
 */
import type { Outcome } from '../../../src/sim/scenario.ts'
import { Limited, type SentCall } from './limited.ts'

const SOCKETS = 50
const SCALE = 0.4
const BETA = 0.7
const LEAST_RATE = 0.5
const MOST_OF_MEASURED = 2
const SMOOTHING = 0.8
const SPAN_SECONDS = 0.5

export class AwsAdaptive extends Limited {
  #active = false
  #rate = 1
  #capacity = 1
  #tokens = 0
  #filledMs: number
  #measured = 0
  #count = 0
  #spanEndSeconds: number
  #mostRate = 0
  #zeroSeconds = 0
  #lastThrottledMs: number

  constructor(nowMs: number) {
    super(SOCKETS)
    this.#filledMs = nowMs
    this.#lastThrottledMs = nowMs
    this.#spanEndSeconds = Math.floor(nowMs / 1000)
  }

  override admit(nowMs: number): number {
    const wait = super.admit(nowMs)
    if (wait > 0 || !this.#active) return wait
    this.#refill(nowMs)
    return this.#tokens >= 1 ? 0 : nowMs + ((1 - this.#tokens) / this.#rate) * 1000
  }

  override sent(nowMs: number): unknown {
    if (this.#active) this.#tokens -= 1
    return super.sent(nowMs)
  }

  protected learn(_call: SentCall, nowMs: number, outcome: Outcome): void {
    this.#measure(nowMs)
    let rate: number
    if (outcome.kind === 'overloaded') {
      const before = this.#active ? Math.min(this.#measured, this.#rate) : this.#measured
      this.#mostRate = before
      this.#zeroSeconds = Math.cbrt((before * (1 - BETA)) / SCALE)
      this.#lastThrottledMs = nowMs
      this.#active = true
      rate = before * BETA
    } else {
      const seconds = (nowMs - this.#lastThrottledMs) / 1000
      rate = SCALE * (seconds - this.#zeroSeconds) ** 3 + this.#mostRate
    }
    this.#setRate(Math.min(rate, MOST_OF_MEASURED * this.#measured), nowMs)
  }

  #setRate(rate: number, nowMs: number): void {
    this.#refill(nowMs)
    this.#rate = Math.max(rate, LEAST_RATE)
    this.#capacity = Math.max(rate, 1)
    this.#tokens = Math.min(this.#tokens, this.#capacity)
  }

  #refill(nowMs: number): void {
    this.#tokens = Math.min(this.#capacity, this.#tokens + ((nowMs - this.#filledMs) / 1000) * this.#rate)
    this.#filledMs = nowMs
  }

  /** Answers per second, in spans of half a second. */
  #measure(nowMs: number): void {
    this.#count += 1
    const span = Math.floor(nowMs / 1000 / SPAN_SECONDS) * SPAN_SECONDS
    if (span <= this.#spanEndSeconds) return
    const rate = this.#count / (span - this.#spanEndSeconds)
    this.#measured = rate * SMOOTHING + this.#measured * (1 - SMOOTHING)
    this.#count = 0
    this.#spanEndSeconds = span
  }
}
