/**
 * What one fetch asks of a broker: which of the partitions that want something, in which order, and how much of each.
 * The fetch loop asks before each request, on either of its lanes. Invariant: of partitions that are behind no more bytes
 * are asked than their share of the demand, but for the last one's batch.
 */
import type { Credit } from '../../../model/connector.ts'
import type { SourceSettings } from '../option.ts'
import type { Partition } from '../partition.ts'
import type { FetchPartition, FetchTopic } from '../wire/calls.ts'
import type { Topics } from '../wire/topics.ts'
import type { Demand } from './demand.ts'

export interface FetchPlan {
  readonly partitions: readonly Partition[]
  readonly topics: readonly FetchTopic[]
  readonly maxBytes: number
  /** What may come of it. */
  readonly expected: Credit
}

const NOTHING: Credit = { records: 0, bytes: 0 }

/** True unless the partition was read to its end. Those at their end ask for little: what comes next comes as it is made. */
export function isBehind({ position, endOffset }: Partition): boolean {
  return endOffset < 0 || position < endOffset
}

/**
 * Those that wait longest are asked first. Batches may be so large that one of each partition is more than there is room
 * for: the others are left to the next request.
 */
export function planFetch(
  hungry: readonly Partition[],
  share: Credit,
  demand: Demand,
  known: Topics,
  { fetchBytes, partitionFetchBytes }: SourceSettings,
): FetchPlan {
  const sharers = Math.max(1, hungry.filter(isBehind).length)
  const partitions: Partition[] = []
  const topics = new Map<string, { name: string; topicId: string; partitions: FetchPartition[] }>()
  const wanted = { records: 0, bytes: 0 }
  let maxBytes = 0
  // The first in a request is sure of one whole batch.
  for (const partition of [...hungry].sort((a, b) => b.starved - a.starved || a.fetchedAtMs - b.fetchedAtMs)) {
    const behind = isBehind(partition)
    if (behind && wanted.bytes >= share.bytes) continue
    const like = measured(partition, hungry)
    const bytes = demand.bytesFor(like, behind ? share : NOTHING, sharers, partitionFetchBytes)
    if (behind) {
      wanted.bytes += bytes
      wanted.records += Math.ceil(bytes / like.recordBytes)
    }
    maxBytes += bytes
    partitions.push(partition)
    const { topic: name } = partition
    const topic = known.get(name)
    let entry = topics.get(name)
    if (!entry) topics.set(name, (entry = { name, topicId: topic?.id ?? '', partitions: [] }))
    entry.partitions.push(asked(partition, topic?.leaders[partition.index]?.epoch ?? -1, bytes))
  }
  maxBytes = Math.min(maxBytes, fetchBytes)
  const expected = { records: Math.min(share.records, wanted.records), bytes: Math.min(share.bytes, maxBytes) }
  return { partitions, topics: [...topics.values()], maxBytes, expected }
}

/** Of a partition that nothing has come of yet, another one of its topic tells more than a guess. */
function measured(partition: Partition, others: readonly Partition[]): Partition {
  if (partition.batchBytes > 0) return partition
  return others.find(({ topic, batchBytes }) => topic === partition.topic && batchBytes > 0) ?? partition
}

function asked(partition: Partition, leaderEpoch: number, partitionMaxBytes: number): FetchPartition {
  const { index, position, replica, epochs } = partition
  return {
    partition: index,
    currentLeaderEpoch: replica >= 0 ? -1 : leaderEpoch,
    fetchOffset: BigInt(position),
    lastFetchedEpoch: epochs.last,
    partitionMaxBytes,
  }
}
