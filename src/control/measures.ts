/**
 * What is seen while the limit stands still: a fast mean of latency for alarms, a window of it for the next step, how
 * much calls vary, and whether the limit is what holds the client back. Everything but the variance starts anew when
 * the limit changes.
 */
import type { Baseline } from './baseline.ts'
import { Sample, Variance } from './latency.ts'

const FIRST_VARIANCE = 0.36
const FIRST_FREEDOM = 16
const LEAST_VARIANCE = 0.0025
/** An alarm is this many standard errors above its threshold. */
const ALARM_ERRORS = 4
/** A limit that fewer sends than this found full is not what holds the client back. */
const SATURATED = 0.25
const UNKNOWN_MS = 1000
const ACCURACY = 0.05
const MOST_DURATIONS = 12

export class Measures {
  readonly window = new Sample()
  /** Of the logarithm of single latencies. */
  variance = FIRST_VARIANCE
  /** From 1, where calls vary little, to 6, where the slowest percent takes many times as long as the usual call. */
  tolerance = toleranceOf(FIRST_VARIANCE)
  /** Durations after which a call that was just sent has most probably settled: the more calls vary, the more. */
  patience = patienceOf(FIRST_VARIANCE)
  /** The mean that was learned last; NaN before the first. */
  lastMean = Number.NaN
  fast = 0
  fastN = 0
  inFlight = 0
  /** Most calls that were in flight at once. */
  peak = 0
  readonly #variance = new Variance(FIRST_VARIANCE, FIRST_FREEDOM, LEAST_VARIANCE)
  /** Since when the window counts, and a usual duration when it began. */
  #windowMs = 0
  #usualMs = 1
  #sends = 0
  #full = 0
  /** Calls that were sent at this very moment: they found the limit full if the last of them did. */
  #burst = 0
  #burstMs = Number.NaN

  restart(): void {
    this.fastN = 0
    this.#restartWindow()
  }

  /** The window counts what settles once `skip` usual durations have passed. */
  beginWindow(nowMs: number, skip: number, usualMs: number): void {
    this.#restartWindow()
    this.#usualMs = usualMs
    this.#windowMs = nowMs + skip * usualMs
  }

  #restartWindow(): void {
    this.window.reset()
    this.#sends = 0
    this.#full = 0
    this.peak = this.inFlight
  }

  sent(inFlight: number, limit: number, nowMs: number): void {
    this.inFlight = inFlight
    this.#sends += 1
    if (nowMs !== this.#burstMs) this.#burst = 0
    this.#burstMs = nowMs
    this.#burst += 1
    if (inFlight >= limit) {
      this.#full += this.#burst
      this.#burst = 0
    }
    if (inFlight > this.peak) this.peak = inFlight
  }

  /** Half a turn of the calls in flight makes the fast mean. */
  settled(value: number, limit: number): void {
    this.fastN += 1
    this.fast += (value - this.fast) / Math.min(this.fastN, Math.max(8, limit / 2))
  }

  settledInWindow(value: number, nowMs: number): void {
    if (nowMs >= this.#windowMs) this.window.add(value)
  }

  get isSaturated(): boolean {
    return this.#full >= SATURATED * this.#sends
  }

  /** Long enough for a mean that is good to five percent, within bounds in time. */
  isWindowDone(limit: number, nowMs: number): boolean {
    const { n } = this.window
    const lastedMs = nowMs - this.#windowMs
    if (n < (limit < 4 ? 4 : 8) || lastedMs < 0.8 * this.#usualMs) return false
    // With few calls in flight a step of one is a large one, and needs no more accuracy than that.
    const accuracy = Math.max(ACCURACY, 0.25 / limit)
    return n >= this.variance / (accuracy * accuracy) || lastedMs >= MOST_DURATIONS * this.#usualMs
  }

  /** What the latest calls took, and how much they vary. */
  learn(sample: Sample): void {
    if (sample.n === 0) return
    this.lastMean = sample.mean
    if (sample.n < 2) return
    this.#variance.learn(sample)
    this.variance = this.#variance.value
    this.tolerance = toleranceOf(this.variance)
    this.patience = patienceOf(this.variance)
  }

  /** Standard error of the difference of two means over so many calls. */
  errorOf(n: number, against: number = Number.POSITIVE_INFINITY): number {
    return Math.sqrt(this.variance * (1 / n + 1 / against))
  }

  isAlarm(threshold: number, baseline: Baseline, limit: number): boolean {
    const needed = Math.max(10, limit / 4)
    if (!baseline.isKnown) return false
    const above = threshold + baseline.value
    const { n, mean } = this.window
    if (this.fast <= above && (n === 0 || mean <= above)) return false
    // The variance of an exponentially weighted mean with weight w is w ÷ (2 − w) of that of single values.
    const weight = 1 / Math.max(8, limit / 2)
    const fastError = Math.sqrt((this.variance * weight) / (2 - weight))
    if (this.fastN >= needed && this.fast > above + ALARM_ERRORS * fastError) return true
    return n >= needed && mean > above + ALARM_ERRORS * this.errorOf(n)
  }

  /** A usual duration, bounded by twice the baseline so that an overload does not slow down the answer to it. */
  typicalMs(baseline: Baseline): number {
    const latest = this.fastN >= 4 ? this.fast : this.lastMean
    if (latest < baseline.value + Math.LN2) return Math.exp(latest)
    return baseline.isKnown ? 2 * Math.exp(baseline.value) : UNKNOWN_MS
  }
}

function toleranceOf(variance: number): number {
  return Math.min(6, Math.max(1, Math.exp(3 * (Math.sqrt(variance) - 0.3))))
}

function patienceOf(variance: number): number {
  return Math.min(8, Math.max(2, Math.exp(2.2 * Math.sqrt(variance))))
}
