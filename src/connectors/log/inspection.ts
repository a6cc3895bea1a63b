/**
 * Describes topics and groups in numbers: `log.topics()` and `log.groups()` call it, the command line prints it. It
 * only reads. Invariant: lag counts offsets from a group's progress to the durable end, and never what was trimmed.
 */
import { isAlive, ownerOf } from './ownership.ts'
import { PartitionReader } from './reader.ts'
import type { Shared } from './shared.ts'
import type { Mark, Partition, Retention, Topic } from './topics.ts'

export interface PartitionInfo {
  readonly partition: number
  readonly firstOffset: number
  readonly nextOffset: number
  /** Stored bytes. */
  readonly bytes: number
  /** Of the oldest record, epoch milliseconds; null when there is none. */
  readonly oldestTimestampMs: number | null
}

export interface TopicInfo {
  readonly name: string
  readonly partitions: readonly PartitionInfo[]
  readonly retention: Retention
  readonly records: number
  readonly bytes: number
  readonly oldestTimestampMs: number | null
}

export interface GroupPartitionInfo {
  readonly partition: number
  /** Everything below it is done. */
  readonly nextOffset: number
  /** Records from there to the durable end. */
  readonly lag: number
  /** Of the oldest record that is not done, epoch milliseconds; null when there is none. */
  readonly oldestTimestampMs: number | null
  readonly updatedAtMs: number
}

export interface GroupInfo {
  readonly group: string
  readonly topic: string
  readonly epoch: number
  /** Who consumes it now; null when nobody does. */
  readonly owner: { readonly pid: number; readonly hostname: string; readonly heartbeatAtMs: number } | null
  readonly lag: number
  readonly oldestTimestampMs: number | null
  readonly partitions: readonly GroupPartitionInfo[]
}

export function describeTopic({ topics }: Shared, topic: Topic): TopicInfo {
  const partitions = topic.partitions.map((partition): PartitionInfo => {
    const mark = topics.mark(partition)
    const oldestTimestampMs = timestampAt(partition, mark.firstOffset, mark)
    const { firstOffset, nextOffset, bytes } = mark
    return { partition: partition.index, firstOffset, nextOffset, bytes, oldestTimestampMs }
  })
  return {
    name: topic.name,
    partitions,
    retention: topics.retentionOf(topic.name),
    records: sum(partitions.map(({ firstOffset, nextOffset }) => nextOffset - firstOffset)),
    bytes: sum(partitions.map(({ bytes }) => bytes)),
    oldestTimestampMs: oldest(partitions),
  }
}

export function describeGroups(shared: Shared): GroupInfo[] {
  return shared.groups.list().flatMap(({ group, topic }): GroupInfo[] => {
    const found = shared.topics.find(topic)
    return found ? [describeGroup(shared, group, found)] : []
  })
}

function describeGroup({ store, topics, groups }: Shared, group: string, topic: Topic): GroupInfo {
  const partitions = topic.partitions.flatMap((partition): GroupPartitionInfo[] => {
    const progress = groups.progress(group, partition)
    if (!progress) return []
    const mark = topics.mark(partition)
    const { nextOffset, updatedAtMs } = progress
    const lag = Math.max(0, mark.nextOffset - Math.max(nextOffset, mark.firstOffset))
    const oldestTimestampMs = timestampAt(partition, nextOffset, mark)
    return [{ partition: partition.index, nextOffset, lag, oldestTimestampMs, updatedAtMs }]
  })
  const owner = ownerOf(store, group, topic.name)
  const present = owner?.ownerId && isAlive(owner) ? owner : null
  return {
    group,
    topic: topic.name,
    epoch: owner?.epoch ?? 0,
    owner: present && {
      pid: present.pid as number,
      hostname: present.hostname as string,
      heartbeatAtMs: present.heartbeatAtMs as number,
    },
    lag: sum(partitions.map(({ lag }) => lag)),
    oldestTimestampMs: oldest(partitions),
    partitions,
  }
}

/** A corrupt batch must not keep an operator from seeing the rest. */
function timestampAt(partition: Partition, offset: number, mark: Mark): number | null {
  try {
    return new PartitionReader(partition).timestampAt(offset, mark)
  } catch {
    return null
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0)
}

function oldest(places: readonly { readonly oldestTimestampMs: number | null }[]): number | null {
  const known = places.flatMap(({ oldestTimestampMs }) => oldestTimestampMs ?? [])
  return known.length === 0 ? null : Math.min(...known)
}
