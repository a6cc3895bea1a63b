/**
 * How long attempts or writes took by how many records they carried: sums in one bucket for each power of two, from
 * which the doctor fits the fixed part of a write and the part that grows with its records.
 */
import type { DurationSums, SizeSums } from '../model/status.ts'

const BUCKETS = 24

export class Durations {
  readonly #count = new Float64Array(BUCKETS)
  readonly #records = new Float64Array(BUCKETS)
  readonly #ms = new Float64Array(BUCKETS)
  readonly #cpuMs = new Float64Array(BUCKETS)

  /** `times` attempts of so many records each took so long each. */
  ended(records: number, ms: number, times: number): void {
    const bucket = bucketOf(records)
    this.#count[bucket] = (this.#count[bucket] as number) + times
    this.#records[bucket] = (this.#records[bucket] as number) + records * times
    this.#ms[bucket] = (this.#ms[bucket] as number) + ms * times
  }

  /** Starting attempts of about so many records each kept the thread for so long. */
  ran(records: number, ms: number): void {
    const bucket = bucketOf(records)
    this.#cpuMs[bucket] = (this.#cpuMs[bucket] as number) + ms
  }

  get totalMs(): number {
    return this.#ms.reduce((sum, ms) => sum + ms, 0)
  }

  sums(): DurationSums {
    const total = { count: 0, records: 0, ms: 0, cpuMs: 0 }
    const bySize: SizeSums[] = []
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = this.#count[bucket] as number
      const records = this.#records[bucket] as number
      const ms = this.#ms[bucket] as number
      const cpuMs = this.#cpuMs[bucket] as number
      if (count === 0 && cpuMs === 0) continue
      bySize.push({ fromRecords: 2 ** bucket, count, records, ms, cpuMs })
      total.count += count
      total.records += records
      total.ms += ms
      total.cpuMs += cpuMs
    }
    return { ...total, bySize }
  }
}

function bucketOf(records: number): number {
  return Math.min(BUCKETS - 1, 31 - Math.clz32(Math.max(1, records)))
}
