/**
 * What has stood still, from one status to the next, since the window is no longer than what completes needs: stages of
 * whose attempts none ends, and partitions whose watermark does not move. `Doctor` owns a log and shows it each status.
 */
import type { Status } from '../model/status.ts'

/** A record that is open, and behind which nothing can be committed. */
export interface OldestOpen {
  readonly partition: string
  readonly offset: number
  /** The watermark of its partition has not moved for so long, as far as was seen. */
  readonly forMs: number
}

interface Stood {
  readonly watermark: number
  readonly atMs: number
}

export class StillLog {
  readonly #ended = new Map<string, { readonly count: number; readonly atMs: number }>()
  #stillMs: ReadonlyMap<string, number> = new Map()
  /** By source and partition with open records: since when its watermark is where it is. */
  #stood: ReadonlyMap<string, Stood> = new Map()
  #oldestOpen: OldestOpen | null = null

  observe(status: Status): void {
    this.#observeStages(status)
    this.#observePartitions(status)
  }

  #observeStages({ stages, nowMs, state }: Status): void {
    const still = new Map<string, number>()
    for (const { name, ok, failed, timeouts, rejected429, inFlight } of stages) {
      const count = ok + failed + timeouts + rejected429
      const before = this.#ended.get(name)
      if (before === undefined || before.count !== count || inFlight === 0 || state !== 'running')
        this.#ended.set(name, { count, atMs: nowMs })
      else still.set(name, nowMs - before.atMs)
    }
    this.#stillMs = still
  }

  /** What a record's time stamp says is no measure here: it may have waited in the broker for hours. */
  #observePartitions({ sources, nowMs }: Status): void {
    const stood = new Map<string, Stood>()
    let oldest: OldestOpen | null = null
    let oldestMs = Number.POSITIVE_INFINITY
    for (const { name: source, byPartition } of sources) {
      for (const { name: partition, watermark, oldestOpenMs } of byPartition) {
        if (oldestOpenMs === null) continue
        const key = `${source} ${partition}`
        const before = this.#stood.get(key)
        const since = before?.watermark === watermark ? before : { watermark, atMs: nowMs }
        stood.set(key, since)
        const forMs = nowMs - since.atMs
        const isOlder = oldest === null || forMs > oldest.forMs || (forMs === oldest.forMs && oldestOpenMs < oldestMs)
        if (!isOlder) continue
        oldest = { partition, offset: watermark, forMs }
        oldestMs = oldestOpenMs
      }
    }
    this.#stood = stood
    this.#oldestOpen = oldest
  }

  /** By stage with attempts in progress: for how long none has ended. */
  get stillMs(): ReadonlyMap<string, number> {
    return this.#stillMs
  }

  /** Of the partition that has stood for longest; of those alike, the one with the oldest record. */
  get oldestOpen(): OldestOpen | null {
    return this.#oldestOpen
  }
}
