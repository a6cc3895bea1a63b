/** Which requests the fetch loop makes, against a cluster of one broker that answers when the test says so. */
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { RecordBatches } from '../../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import { Fetcher } from '../../../../src/connectors/kafka/fetch/fetcher.ts'
import { sourceSettings } from '../../../../src/connectors/kafka/option.ts'
import { Partition } from '../../../../src/connectors/kafka/partition.ts'
import type { FetchRequest } from '../../../../src/connectors/kafka/wire/calls.ts'
import type { Cluster } from '../../../../src/connectors/kafka/wire/cluster.ts'
import { codec, plainDecoding, plainEncoding, record } from '../batch/codec.ts'
import { stampedBatch } from '../leader-log.ts'

class Broker {
  /** Requests that wait for an answer: the partitions in each. */
  readonly waiting: {
    readonly partitions: number[]
    readonly bytes: number[]
    answer(records: Buffer | ((partition: number) => Buffer | null)): void
  }[] = []
  readonly cluster: Cluster

  constructor(partitions: number) {
    const leaders = Array.from({ length: partitions }, () => ({ nodeId: 1, epoch: 0 }))
    const fetch = (_: 'fetch', request: FetchRequest): Promise<unknown> =>
      new Promise((resolve) => {
        const asked = request.topics.flatMap((topic) => topic.partitions.map(({ partition }) => partition))
        const bytes = request.topics.flatMap((topic) => topic.partitions.map((each) => each.partitionMaxBytes))
        const answer: Broker['waiting'][number]['answer'] = (given) => {
          this.waiting.splice(this.waiting.indexOf(entry), 1)
          const each = { topic: 'id', errorCode: 0, highWatermark: 1_000, lastStableOffset: 1_000, diverging: null }
          const rest = { logStartOffset: 0, abortedTransactions: [], preferredReadReplica: -1 }
          const recordsOf = typeof given === 'function' ? given : (): Buffer => given
          const one = (partitionIndex: number): object => {
            return { ...each, ...rest, partitionIndex, records: recordsOf(partitionIndex) }
          }
          resolve({ errorCode: 0, partitions: asked.map(one) })
        }
        const entry = { partitions: asked, bytes, answer }
        this.waiting.push(entry)
      })
    const stub = { codec, topics: { get: () => ({ id: 'id', leaders }) }, connection: async () => ({ call: fetch }) }
    this.cluster = stub as unknown as Cluster
  }

  get asked(): number[][] {
    return this.waiting.map(({ partitions }) => partitions)
  }
}

function fetcherOf(broker: Broker, partitions: readonly Partition[]): Fetcher {
  const settings = sourceSettings({ brokers: ['localhost:9092'], group: 'g', topics: 't' })
  const events = { ring() {}, outOfRange() {}, diverged() {}, topicUnknown() {}, fail() {} }
  return new Fetcher(broker.cluster, settings, new Map(partitions.map((each) => [each.name, each])), events)
}

function partitionAt(index: number, position: number, endOffset: number): Partition {
  const partition = new Partition('t', index, `t/${index}`, 1, position)
  partition.endOffset = endOffset
  return partition
}

const CREDIT = { records: 1_000, bytes: 1_000_000 }

test('keeps a lane for a partition that is behind while the others wait at their ends', async () => {
  const broker = new Broker(3)
  const [early, late, behind] = [partitionAt(0, 10, 10), partitionAt(1, 0, 10), partitionAt(2, 0, 10)]
  behind.paused = true
  late.paused = true
  const fetcher = fetcherOf(broker, [early, late, behind])
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked).toEqual([[0]])

  // Another one comes to its end while the last one wants nothing.
  late.position = 10
  late.paused = false
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked).toEqual([[0]])

  behind.paused = false
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked.map((asked) => asked.toSorted())).toEqual([[0], [1, 2]])
  fetcher.stop()
})

test('waits on both lanes when nothing is behind', async () => {
  const broker = new Broker(2)
  const [early, late] = [partitionAt(0, 10, 10), partitionAt(1, 10, 10)]
  late.paused = true
  const fetcher = fetcherOf(broker, [early, late])
  fetcher.want(CREDIT)
  await turn()
  late.paused = false
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked).toEqual([[0], [1]])
  fetcher.stop()
})

