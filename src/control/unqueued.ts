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
/** Degrees of freedom below which nothing is said about how little calls vary. */
const LEAST_FREEDOM = 8
/** A smaller rise is none: the way to the servers changes by as much. A larger one is one from so many errors on. */
const LEAST_RISE = 0.05
const ERRORS = 3
/** Service of very different lengths varies by as much as it lasts. Where it lasts so many times as long, it is even. */
const EVEN_SERVICE = 1.7

export class Unqueued {
  /** Logarithm of what the fastest calls take; NaN before the first sample. */
  #least = Number.NaN
  readonly #variance = new Variance(0, 1)
  /** The same without samples that are slower than the baseline: a queue that some of the calls met makes them vary. */
  readonly #alone = new Variance(0, 1)

  learn(sample: Sample): void {
    if (sample.n === 0) return
    if (sample.least < this.#least || Number.isNaN(this.#least)) this.#least = sample.least
    else this.#least += (sample.least - this.#least) * LEAST_WEIGHT
    this.#variance.learn(sample)
  }

  /** A sample as `learn` takes it, from a round after which the climb went on. */
  learnAlone(sample: Sample): void {
    this.#alone.learn(sample)
  }

  /** The sample of a probe, slower than the baseline by `rise`. */
  probed(sample: Sample, rise: number): void {
    this.learn(sample)
    if (rise <= LEAST_RISE) this.learnAlone(sample)
  }

  /** Calls come as evenly as clockwork. */
  get isEven(): boolean {
    return this.#alone.freedom >= LEAST_FREEDOM && this.#alone.value <= EVEN * EVEN
  }

  /** Whether `n` calls are slower by `rise` than `against` others, rather than by chance. False while little is known. */
  isSlower(rise: number, n: number, against: number): boolean {
    if (this.#alone.freedom < LEAST_FREEDOM) return false
    return rise > LEAST_RISE + ERRORS * Math.sqrt(this.#alone.value * (1 / n + 1 / against))
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
    if (deviation <= EVEN || this.isEven) return 0
    return share(EVEN_SERVICE - (1 - this.way(baseline)) / deviation) * share((deviation - EVEN) / (UNEVEN - EVEN))
  }
}

function share(value: number): number {
  return Math.min(1, Math.max(0, value))
}
