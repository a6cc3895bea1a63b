/**
 * A leader that lost records which were read already: fetch loop, holdings and what decides where to go on, against a
 * scripted leader that answers as Kafka's do.
 */
import { setImmediate as turn } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import type { Committer } from '../../../src/connectors/kafka/commit/committer.ts'
import { Fetcher } from '../../../src/connectors/kafka/fetch/fetcher.ts'
import { Holdings } from '../../../src/connectors/kafka/holdings.ts'
import { type KafkaSourceOptions, sourceSettings } from '../../../src/connectors/kafka/option.ts'
import { OutOfRange } from '../../../src/connectors/kafka/out-of-range.ts'
import type { FetchRequest, OffsetRequestPartition } from '../../../src/connectors/kafka/wire/calls.ts'
import type { Cluster } from '../../../src/connectors/kafka/wire/cluster.ts'
import type { Assignment, Position } from '../../../src/model/connector.ts'
import type { HeadgateError } from '../../../src/model/errors.ts'
import { codec } from './batch/codec.ts'
import { type Log, leaderBatch, leaderEnd } from './leader-log.ts'

const NAME = 't/0'
const ALL = { records: 1_000, bytes: 1e6 }
const OUT_OF_RANGE = 1

/** One partition with its leader, and a member that reads it. */
class Scene {
  /** Epochs of the records that the leader has, by offset. */
  log: Log = []
  topicId = 'id'
  readonly said: string[] = []
  readonly assigned: Assignment[] = []
  readonly lost: string[] = []
  readonly rewound: Position[] = []
  readonly failures: HeadgateError[] = []
  readonly #holdings: Holdings
  readonly #fetcher: Fetcher

  constructor(options: Partial<KafkaSourceOptions> = {}) {
    const settings = sourceSettings({
      brokers: ['localhost:9092'],
      group: 'g',
      topics: 't',
      fetchWaitMs: 1,
      ...options,
    })
    const say = (_fields: object, text: string): void => void this.said.push(text)
    const log = { debug: () => {}, info: say, warn: say, error: say }
    const { signal } = new AbortController()
    const call = async (name: string, ...given: unknown[]): Promise<unknown> => {
      await turn()
      if (name === 'fetch') return this.#fetched(given[0] as FetchRequest)
      const [{ partitions }] = given[2] as [{ partitions: OffsetRequestPartition[] }]
      const offset = partitions[0]?.timestamp === -2n ? 0n : BigInt(this.log.length)
      return { topics: [{ name: 't', partitions: [{ partitionIndex: 0, errorCode: 0, offset }] }] }
    }
    const cluster = {
      ...{ log, signal, codec, refresh: async () => {}, connection: async () => ({ call }) },
      topics: {
        get: () => ({ id: this.topicId, leaders: [{ nodeId: 1, epoch: this.log.at(-1) ?? 0 }] }),
      },
    } as unknown as Cluster
    const context = {
      ...{ log, onRevoked: async () => {}, onLost: (names: readonly string[]) => void this.lost.push(...names) },
      onAssigned: (assignments: readonly Assignment[]) => void this.assigned.push(...assignments),
    }
    this.#holdings = new Holdings(cluster, settings, context, () => {})
    const committer = { rewind: (position: Position) => void this.rewound.push(position) } as unknown as Committer
    const fail = (error: HeadgateError): void => void this.failures.push(error)
    const range = new OutOfRange(cluster, settings, this.#holdings, committer, fail)
    this.#fetcher = new Fetcher(cluster, settings, this.#holdings.partitions, {
      ...{ ring() {}, topicUnknown() {}, fail },
      outOfRange: (partition) => range.find(partition),
      diverged: (partition, where) => range.diverged(partition, where),
    })
  }

  /** Takes the partition up at an offset, which the group has stored with an epoch. */
  async assign(committedOffset: number, committedLeaderEpoch: number): Promise<void> {
    const stored = { partitionIndex: 0, committedOffset: BigInt(committedOffset), committedLeaderEpoch, metadata: '' }
    const committer = { stored: async () => new Map([[NAME, { ...stored, errorCode: 0 }]]), anchor: async () => {} }
    await this.#holdings.assign(committer as unknown as Committer, [{ topic: 't', partition: 0 }])
  }

  /** Fetches until the partition holds everything there is, and hands out the first `records` of it: their offsets. */
  async read(records: number, until: () => boolean = () => true): Promise<number[]> {
    const read: number[] = []
    for (let patience = 0; patience < 2_000; patience += 1) {
      this.#fetcher.want(ALL)
      const partition = this.#holdings.partitions.get(NAME)
      if (partition?.position === this.log.length && until()) {
        for (const { block, from, to } of partition.take(records, 1e6, true))
          read.push(...block.offsets.slice(from, to))
        return read
      }
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    throw new Error(`it did not come to the end: ${this.said.join('; ')}`)
  }

  async failure(): Promise<HeadgateError> {
    while (this.failures.length === 0) {
      this.#fetcher.want(ALL)
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    return this.failures[0] as HeadgateError
  }

  stop(): void {
    this.#fetcher.stop()
  }

  #fetched({ topics }: FetchRequest): unknown {
    const { lastFetchedEpoch, fetchOffset } = topics[0]!.partitions[0]!
    const offset = Number(fetchOffset)
    const end = lastFetchedEpoch < 0 ? null : leaderEnd(this.log, lastFetchedEpoch)
    const diverging = end !== null && (end.epoch < lastFetchedEpoch || end.endOffset < offset) ? end : null
    const isOut = diverging === null && offset > this.log.length
    const records = diverging === null && !isOut && offset < this.log.length ? leaderBatch(this.log, offset) : null
    const { length } = this.log
    const answer = {
      ...{ topic: this.topicId, partitionIndex: 0, errorCode: isOut ? OUT_OF_RANGE : 0, highWatermark: length },
      ...{ lastStableOffset: length, logStartOffset: 0, abortedTransactions: [], preferredReadReplica: -1 },
    }
    return { errorCode: 0, partitions: [{ ...answer, diverging, records }] }
  }
}

