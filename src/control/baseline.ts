/**
 * The latency of the downstream when nothing queues (as a logarithm), from which every judgement is made. It is pooled
 * while the limit climbs from below, measured again by probes with a lower limit, and falls when calls have become
 * faster. It is never raised by what is measured at full load: a queue of one's own making would become the norm.
 */
import type { Sample } from './latency.ts'

/** Probes whose mean is the baseline; one that is slower by more than `RESTART` errors begins a new mean. */
const PROBES = 3
const RESTART = 2
/**
 * One that is faster begins a new mean from so many errors on, and counts for half below that: by chance alone a
 * baseline that is too low takes the limit down with it, where one that is too high only queues until the next probe.
 */
const RESTART_BELOW = 4
const SLACK = 0.01
const LOW_WINDOWS = 2
const MAX_WEIGHT = 400

export class Baseline {
  /** Logarithm of milliseconds; NaN while nothing is known. */
  value = Number.NaN
  /** Calls that it rests on. */
  n = 0
  readonly #probes: number[] = []
  #lows = 0

  get isKnown(): boolean {
    return this.n > 0
  }

  /** A sample below the knee joins the pool. */
  pool(sample: Sample): void {
    const n = Math.min(this.n, MAX_WEIGHT)
    this.value = n === 0 ? sample.mean : this.#meanWith(sample.mean, sample.n, n)
    this.n = n + sample.n
  }

  /** Starts over from here. */
  set(value: number, n: number): void {
    this.value = value
    this.n = Math.max(1, n)
    this.#probes.length = 0
    this.#lows = 0
  }

  /** A probe found this; returns by how much the baseline moved. */
  probed(value: number, n: number, error: number): number {
    const before = this.value
    const probes = this.#probes
    const known = probes.length === 0 ? before : meanOf(probes)
    const off = value - known
    const chance = RESTART * error
    if (probes.length === 0 && off < 0 && off >= -chance) {
      // One probe that is faster by no more than chance explains counts beside what was known.
      this.value = this.#meanWith(value, n, Math.min(this.n, (PROBES - 1) * n))
      return this.value - before
    }
    if (off > chance + SLACK || off < -(RESTART_BELOW * error + SLACK)) probes.length = 0
    else if (off < -(chance + SLACK) && (probes.length > 0 || this.n >= n)) probes.splice(0, probes.length, known)
    probes.push(value)
    if (probes.length > PROBES) probes.shift()
    this.value = meanOf(probes)
    this.n = n * probes.length
    return this.value - before
  }

  /** A window at full load; a second one in a row that is clearly faster than the baseline becomes it. */
  observed(sample: Sample, error: number): void {
    if (sample.mean - this.value >= -0.05 - 2 * error) {
      this.#lows = 0
      return
    }
    this.#lows += 1
    if (this.#lows >= LOW_WINDOWS) this.set(sample.mean, sample.n)
  }

  /** The mean of `n` calls that took `value` and of `known` that took what is known. */
  #meanWith(value: number, n: number, known: number): number {
    return (this.value * known + value * n) / (known + n)
  }
}

function meanOf(values: readonly number[]): number {
  return values.reduce((sum, one) => sum + one, 0) / values.length
}
