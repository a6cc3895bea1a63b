/**
 * How much waits in the brokers. Where partitions end comes with every fetch; only for those that were not fetched for a
 * while the leaders are asked, with one small request each. The source calls it. Invariant: no more requests than one a
 * leader in the time below, however often it is asked.
 */
import type { PartitionBacklog } from '../../model/connector.ts'
import { LATEST, type OffsetQuestion, offsetsOf } from './fetch/offsets.ts'
import { nameOfPartition } from './group/assignment.ts'
import type { Partition } from './partition.ts'
import type { Cluster } from './wire/cluster.ts'

/** What was seen of a partition's end holds for so long. */
const END_HOLDS_MS = 5_000
const ASK_WITHIN_MS = 2_000

export class Backlog {
  readonly #cluster: Cluster
  readonly #partitions: ReadonlyMap<string, Partition>
  readonly #readCommitted: boolean
  #asking: Promise<void> | null = null

  constructor(cluster: Cluster, partitions: ReadonlyMap<string, Partition>, readCommitted: boolean) {
    this.#cluster = cluster
    this.#partitions = partitions
    this.#readCommitted = readCommitted
  }

  async count(signal: AbortSignal): Promise<readonly PartitionBacklog[]> {
    const oldMs = performance.now() - END_HOLDS_MS
    const old = [...this.#partitions.values()].filter(({ endSeenMs }) => endSeenMs < oldMs)
    if (old.length > 0) {
      this.#asking ??= this.#ask(old, signal).finally(() => {
        this.#asking = null
      })
      await this.#asking
    }
    return Array.from(this.#partitions.values(), ({ name, position, endOffset, heldSinceMs }) => ({
      partition: name,
      // Offsets that compaction or transaction markers left empty count as records: a broker does not tell.
      records: endOffset < 0 ? null : Math.max(0, endOffset - position),
      oldestTimestampMs: heldSinceMs,
    }))
  }

  async #ask(old: readonly Partition[], signal: AbortSignal): Promise<void> {
    const questions = old.map(({ topic, index }): OffsetQuestion => ({ topic, partition: index, timestamp: LATEST }))
    const ends = await offsetsOf(this.#cluster, questions, this.#readCommitted, ASK_WITHIN_MS, signal)
    const nowMs = performance.now()
    for (const partition of old) {
      const { topic, index } = partition
      const end = ends.get(nameOfPartition({ topic, partition: index }))
      if (end === undefined) continue
      partition.endOffset = Math.max(end, partition.endOffset)
      partition.endSeenMs = nowMs
    }
  }
}
