/**
 * What calls are like where next to nothing queues: how long the fastest take, and how much they vary by themselves.
 * Rounds of a climb and probes teach it; at full load a queue that comes and goes would pass for calls that vary.
 */
import { type Sample, Variance } from './latency.ts'

/** Of the fastest call of a sample, where calls before were faster. */
const LEAST_WEIGHT = 0.1
/** Calls that vary less than this (a standard deviation of logarithms) come evenly; from the second on they do not. */
const EVEN = 0.06
const UNEVEN = 0.14
/** Service of very different lengths varies by as much as it lasts. Where it lasts so many times as long, it is even. */
const EVEN_SERVICE = 1.7

export class Unqueued {
  /** Logarithm of what the fastest calls take; NaN before the first sample. */
  #least = Number.NaN
  readonly #variance = new Variance(0, 1)

  learn(sample: Sample): void {
    if (sample.n === 0) return
    if (sample.least < this.#least || Number.isNaN(this.#least)) this.#least = sample.least
    else this.#least += (sample.least - this.#least) * LEAST_WEIGHT
    this.#variance.learn(sample)
  }

  /**
   * Of a call, the share that is the way to the servers and back: no call is faster than that. Nearly all of one where
   * calls hardly vary; `unevenness` is 0 then. `baseline`: the logarithm of a usual call.
   */
  way(baseline: number): number {
    return Number.isNaN(this.#least) ? 0 : Math.min(1, Math.exp(this.#least - baseline))
  }

  /** From 0, where service takes about the same time for all calls, to 1, where it takes very different times. */
  unevenness(baseline: number): number {
    const deviation = Math.sqrt(this.#variance.value)
    if (deviation <= EVEN) return 0
    return share(EVEN_SERVICE - (1 - this.way(baseline)) / deviation) * share((deviation - EVEN) / (UNEVEN - EVEN))
  }
}

function share(value: number): number {
  return Math.min(1, Math.max(0, value))
}
