/**
 * Moves a group that has no members: to the start, the end, or a time, in all partitions of the topics. An operator's
 * program calls it between two runs. Invariant: a group that is at work is never moved under its members; they would go
 * on from where they are and commit over it.
 */

import { z } from 'zod'
import { HeadgateError } from '../../model/errors.ts'
import { type Logger, SILENT_LOGGER } from '../../model/logger.ts'
import { checked } from '../../model/schema-check.ts'
import { EARLIEST, LATEST, offsetsOf } from './fetch/offsets.ts'
import { byTopic, type TopicPartition } from './group/assignment.ts'
import { Cluster, GROUP } from './wire/cluster.ts'
import {
  brokerError,
  ILLEGAL_GENERATION,
  NONE,
  REBALANCE_IN_PROGRESS,
  STALE_MEMBER_EPOCH,
  UNKNOWN_MEMBER_ID,
} from './wire/errors.ts'
import { connectionShape, type KafkaConnectionOptions } from './wire/options.ts'
import { integer, text, topicName } from './wire/schema.ts'

export interface KafkaSeekOptions extends KafkaConnectionOptions {
  readonly group: string
  readonly topics: readonly string[]
  /** The first record, the end, or the first record that is not older than a time. */
  readonly to: 'earliest' | 'latest' | { readonly timestampMs: number }
  readonly log?: Logger
}

const schema = z.strictObject({
  ...connectionShape,
  group: text,
  topics: z.array(topicName).min(1, { error: 'a list of topics' }),
  to: z.union([z.enum(['earliest', 'latest']), z.strictObject({ timestampMs: integer(0, Number.MAX_SAFE_INTEGER) })], {
    error: "'earliest', 'latest' or { timestampMs }",
  }),
  log: z.custom<Logger>((value) => typeof value === 'object' && value !== null, { error: 'a logger' }).optional(),
})

const HAS_MEMBERS = new Set([UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS, STALE_MEMBER_EPOCH])

/**
 * Resolves with the offsets that were stored, by `topic/partition`. Rejects with `HG_OPTION_INVALID` for an option, a
 * topic that is not there, or a group that has members.
 */
export async function seek(options: KafkaSeekOptions): Promise<ReadonlyMap<string, number>> {
  const settings = checked('kafka.seek', schema, options)
  const { group, topics, to, requestTimeoutMs } = settings
  const { signal } = new AbortController()
  const cluster = await Cluster.connect(settings, settings.log ?? SILENT_LOGGER, signal)
  try {
    cluster.watch(topics)
    await cluster.refresh()
    const places = topics.flatMap((topic): TopicPartition[] => {
      const known = cluster.topics.get(topic)
      if (known === undefined) throw brokerError(cluster.topics.codeOf(topic), `looking up the topic '${topic}'`)
      return known.leaders.map((_, partition) => ({ topic, partition }))
    })
    const ask = (timestamp: bigint): Promise<Map<string, number>> =>
      offsetsOf(
        cluster,
        places.map((place) => ({ ...place, timestamp })),
        false,
        requestTimeoutMs,
        signal,
      )
    const found = await ask(to === 'earliest' ? EARLIEST : to === 'latest' ? LATEST : BigInt(to.timestampMs))
    if ([...found.values()].includes(-1)) {
      for (const [name, end] of await ask(LATEST)) if (found.get(name) === -1) found.set(name, end)
    }
    await store(cluster, group, places, found, requestTimeoutMs)
    return found
  } finally {
    cluster.close()
  }
}

async function store(
  cluster: Cluster,
  group: string,
  places: readonly TopicPartition[],
  offsets: ReadonlyMap<string, number>,
  withinMs: number,
): Promise<void> {
  const topics = [...byTopic(places)].map(([name, partitions]) => ({
    name,
    partitions: partitions.map((partitionIndex) => ({
      partitionIndex,
      committedOffset: BigInt(offsets.get(`${name}/${partitionIndex}`) as number),
      committedLeaderEpoch: -1,
      committedMetadata: '',
    })),
  }))
  const { topics: answered } = await cluster.onCoordinator(
    GROUP,
    group,
    (connection) => connection.call('offsetCommit', group, -1, '', null, topics),
    (answer) => answer.topics[0]?.partitions[0]?.errorCode ?? NONE,
    withinMs,
  )
  const codes = answered.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
  const code = codes.find((each) => each !== NONE) ?? NONE
  if (HAS_MEMBERS.has(code)) {
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `The group '${group}' has members: stop all of them before it is moved`,
    )
  }
  if (code !== NONE) throw brokerError(code, `moving the group '${group}'`)
}