test('asks for the others, whatever is held of a partition that is left out, and lets go of what is too much', async () => {
  const broker = new Broker(2)
  const [quiet, behind] = [partitionAt(0, 0, 10_000), partitionAt(1, 0, 10)]
  const records = Array.from({ length: 6_000 }, () => record('value'))
  const bytes = encodeRecordBatch(records, plainEncoding)
  quiet.hold(new RecordBatches(bytes, plainDecoding), records.length, records.length)
  quiet.paused = true
  const fetcher = fetcherOf(broker, [quiet, behind])
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked).toEqual([[1]])
  expect(quiet.heldRecords).toBe(records.length)

  fetcher.want({ records: 1_000, bytes: bytes.length - 1 })
  expect([quiet.heldRecords, quiet.position]).toEqual([0, 0])
  fetcher.stop()
})

test('skips nothing when what was held is given back while the fetch behind it is under way', async () => {
  const broker = new Broker(1)
  const partition = partitionAt(0, 0, 1_000)
  partition.hold(new RecordBatches(stampedBatch(0, 5, 0), plainDecoding), 5, 5)
  const fetcher = fetcherOf(broker, [partition])
  fetcher.want(CREDIT)
  await turn()
  expect(broker.asked).toEqual([[0]])
  // As when a batch cannot be read, and is to be fetched again.
  partition.drop()
  broker.waiting[0]?.answer(stampedBatch(5, 5, 0))
  await turn()
  expect(partition.position).toBe(0)
  fetcher.want(CREDIT)
  await turn()
  broker.waiting[0]?.answer(stampedBatch(0, 10, 0))
  await turn()
  const offsets = partition.take(100, 1e6, true).flatMap(({ block, from, to }) => [...block.offsets.slice(from, to)])
  expect(offsets).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  fetcher.stop()
})

test('a large batch of one partition tells how much to ask for of its neighbours, and who got nothing goes first', async () => {
  const broker = new Broker(3)
  const partitions = [partitionAt(0, 0, 1_000), partitionAt(1, 0, 1_000), partitionAt(2, 0, 1_000)]
  const fetcher = fetcherOf(broker, partitions)
  const batch = encodeRecordBatch(
    Array.from({ length: 10 }, () => record('v'.repeat(50_000))),
    plainEncoding,
  )
  fetcher.want({ records: 1_000, bytes: 20_000_000 })
  await turn()
  expect(broker.asked).toEqual([[0, 1, 2]])
  // No batch of the others fits into what they were asked for.
  broker.waiting[0]?.answer((partition) => (partition === 0 ? batch : null))
  await turn()
  partitions[0]?.drop(10)
  fetcher.want({ records: 1_000, bytes: 20_000_000 })
  await turn()
  const asked = broker.waiting.flatMap(({ partitions: each, bytes }) =>
    each.map((partition, index) => [partition, bytes[index] as number] as const),
  )
  expect(asked.slice(0, 2).map(([partition]) => partition)).toEqual([1, 2])
  for (const [, bytes] of asked) expect(bytes).toBeGreaterThanOrEqual(batch.length)
  fetcher.stop()
})

test('batches that are more than the room for them are asked for in turns', async () => {
  const broker = new Broker(6)
  const partitions = Array.from({ length: 6 }, (_, index) => partitionAt(index, 0, 1_000))
  const fetcher = fetcherOf(broker, partitions)
  const batch = encodeRecordBatch(
    Array.from({ length: 10 }, () => record('v'.repeat(40_000))),
    plainEncoding,
  )
  for (const partition of partitions) partition.batchBytes = batch.length
  const credit = { records: 1_000, bytes: 4 * batch.length }
  const asked: number[][] = []
  for (let turns = 0; turns < 3; turns += 1) {
    fetcher.want(credit)
    await turn()
    expect(broker.waiting).toHaveLength(1)
    asked.push(...broker.asked)
    broker.waiting[0]?.answer(batch)
    // The runtime wants no more before it has taken what comes.
    fetcher.want({ records: 1_000, bytes: 0 })
    await turn()
    for (const partition of partitions) if (partition.heldRecords > 0) partition.drop(10)
  }
  expect(asked).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ])
  fetcher.stop()
})
