/**
 * Asks the leaders for offsets: the first, the last, or that of a time. An assignment asks where to begin, the backlog
 * where the ends are. Invariant: every partition that was asked about is answered, however often leaders move
 * meanwhile, or the call rejects.
 */
import { HeadgateError } from '../../../model/errors.ts'
import { nameOfPartition, type TopicPartition } from '../group/assignment.ts'
import type { OffsetRequestPartition } from '../wire/calls.ts'
import type { Cluster } from '../wire/cluster.ts'
import { brokerError, NONE, remedyOf } from '../wire/errors.ts'
import { backoffMs, sleep } from '../wire/wait.ts'

export const EARLIEST = -2n
export const LATEST = -1n

export interface OffsetQuestion extends TopicPartition {
  /** `EARLIEST`, `LATEST`, or epoch milliseconds. */
  readonly timestamp: bigint
}

/** What is at the place that was asked about. */
export interface Place {
  /** −1 for a time after the last record. */
  readonly offset: number
  /** Of the record there, where a time was asked about; −1 where it has none. */
  readonly timestampMs: number
}

/** By `topic/partition`; −1 for a time after the last record. Rejects after `withinMs` with what went wrong last. */
export async function offsetsOf(...given: Parameters<typeof placesOf>): Promise<Map<string, number>> {
  return new Map(Array.from(await placesOf(...given), ([name, { offset }]) => [name, offset]))
}

/** As `offsetsOf`, with what the record there is stamped. */
export async function placesOf(
  cluster: Cluster,
  questions: readonly OffsetQuestion[],
  readCommitted: boolean,
  withinMs: number,
  signal: AbortSignal,
): Promise<Map<string, Place>> {
  const found = new Map<string, Place>()
  const deadline = performance.now() + withinMs
  for (let attempt = 0; ; attempt += 1) {
    const open = questions.filter((question) => !found.has(nameOfPartition(question)))
    if (open.length === 0) return found
    const failure = await askAll(cluster, open, readCommitted, found)
    if (failure === null) continue
    if (failure.code !== 'HG_CONNECTION_LOST' || signal.aborted || performance.now() > deadline) throw failure
    await sleep(backoffMs(attempt), signal)
    await cluster.refresh().catch(() => {})
  }
}

/** One request a leader. Resolves with what went wrong last; null when nothing did. */
async function askAll(
  cluster: Cluster,
  questions: readonly OffsetQuestion[],
  readCommitted: boolean,
  found: Map<string, Place>,
): Promise<HeadgateError | null> {
  const nodes = new Map<number, OffsetQuestion[]>()
  let failure: HeadgateError | null = null
  for (const question of questions) {
    const leader = cluster.topics.get(question.topic)?.leaders[question.partition]
    if (leader === undefined || leader.nodeId < 0) {
      failure = new HeadgateError(
        'HG_CONNECTION_LOST',
        `${nameOfPartition(question)} has no leader: are all brokers up?`,
      )
      continue
    }
    const others = nodes.get(leader.nodeId)
    if (others) others.push(question)
    else nodes.set(leader.nodeId, [question])
  }
  const asked = [...nodes].map(async ([nodeId, each]) => {
    try {
      const code = await ask(cluster, nodeId, each, readCommitted, found)
      if (code === NONE) return
      const error = brokerError(code, `asking broker ${nodeId} for offsets`)
      failure =
        remedyOf(code) === 'none' ? error : new HeadgateError('HG_CONNECTION_LOST', error.message, { cause: error })
    } catch (error) {
      if (!(error instanceof HeadgateError)) throw error
      failure = error
    }
  })
  await Promise.all(asked)
  return failure
}

async function ask(
  cluster: Cluster,
  nodeId: number,
  questions: readonly OffsetQuestion[],
  readCommitted: boolean,
  found: Map<string, Place>,
): Promise<number> {
  const topics = new Map<string, OffsetRequestPartition[]>()
  for (const { topic, partition, timestamp } of questions) {
    const currentLeaderEpoch = cluster.topics.get(topic)?.leaders[partition]?.epoch ?? -1
    const entry = { partitionIndex: partition, currentLeaderEpoch, timestamp }
    const others = topics.get(topic)
    if (others) others.push(entry)
    else topics.set(topic, [entry])
  }
  const connection = await cluster.connection(nodeId, 'query')
  const request = [...topics].map(([name, partitions]) => ({ name, partitions }))
  const answer = await connection.call('listOffsets', -1, readCommitted ? 1 : 0, request)
  let code = NONE
  for (const { name, partitions } of answer.topics) {
    for (const { partitionIndex, errorCode, offset, timestamp } of partitions) {
      const place = { offset: Number(offset), timestampMs: Number(timestamp) }
      if (errorCode === NONE) found.set(`${name}/${partitionIndex}`, place)
      else code = errorCode
    }
  }
  return code
}
