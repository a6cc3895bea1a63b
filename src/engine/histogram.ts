/**
 * A log-linear histogram of durations: 16 steps an octave, so a quantile is at most 6 % off; recording is two shifts
 * and an add. The unit is 1/16 ms, which covers 62 µs to three days. Counts are floats: 32 bits would be full in an hour.
 */
import type { LatencyStatus } from '../model/status.ts'

const UNITS_PER_MS = 16
const STEP_BITS = 4
const STEPS = 1 << STEP_BITS

export class Histogram {
  readonly #counts = new Float64Array((33 - STEP_BITS) * STEPS)
  #total = 0
  #max = 0
  #sum = 0

  get total(): number {
    return this.#total
  }

  /** Of all that was recorded, in ms. */
  get sum(): number {
    return this.#sum
  }

  record(ms: number, times = 1): void {
    this.#sum += ms * times
    if (ms > this.#max) this.#max = ms
    const units = ms > 0 ? Math.min(ms * UNITS_PER_MS, 0xffffffff) >>> 0 : 0
    const shift = 32 - STEP_BITS - Math.clz32(units | (STEPS - 1)) // 0 for the first, linear octave
    const bucket = shift === 0 ? units : shift * STEPS + (units >>> (shift - 1)) - STEPS
    this.#counts[bucket] = (this.#counts[bucket] as number) + times
    this.#total += times
  }

  /** The value that a share `q` of the records does not exceed, in ms; 0 when nothing was recorded. */
  quantile(q: number): number {
    let left = Math.ceil(this.#total * q)
    if (left === 0) return 0
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      left -= this.#counts[bucket] as number
      if (left <= 0) return Math.min(this.#max, upperBound(bucket) / UNITS_PER_MS)
    }
    return this.#max
  }

  /** What was recorded so far, for comparison with a later moment. */
  copy(): LatencyCounts {
    return new LatencyCounts(this.#counts.slice(), this.#total, this.#sum)
  }

  status(): LatencyStatus {
    return { p50: this.quantile(0.5), p95: this.quantile(0.95), p99: this.quantile(0.99), max: this.#max }
  }
}

/** The counts of a histogram at one moment, or between two. */
export class LatencyCounts {
  readonly #counts: Float64Array
  readonly total: number
  readonly sumMs: number

  constructor(counts: Float64Array, total: number, sumMs: number) {
    this.#counts = counts
    this.total = total
    this.sumMs = sumMs
  }

  /** What was recorded after `then`; all of it when there is no such moment. */
  since(then: LatencyCounts | undefined): LatencyCounts {
    if (then === undefined) return this
    const counts = this.#counts.map((count, bucket) => count - (then.#counts[bucket] as number))
    return new LatencyCounts(counts, this.total - then.total, this.sumMs - then.sumMs)
  }

  /** The value that a share `q` does not exceed, in ms; null when nothing was recorded. */
  quantile(q: number): number | null {
    let left = Math.ceil(this.total * q)
    if (left <= 0) return null
    for (let bucket = 0; bucket < this.#counts.length; bucket += 1) {
      left -= this.#counts[bucket] as number
      if (left <= 0) return upperBound(bucket) / UNITS_PER_MS
    }
    return null
  }

  /** How many were below each of these bounds, in rising order and in ms; exact where a bound is a power of two. */
  below(boundsMs: readonly number[]): number[] {
    let bucket = 0
    let sum = 0
    return boundsMs.map((boundMs) => {
      while (bucket < this.#counts.length && upperBound(bucket) <= boundMs * UNITS_PER_MS) {
        sum += this.#counts[bucket] as number
        bucket += 1
      }
      return sum
    })
  }
}

export interface Latencies {
  /** From the source's timestamp to completion. */
  readonly flow: LatencyCounts
  /** Of an attempt or write, by the name of the stage. */
  readonly stages: Readonly<Record<string, LatencyCounts>>
}

/** The first unit above a bucket. */
function upperBound(bucket: number): number {
  const shift = Math.floor(bucket / STEPS)
  if (shift === 0) return bucket + 1
  return (STEPS + (bucket % STEPS) + 1) * 2 ** (shift - 1)
}
