/**
 * Reads a topic from one end to the other without a group: nothing is committed, nobody is disturbed. The command line
 * looks at dead letters with it. Records of aborted transactions are left out. Invariant: `read` resolves only once it
 * came further, or rejects; what can be tried again is tried again for `requestTimeoutMs`.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import type { RecordHeaders } from '../../model/record.ts'
import { MIB } from '../../model/units.ts'
import { RecordBatches } from './batch/decode.ts'
import { EARLIEST, LATEST, offsetsOf } from './fetch/offsets.ts'
import { nameOfPartition } from './group/assignment.ts'
import { Cluster } from './wire/cluster.ts'
import { brokerError, NONE, OFFSET_OUT_OF_RANGE, remedyOf, UNKNOWN_TOPIC_OR_PARTITION } from './wire/errors.ts'
import type { Connecting } from './wire/options.ts'
import { backoffMs, sleep } from './wire/wait.ts'

export interface ReadRecord {
  readonly offset: number
  readonly timestampMs: number
  readonly key: Uint8Array | null
  /** Null is a tombstone. */
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
}

export interface ReadRange {
  readonly partition: number
  readonly firstOffset: number
  /** Where the partition ended when it was asked about. */
  readonly endOffset: number
}

const FETCH_WAIT_MS = 500

export class TopicReader {
  readonly #cluster: Cluster
  readonly #topic: string

  private constructor(cluster: Cluster, topic: string) {
    this.#cluster = cluster
    this.#topic = topic
  }

  /** Rejects as `Cluster.connect` does, and with `HG_OPTION_INVALID` when there is no such topic or it may not be read. */
  static async open(options: Connecting, topic: string, log: Logger, signal: AbortSignal): Promise<TopicReader> {
    const cluster = await Cluster.connect(options, log, signal)
    try {
      await checkTopic(cluster, topic)
      return new TopicReader(cluster, topic)
    } catch (error) {
      cluster.close()
      throw error
    }
  }

