/** What waits in the brokers and since when, against leaders that count how often they are asked. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { Backlog } from '../../../src/connectors/kafka/backlog.ts'
import { RecordBatches } from '../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../src/connectors/kafka/batch/encode.ts'
import { Partition } from '../../../src/connectors/kafka/partition.ts'
import type { OffsetRequestPartition } from '../../../src/connectors/kafka/wire/calls.ts'
import type { Cluster } from '../../../src/connectors/kafka/wire/cluster.ts'
import { plainDecoding, plainEncoding, record } from './batch/codec.ts'

const { signal } = new AbortController()
/** Longer than an answer holds. */
const LATER_MS = 6_000

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => {
  vi.useRealTimers()
})

/** Partitions of one topic on two leaders, by turns; each has as many records as it has stamps. */
class Leaders {
  readonly partitions = new Map<string, Partition>()
  readonly logs: (readonly number[])[]
  /** How many partitions were in each request. */
  readonly requests: number[] = []
  readonly backlog: Backlog

  constructor(...logs: (readonly number[])[]) {
    this.logs = logs
    for (const index of logs.keys()) this.partitions.set(`t/${index}`, new Partition('t', index, `t/${index}`, 1, 0))
    const call = async (_name: string, _replica: number, _isolation: number, [topic]: [Asked]): Promise<unknown> => {
      this.requests.push(topic.partitions.length)
      return { topics: [{ name: 't', partitions: topic.partitions.map((each) => this.#answer(each)) }] }
    }
    const leaders = logs.map((_, index) => ({ nodeId: index % 2, epoch: 0 }))
    const stub = { topics: { get: () => ({ id: 'id', leaders }) }, connection: async () => ({ call }) }
    this.backlog = new Backlog(stub as unknown as Cluster, this.partitions, true)
  }

  at(index: number): Partition {
    return this.partitions.get(`t/${index}`) as Partition
  }

  /** What a fetch brings: records up to `to`, held until they are taken. */
  fetch(index: number, to: number): void {
    const partition = this.at(index)
    const stamps = this.logs[index] as readonly number[]
    const { position } = partition
    const rows = stamps.slice(position, to).map((timestampMs) => record('x', { timestampMs }))
    const bytes = encodeRecordBatch(rows, plainEncoding)
    bytes.writeBigInt64BE(BigInt(position), 0)
    partition.endOffset = stamps.length
    partition.endSeenMs = performance.now()
    const decoding = { ...plainDecoding, partition: partition.name, fromOffset: position }
    partition.hold(new RecordBatches(bytes, decoding), rows.length, to)
  }

  async count(): Promise<[records: number | null, oldestTimestampMs: number | null][]> {
    const counted = await this.backlog.count(signal)
    return counted.map(({ records, oldestTimestampMs }) => [records, oldestTimestampMs])
  }

  #answer({ partitionIndex, timestamp }: OffsetRequestPartition): unknown {
    const stamps = this.logs[partitionIndex] as readonly number[]
    const found = stamps.findIndex((each) => each >= Number(timestamp))
    const offset = timestamp === -1n ? stamps.length : found
    return { partitionIndex, errorCode: 0, offset: BigInt(offset), timestamp: BigInt(stamps[found] ?? -1) }
  }
}

interface Asked {
  readonly partitions: readonly OffsetRequestPartition[]
}

test('the age is that of the first record that is held, opened or not, without asking anybody', async () => {
  const leaders = new Leaders([100, 200, 300, 400])
  leaders.fetch(0, 4)
  expect(await leaders.count()).toEqual([[0, 100]])
  leaders.at(0).take(2, 1e6, true)
  expect(await leaders.count()).toEqual([[0, 300]])
  leaders.at(0).take(2, 1e6, true)
  expect(await leaders.count()).toEqual([[0, null]])
  expect(leaders.requests).toEqual([])
})

test('where nothing is held it is that of the first record behind what was delivered, asked for once a leader', async () => {
  const leaders = new Leaders([100, 200, 300], [100, 250, 350], [100, 400], [7])
  for (const [index, to] of [1, 2, 1, 1].entries()) {
    leaders.fetch(index, to)
    leaders.at(index).take(10, 1e6, true)
  }
  const waiting = [
    [2, 200],
    [1, 350],
    [1, 400],
    [0, null],
  ]
  expect(await leaders.count()).toEqual(waiting)
  // Two partitions with one leader, one with the other.
  expect(leaders.requests.toSorted()).toEqual([1, 2])
  for (let again = 0; again < 10; again += 1) expect(await leaders.count()).toEqual(waiting)
  expect(leaders.requests).toHaveLength(2)
})

test('a record that was delivered since then is not taken for one that waits, and leaders are not asked at each step', async () => {
  const leaders = new Leaders([100, 200, 300, 400])
  leaders.fetch(0, 1)
  leaders.at(0).take(1, 1e6, true)
  expect(await leaders.count()).toEqual([[3, 200]])
  leaders.fetch(0, 2)
  leaders.at(0).take(1, 1e6, true)
  expect(await leaders.count()).toEqual([[2, null]])
  expect(leaders.requests).toHaveLength(1)
  vi.advanceTimersByTime(LATER_MS)
  expect(await leaders.count()).toEqual([[2, 300]])
})

test('it is unknown where nothing was delivered yet, unless reading begins with the first record', async () => {
  const leaders = new Leaders([100, 200, 300], [100, 200, 300])
  leaders.at(1).drop(2)
  expect(await leaders.count()).toEqual([
    [3, null],
    [1, null],
  ])
  // Where they end is known now, and that something waits.
  expect(await leaders.count()).toEqual([
    [3, 100],
    [1, null],
  ])
})

test('it is unknown where stamps are in no order', async () => {
  const leaders = new Leaders([100, 900, 50, 60])
  leaders.fetch(0, 3)
  leaders.at(0).take(10, 1e6, true)
  expect(await leaders.count()).toEqual([[1, null]])
})
