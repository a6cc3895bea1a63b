/**
 * Progress in the form that requests carry: what `Source.commit` sends by itself, and what a transaction stores along
 * with its records. `committer.ts` makes it; the producer of transactions takes it. Invariant: it says which member it
 * is from, so that a broker can refuse what is stale.
 */
import type { Position } from '../../../model/connector.ts'
import type { Identity } from '../group/membership.ts'
import type { Partition } from '../partition.ts'
import type { CommitPartition, CommitTopic } from '../wire/calls.ts'
import { encodeMetadata } from './metadata.ts'

/** Offsets of a consumer group, with the member they come from: what TxnOffsetCommit takes. */
export interface GroupProgress {
  readonly group: string
  readonly identity: Identity
  readonly topics: readonly CommitTopic[]
}

/** `withMetadata`: false leaves the done-ahead sets out. */
export function commitTopics(
  positions: readonly Position[],
  partitions: ReadonlyMap<string, Partition>,
  withMetadata: boolean,
): CommitTopic[] {
  const topics = new Map<string, CommitPartition[]>()
  for (const { partition: name, nextOffset, doneAhead } of positions) {
    const partition = partitions.get(name) as Partition
    let entries = topics.get(partition.topic)
    if (!entries) topics.set(partition.topic, (entries = []))
    entries.push({
      partitionIndex: partition.index,
      committedOffset: BigInt(nextOffset),
      committedLeaderEpoch: partition.epochs.at(nextOffset - 1),
      committedMetadata: withMetadata ? encodeMetadata(doneAhead) : '',
    })
  }
  return [...topics].map(([name, entries]) => ({ name, partitions: entries }))
}
