/**
 * How much waits in the brokers, and since when. Where partitions end comes with every fetch; only for those that were
 * not fetched for a while the leaders are asked, with one small request each, and with another for the first record
 * that waits where none of it is held. The source calls it. Invariant: no more requests than these two a leader in the
 * time below, however often it is asked; and an age is that of a record, or null.
 */
import type { PartitionBacklog } from '../../model/connector.ts'
import { LATEST, offsetsOf, type Place, placesOf } from './fetch/offsets.ts'
import { nameOfPartition, type TopicPartition } from './group/assignment.ts'
import type { Partition } from './partition.ts'
import type { Cluster } from './wire/cluster.ts'

/** What was seen of a partition's end, and of the first record behind what was read, holds for so long. */
const HOLDS_MS = 5_000
const ASK_WITHIN_MS = 2_000

interface Waiting extends Place {
  /** Where reading stood when it was asked about. */
  readonly position: number
  readonly askedMs: number
}

export class Backlog {
  readonly #cluster: Cluster
  readonly #partitions: ReadonlyMap<string, Partition>
  readonly #readCommitted: boolean
  /** The first record that waits, as leaders said. */
  readonly #waiting = new WeakMap<Partition, Waiting>()
  #asking: Promise<void> | null = null

  constructor(cluster: Cluster, partitions: ReadonlyMap<string, Partition>, readCommitted: boolean) {
    this.#cluster = cluster
    this.#partitions = partitions
    this.#readCommitted = readCommitted
  }

  async count(signal: AbortSignal): Promise<readonly PartitionBacklog[]> {
    const sinceMs = performance.now() - HOLDS_MS
    const all = [...this.#partitions.values()]
    const old = all.filter(({ endSeenMs }) => endSeenMs < sinceMs)
    const unknown = all.filter((partition) => this.#isUnknown(partition, sinceMs))
    if (old.length + unknown.length > 0) {
      this.#asking ??= this.#ask(old, unknown, signal).finally(() => {
        this.#asking = null
      })
      await this.#asking
    }
    return Array.from(this.#partitions.values(), (partition) => ({
      partition: partition.name,
      // Offsets that compaction or transaction markers left empty count as records: a broker does not tell.
      records: partition.endOffset < 0 ? null : Math.max(0, partition.endOffset - partition.position),
      oldestTimestampMs: partition.heldSinceMs ?? this.#waitingSinceMs(partition),
    }))
  }

  /** True where something waits, none of it is held, and nobody was asked lately, or since reading went on. */
  #isUnknown(partition: Partition, sinceMs: number): boolean {
    const { position, endOffset, heldRecords } = partition
    if (heldRecords > 0 || position >= endOffset) return false
    const known = this.#waiting.get(partition)
    return known === undefined || (known.position !== position && known.askedMs < sinceMs)
  }

  #waitingSinceMs(partition: Partition): number | null {
    const known = this.#waiting.get(partition)
    if (known === undefined || partition.heldRecords > 0 || partition.position >= partition.endOffset) return null
    // One that has been read since then says nothing of those that follow it.
    return known.offset >= partition.position && known.timestampMs >= 0 ? known.timestampMs : null
  }

  async #ask(old: readonly Partition[], unknown: readonly Partition[], signal: AbortSignal): Promise<void> {
    const ends = old.map((partition) => ({ ...placeOf(partition), timestamp: LATEST }))
    // Younger than what was read last; anything at all where nothing was.
    const firsts = unknown.map((partition) => ({
      ...placeOf(partition),
      timestamp: BigInt(Math.max(0, partition.handedOutMs + 1)),
    }))
    const within = [this.#readCommitted, ASK_WITHIN_MS, signal] as const
    const [foundEnds, foundFirsts] = await Promise.all([
      offsetsOf(this.#cluster, ends, ...within),
      placesOf(this.#cluster, firsts, ...within),
    ])
    const askedMs = performance.now()
    for (const partition of old) {
      const end = foundEnds.get(nameOfPartition(placeOf(partition)))
      if (end === undefined) continue
      partition.endOffset = Math.max(end, partition.endOffset)
      partition.endSeenMs = askedMs
    }
    for (const partition of unknown) {
      const place = foundFirsts.get(nameOfPartition(placeOf(partition)))
      if (place !== undefined) this.#waiting.set(partition, { ...place, position: partition.position, askedMs })
    }
  }
}

function placeOf({ topic, index }: Partition): TopicPartition {
  return { topic, partition: index }
}
