/**
 * Where reading begins in partitions that were just assigned: at the stored progress, or where the options say for a
 * group that has none. `source.ts` calls it. Invariant: nothing is skipped that the group ever had a claim to: a
 * partition that came after the group began is read from its start.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Committer } from './commit/committer.ts'
import { ANCHOR, decodeMetadata } from './commit/metadata.ts'
import { EARLIEST, LATEST, type OffsetQuestion, offsetsOf } from './fetch/offsets.ts'
import { byTopic, nameOfPartition, type TopicPartition } from './group/assignment.ts'
import type { SourceSettings } from './option.ts'
import type { Cluster } from './wire/cluster.ts'

export interface Start {
  readonly nextOffset: number
  readonly doneAhead: Uint8Array | null
  /** Of the record before `nextOffset`, as the commit says; −1 where that is not known. */
  readonly leaderEpoch: number
  /** Nothing was stored: where it begins should be, or a restart might begin elsewhere. */
  readonly isFresh: boolean
}

/** By `topic/partition`. Rejects with `HG_OPTION_INVALID` where there is no progress and `from` is `'fail'`. */
export async function startOf(
  cluster: Cluster,
  settings: SourceSettings,
  committer: Committer,
  assigned: readonly TopicPartition[],
  signal: AbortSignal,
): Promise<Map<string, Start>> {
  const starts = new Map<string, Start>()
  const stored = await committer.stored(withSiblings(cluster, assigned), signal)
  const fresh: OffsetQuestion[] = []
  for (const partition of assigned) {
    const name = nameOfPartition(partition)
    const progress = stored.get(name)
    if (progress === undefined || progress.committedOffset < 0n) {
      fresh.push({ ...partition, timestamp: beginning(settings, partition, stored) })
      continue
    }
    const { doneAhead, isForeign } = decodeMetadata(progress.metadata)
    if (isForeign) {
      cluster.log.warn(
        { partition: name },
        'the metadata of the last commit was written by another program or a newer version: it is ignored, and ' +
          'records that were completed ahead of the committed offset are done again',
      )
    }
    const { committedOffset, committedLeaderEpoch: leaderEpoch } = progress
    starts.set(name, { nextOffset: Number(committedOffset), doneAhead, leaderEpoch, isFresh: false })
  }
  if (fresh.length === 0) return starts
  if (settings.from === 'fail') {
    const names = fresh.map(nameOfPartition).join(', ')
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `The group '${settings.group}' has no progress in ${names}, and \`from\` is 'fail': set the group's offsets, or \`from\``,
    )
  }
  const readCommitted = settings.isolation === 'committed'
  const withinMs = settings.requestTimeoutMs
  const found = await offsetsOf(cluster, fresh, readCommitted, withinMs, signal)
  // No record is that young: the next one will be.
  const late = fresh.filter((question) => found.get(nameOfPartition(question)) === -1)
  const ends = late.map(({ topic, partition }) => ({ topic, partition, timestamp: LATEST }))
  const latest = await offsetsOf(cluster, ends, readCommitted, withinMs, signal)
  for (const question of fresh) {
    const name = nameOfPartition(question)
    const nextOffset = latest.get(name) ?? (found.get(name) as number)
    starts.set(name, { nextOffset, doneAhead: null, leaderEpoch: -1, isFresh: true })
  }
  return starts
}

/** With the other partitions of the same topics: whether the group has made progress in a topic shows in them. */
function withSiblings(cluster: Cluster, assigned: readonly TopicPartition[]): TopicPartition[] {
  return [...byTopic(assigned)].flatMap(([topic, numbers]) => {
    const count = cluster.topics.get(topic)?.leaders.length ?? 0
    const all = new Set([...numbers, ...Array.from({ length: count }, (_, index) => index)])
    return Array.from(all, (partition) => ({ topic, partition }))
  })
}

/** A topic in which the group made progress already has got a new partition: nobody has ever read it. */
function beginning(
  { from }: SourceSettings,
  { topic }: TopicPartition,
  stored: ReadonlyMap<string, { readonly committedOffset: bigint; readonly metadata: string | null }>,
): bigint {
  if (from === 'earliest' || from === 'fail') return EARLIEST
  for (const [name, { committedOffset, metadata }] of stored) {
    // Another member may have begun a moment ago, and that is no progress.
    if (committedOffset < 0n || metadata === ANCHOR) continue
    if (name.slice(0, name.lastIndexOf('/')) === topic) return EARLIEST
  }
  return from === 'latest' ? LATEST : BigInt(from.timestampMs)
}
