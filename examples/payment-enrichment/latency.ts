/**
 * Counts latencies in buckets of a millisecond, up to two minutes. The naive consumer measures its calls with it.
 */

const MOST_MS = 120_000

export class Latencies {
  readonly #buckets = new Uint32Array(MOST_MS + 1)
  #count = 0

  record(ms: number): void {
    this.#buckets[Math.min(MOST_MS, Math.round(ms))]! += 1
    this.#count += 1
  }

  /** The latency that the given share (0 … 1) of all stays at or under; 0 when there is none. */
  quantile(share: number): number {
    let left = Math.ceil(this.#count * share)
    for (let ms = 0; ms <= MOST_MS; ms += 1) {
      left -= this.#buckets[ms]!
      if (left <= 0 && this.#count > 0) return ms
    }
    return 0
  }
}
