/**
 * The adaptive limiter of failsafe-go (Go, MIT, github.com/failsafe-go/failsafe-go), with its constants: the p90 of a
 * window against its moving average with Vegas' thresholds, and the correlation of calls in flight with throughput and
 * latency against growing into a mild overload. A call that timed out gives its permit back and is no sample.
 */
import type { Outcome } from '../../../src/sim/scenario.ts'
import { Correlation } from './correlation.ts'
import { clampLimit, Limited, type SentCall } from './limited.ts'

const INITIAL = 20
const MAX_LIMIT_FACTOR = 5
const LEAST_WINDOW_MS = 1000
const MOST_WINDOW_MS = 30_000
const LEAST_SAMPLES = 50
const QUANTILE = 0.9
const SMOOTHED_SAMPLES = 5
const BASELINE_AGE = 10
const CORRELATION_SIZE = 50
const WARM_UP_SAMPLES = 10

export class Failsafe extends Limited {
  #samples: number[] = []
  #leastMs = Number.POSITIVE_INFINITY
  #mostInFlight = 0
  #nextMs = 0
  readonly #medians: number[] = []
  readonly #recent = new MovingAverage(SMOOTHED_SAMPLES)
  readonly #baseline = new MovingAverage(BASELINE_AGE)
  readonly #throughput = new Correlation(CORRELATION_SIZE, WARM_UP_SAMPLES)
  readonly #rtt = new Correlation(CORRELATION_SIZE, WARM_UP_SAMPLES)

  constructor() {
    super(INITIAL)
  }

  protected learn(call: SentCall, nowMs: number, outcome: Outcome): void {
    if (outcome.kind !== 'timeout') {
      const rttMs = nowMs - call.sentMs
      this.#samples.push(rttMs)
      this.#leastMs = Math.min(this.#leastMs, rttMs)
      this.#mostInFlight = Math.max(this.#mostInFlight, call.inFlight)
    }
    if (nowMs <= this.#nextMs || this.#samples.length < LEAST_SAMPLES) return
    const sorted = Float64Array.from(this.#samples).sort()
    const p90Ms = sorted[Math.floor(sorted.length * QUANTILE)] as number
    this.#update(this.#recent.add(this.#median(p90Ms)), this.#mostInFlight)
    this.#nextMs = nowMs + Math.min(Math.max(this.#leastMs * 2, LEAST_WINDOW_MS), MOST_WINDOW_MS)
    this.#samples = []
    this.#leastMs = Number.POSITIVE_INFINITY
    this.#mostInFlight = 0
  }

  #update(rttMs: number, inFlight: number): void {
    const queue = Math.ceil(this.limit * (1 - this.#baseline.add(rttMs) / rttMs))
    const throughput = inFlight / rttMs
    this.#throughput.add(inFlight, throughput)
    this.#rtt.add(inFlight, rttMs)
    const step = Math.max(1, Math.floor(Math.log10(Math.floor(this.limit))))
    const before = this.limit
    if (queue > 6 * step || (this.inFlight >= Math.floor(this.limit) && this.#growthOnlyWaits())) this.limit -= step
    else if (queue < 3 * step) this.limit += step
    const most = inFlight * MAX_LIMIT_FACTOR
    if (this.limit > most) this.limit = before > most ? before - step : most
    this.limit = clampLimit(this.limit)
  }

  /** More calls in flight have brought less throughput, or latency without throughput. */
  #growthOnlyWaits(): boolean {
    const throughput = this.#throughput.correlation
    const latencyGrows = this.#rtt.correlation > 0.5
    return throughput < 0 || (latencyGrows && (throughput < 0.3 || this.#throughput.cvY < 0.2))
  }

  /** The median of the last five; the sample itself until there are as many. */
  #median(value: number): number {
    this.#medians.push(value)
    if (this.#medians.length > SMOOTHED_SAMPLES) this.#medians.shift()
    if (this.#medians.length < SMOOTHED_SAMPLES) return value
    return [...this.#medians].sort((a, b) => a - b)[SMOOTHED_SAMPLES >> 1] as number
  }
}

/** Exponential, after a plain mean of the first ten. */
class MovingAverage {
  readonly #factor: number
  #count = 0
  #sum = 0
  #value = 0

  constructor(age: number) {
    this.#factor = 2 / (age + 1)
  }

  add(value: number): number {
    if (this.#count < WARM_UP_SAMPLES) {
      this.#count += 1
      this.#sum += value
      this.#value = this.#sum / this.#count
    } else {
      this.#value += this.#factor * (value - this.#value)
    }
    return this.#value
  }
}
