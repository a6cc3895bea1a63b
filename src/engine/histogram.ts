/**
 * A log-linear histogram of durations: 16 steps an octave, so a quantile is at most 6 % off; recording is two shifts
 * and an add. The unit is 1/16 ms, which covers 62 µs to three days in one Uint32Array.
 */
import type { LatencyStatus } from '../model/status.ts'

const UNITS_PER_MS = 16
const STEP_BITS = 4
const STEPS = 1 << STEP_BITS

export class Histogram {
  readonly #counts = new Uint32Array((33 - STEP_BITS) * STEPS)
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

  status(): LatencyStatus {
    return { p50: this.quantile(0.5), p95: this.quantile(0.95), p99: this.quantile(0.99), max: this.#max }
  }
}

/** The first unit above a bucket. */
function upperBound(bucket: number): number {
  const shift = Math.floor(bucket / STEPS)
  if (shift === 0) return bucket + 1
  return (STEPS + (bucket % STEPS) + 1) * 2 ** (shift - 1)
}