const epochs = (...runs: readonly (readonly [epoch: number, records: number])[]): Log =>
  runs.flatMap(([epoch, records]) => new Array<number>(records).fill(epoch))
const upFrom = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at)

describe('a leader that lost records', () => {
  it('is noticed although its log is longer than what was read; reading goes on where the logs part, and is stored there', async () => {
    const scene = new Scene()
    scene.log = epochs([0, 20])
    await scene.assign(0, -1)
    expect(await scene.read(20)).toEqual(upFrom(0, 20))
    scene.log = epochs([0, 12], [1, 30])
    expect(await scene.read(100)).toEqual(upFrom(12, 42))
    expect(scene.lost).toEqual([NAME])
    const [first, second] = scene.assigned
    expect(second?.epoch).toBeGreaterThan(first?.epoch ?? 0)
    expect(scene.rewound).toEqual([{ partition: NAME, epoch: second?.epoch, nextOffset: 12, doneAhead: null }])
    expect(scene.said.join('\n')).toMatch(
      /have lost records 12 to 19 of t\/0.*unclean\.leader\.election\.enable.*going on at 12/,
    )
    scene.stop()
  })

  it('is noticed when its log is shorter', async () => {
    const scene = new Scene()
    scene.log = epochs([3, 20])
    await scene.assign(0, -1)
    await scene.read(20)
    scene.log = epochs([3, 12], [4, 1])
    expect(await scene.read(100)).toEqual([12])
    expect(scene.rewound.map(({ nextOffset }) => nextOffset)).toEqual([12])
    scene.stop()
  })

  it('is nothing to speak of while what it lost was not handed out', async () => {
    const scene = new Scene()
    scene.log = epochs([0, 20])
    await scene.assign(0, -1)
    expect(await scene.read(5)).toEqual(upFrom(0, 5))
    scene.log = epochs([0, 12], [1, 30])
    expect(await scene.read(100)).toEqual(upFrom(5, 42))
    expect([scene.lost, scene.rewound, scene.assigned.length]).toEqual([[], [], 1])
    scene.stop()
  })

  it('is noticed after a restart, from the epoch that was committed with the offset', async () => {
    const scene = new Scene()
    scene.log = epochs([0, 12], [1, 30])
    await scene.assign(20, 0)
    expect(await scene.read(100, () => scene.lost.length > 0)).toEqual(upFrom(12, 42))
    expect(scene.rewound.map(({ nextOffset }) => nextOffset)).toEqual([12])
    scene.stop()
  })

  it('is followed back through several elections', async () => {
    const scene = new Scene()
    scene.log = epochs([1, 10], [2, 2], [4, 3])
    await scene.assign(0, -1)
    await scene.read(15)
    scene.log = epochs([1, 10], [3, 20], [5, 1])
    expect(await scene.read(100, () => scene.rewound.length > 1)).toEqual(upFrom(10, 31))
    expect(scene.rewound.map(({ nextOffset }) => nextOffset)).toEqual([12, 10])
    scene.stop()
  })

  it("stops the source where `outOfRange` is 'fail', with the offsets", async () => {
    const scene = new Scene({ outOfRange: 'fail' })
    scene.log = epochs([0, 20])
    await scene.assign(0, -1)
    await scene.read(20)
    scene.log = epochs([0, 12], [1, 30])
    const { code, message } = await scene.failure()
    expect([code, message]).toEqual(['HG_STORAGE', expect.stringMatching(/lost records 12 to 19/)])
    expect([scene.lost, scene.rewound]).toEqual([[], []])
    scene.stop()
  })
})

describe('a topic that was made anew', () => {
  it('is read from its start, also where it is longer than what was read of the one before', async () => {
    const scene = new Scene()
    scene.log = epochs([0, 20])
    await scene.assign(0, -1)
    await scene.read(20)
    scene.topicId = 'another'
    scene.log = epochs([0, 30])
    expect(await scene.read(100, () => scene.lost.length > 0)).toEqual(upFrom(0, 30))
    expect(scene.rewound.map(({ nextOffset }) => nextOffset)).toEqual([0])
    expect(scene.said.join('\n')).toMatch(/the topic 't' was deleted and made anew.*going on at 0/)
    scene.stop()
  })

  it('is told from a leader that lost records, after a restart: its epochs are no newer than the one that was committed', async () => {
    const scene = new Scene()
    scene.log = epochs([0, 6])
    await scene.assign(500, 0)
    expect(await scene.read(100, () => scene.lost.length > 0)).toEqual(upFrom(0, 6))
    expect(scene.said.join('\n')).toMatch(/not those that the group 'g' had read/)
    scene.stop()
  })
})