  /** Rejects with `HG_OPTION_INVALID` when there is no such topic, naming those there are. */
  checkTopic(topic: string): Promise<void> {
    return checkTopic(this.#cluster, topic)
  }

  async ranges(): Promise<ReadRange[]> {
    const { signal, options } = this.#cluster
    const count = this.#cluster.topics.get(this.#topic)?.leaders.length ?? 0
    const partitions = Array.from({ length: count }, (_, partition) => ({ topic: this.#topic, partition }))
    const at = async (timestamp: bigint): Promise<Map<string, number>> => {
      const questions = partitions.map((each) => ({ ...each, timestamp }))
      return offsetsOf(this.#cluster, questions, true, options.requestTimeoutMs, signal)
    }
    const [first, end] = [await at(EARLIEST), await at(LATEST)]
    return partitions.map((each) => {
      const name = nameOfPartition(each)
      return {
        partition: each.partition,
        firstOffset: first.get(name) as number,
        endOffset: end.get(name) as number,
      }
    })
  }

  /** At least one whole batch, unless all that lies there was removed: then only `nextOffset` has moved. */
  async read(partition: number, fromOffset: number): Promise<{ records: ReadRecord[]; nextOffset: number }> {
    const deadline = performance.now() + this.#cluster.options.requestTimeoutMs
    let bytes = MIB
    let offset = fromOffset
    for (let attempt = 0; ; attempt += 1) {
      let failure: HeadgateError
      try {
        const answer = await this.#fetch(partition, offset, bytes)
        if (answer === 'out of range') {
          const range = (await this.ranges()).find((each) => each.partition === partition)
          offset = Math.max(offset + 1, range?.firstOffset ?? 0)
          return { records: [], nextOffset: offset }
        }
        if (answer.nextOffset > offset) return answer
        // A batch that is larger than was asked for, or nothing yet.
        bytes = Math.max(bytes, answer.batchBytes)
        failure = new HeadgateError(
          'HG_CONNECTION_LOST',
          `Nothing came of ${this.#topic}/${partition} from ${offset} on`,
        )
      } catch (error) {
        if (!(error instanceof HeadgateError) || error.code !== 'HG_CONNECTION_LOST') throw error
        failure = error
      }
      if (performance.now() > deadline) throw failure
      await sleep(backoffMs(attempt), this.#cluster.signal)
      await this.#cluster.refresh().catch(() => {})
    }
  }

  close(): void {
    this.#cluster.close()
  }

  async #fetch(
    partition: number,
    fromOffset: number,
    maxBytes: number,
  ): Promise<{ records: ReadRecord[]; nextOffset: number; batchBytes: number } | 'out of range'> {
    const topic = this.#cluster.topics.get(this.#topic)
    const leader = topic?.leaders[partition]
    const what = `the fetch of ${this.#topic}/${partition}`
    if (topic === undefined || leader === undefined || leader.nodeId < 0) {
      throw brokerError(UNKNOWN_TOPIC_OR_PARTITION, what)
    }
    const { requestTimeoutMs } = this.#cluster.options
    const connection = await this.#cluster.connection(leader.nodeId, 'fetch0', FETCH_WAIT_MS + requestTimeoutMs)
    const wanted = {
      ...{ partition, currentLeaderEpoch: leader.epoch, fetchOffset: BigInt(fromOffset), lastFetchedEpoch: -1 },
      partitionMaxBytes: maxBytes,
    }
    const { errorCode, partitions } = await connection.call('fetch', {
      ...{ maxWaitMs: FETCH_WAIT_MS, minBytes: 1, maxBytes, readCommitted: true, rackId: '' },
      topics: [{ name: this.#topic, topicId: topic.id, partitions: [wanted] }],
    })
    const answer = partitions[0]
    const code = errorCode === NONE ? (answer?.errorCode ?? NONE) : errorCode
    if (code === OFFSET_OUT_OF_RANGE) return 'out of range'
    if (code !== NONE) {
      const error = brokerError(code, what)
      if (remedyOf(code) === 'none') throw error
      throw new HeadgateError('HG_CONNECTION_LOST', error.message, { cause: error })
    }
    if (!answer?.records) return { records: [], nextOffset: fromOffset, batchBytes: 0 }
    return this.#decode(answer.records, fromOffset, partition, answer.abortedTransactions)
  }

  #decode(
    fetched: Buffer,
    fromOffset: number,
    partition: number,
    abortedTransactions: readonly { readonly producerId: bigint; readonly firstOffset: bigint }[],
  ): { records: ReadRecord[]; nextOffset: number; batchBytes: number } {
    const batches = new RecordBatches(fetched, {
      ...{ partition: `${this.#topic}/${partition}`, fromOffset, abortedTransactions, readCommitted: true },
      codec: this.#cluster.codec,
    })
    const records: ReadRecord[] = []
    for (let block = batches.next(); block; block = batches.next()) {
      for (let index = 0; index < block.count; index += 1) {
        records.push({
          offset: block.offsets[index] as number,
          timestampMs: block.timestampMsAt(index),
          key: block.keyAt(index),
          value: block.valueAt(index),
          headers: block.headersAt(index),
        })
      }
    }
    return { records, nextOffset: batches.nextOffset, batchBytes: batches.nextBatchBytes }
  }
}

async function checkTopic(cluster: Cluster, topic: string): Promise<void> {
  cluster.watch([topic])
  await cluster.refresh()
  if (cluster.topics.get(topic) !== undefined) return
  const code = cluster.topics.codeOf(topic)
  if (code !== NONE && remedyOf(code) === 'none') throw brokerError(code, `looking up the topic '${topic}'`)
  cluster.watch(null)
  await cluster.refresh()
  const names = cluster.topics.names().filter((name) => !cluster.topics.get(name)?.isInternal)
  const there = names.length > 0 ? `It has: ${names.sort().join(', ')}` : 'It has no topic yet'
  throw new HeadgateError('HG_OPTION_INVALID', `The cluster has no topic '${topic}'. ${there}`)
}
