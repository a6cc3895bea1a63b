/**
 * How long attempts or writes took by how many records they carried: sums in one bucket for each power of two, from
 * which the doctor fits the fixed part of a write and the part that grows with its records; and by how many others were
 * in flight when they began, from which it tells a slow downstream from one that queues.
 */
import type { DurationSums, InFlightSums, SizeSums } from '../model/status.ts'

const BUCKETS = 24

export class Durations {
  readonly #count = new Float64Array(BUCKETS)
  readonly #records = new Float64Array(BUCKETS)
  readonly #ms = new Float64Array(BUCKETS)
  readonly #cpuMs = new Float64Array(BUCKETS)
  readonly #countBeside = new Float64Array(BUCKETS)
  readonly #msBeside = new Float64Array(BUCKETS)

  /** `times` attempts of so many records each, begun beside so many others, took so long each. */
  ended(records: number, ms: number, times: number, beside: number): void {
    const other = bucketOf(beside + 1)
    this.#countBeside[other] = (this.#countBeside[other] as number) + times
    this.#msBeside[other] = (this.#msBeside[other] as number) + ms * times
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
    const byInFlight: InFlightSums[] = []
    for (let bucket = 0; bucket < BUCKETS; bucket += 1) {
      const count = this.#countBeside[bucket] as number
      if (count > 0) byInFlight.push({ fromInFlight: 2 ** bucket - 1, count, ms: this.#msBeside[bucket] as number })
    }
    return { ...total, bySize, byInFlight }
  }
}

function bucketOf(records: number): number {
  return Math.min(BUCKETS - 1, 31 - Math.clz32(Math.max(1, records)))
}
