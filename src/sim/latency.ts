/**
 * A log-linear histogram of times in ms, fine enough to compare two runs by their p99: 128 steps an octave, so a
 * quantile is at most 0.8 % off. From 1/64 ms to a day.
 */
const UNITS_PER_MS = 64
const STEP_BITS = 7
const STEPS = 1 << STEP_BITS

export class LatencyHistogram {
  readonly #counts = new Uint32Array((33 - STEP_BITS) * STEPS)
  count = 0
  sumMs = 0

  record(ms: number): void {
    const units = Math.min(ms * UNITS_PER_MS, 0xffffffff) >>> 0
    const shift = 32 - STEP_BITS - Math.clz32(units | (STEPS - 1))
    const bucket = shift === 0 ? units : shift * STEPS + (units >>> (shift - 1)) - STEPS
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    this.count += 1
    this.sumMs += ms
  }

  /** The middle of the bucket in which a share `q` of the times is reached; NaN when there are none. */
  quantile(q: number): number {
    if (this.count === 0) return Number.NaN
    let left = Math.ceil(this.count * q)
    let bucket = 0
    while ((left -= this.#counts[bucket] as number) > 0) bucket += 1
    const shift = Math.floor(bucket / STEPS)
    if (shift === 0) return (bucket + 0.5) / UNITS_PER_MS
    return ((STEPS + (bucket % STEPS) + 0.5) * 2 ** (shift - 1)) / UNITS_PER_MS
  }
}
