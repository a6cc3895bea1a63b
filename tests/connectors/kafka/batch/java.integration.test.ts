/** Decoding what Apache Kafka's own producer wrote and brokers returned, in every compression and format. */
import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import zlib from 'node:zlib'
import { Admin } from '@platformatic/kafka'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { z } from 'zod'
import type { RecordBlock } from '../../../../src/connectors/kafka/batch/block.ts'
import { type BatchCodec, COMPRESSIONS, type Compression } from '../../../../src/connectors/kafka/batch/codec.ts'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import type { FetchedPartition } from '../../../../src/connectors/kafka/wire/calls.ts'
import { Cluster } from '../../../../src/connectors/kafka/wire/cluster.ts'
import { connectionShape } from '../../../../src/connectors/kafka/wire/options.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { KAFKA_3, KAFKA_4 } from '../../../fixtures/kafka/jars.ts'
import { runJava } from '../../../fixtures/kafka/java.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { contents, type Decoded, decodeRecordBatches, plainEncoding } from './codec.ts'
import { produced, stored } from './java-records.ts'

const connectionOptions = z.strictObject(connectionShape)
const RECORDS = 400
const signal = new AbortController().signal
const isHere = (compression: Compression): boolean => compression !== 'zstd' || 'zstdDecompressSync' in zlib
const all = (of: (i: number) => Decoded, count = RECORDS): Decoded[] => Array.from({ length: count }, (_, i) => of(i))

/** A connection to the brokers' first partition leaders, to fetch what is stored as it is stored. */
class Reader {
  readonly #cluster: Cluster

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
  }

  static async connect({ brokers }: Kafka): Promise<Reader> {
    const options = connectionOptions.parse({ brokers })
    return new Reader(await Cluster.connect(options, SILENT_LOGGER, signal))
  }

  close(): void {
    this.#cluster.close()
  }

  get codec(): BatchCodec {
    return this.#cluster.codec
  }

  async fetch(
    topic: string,
    fromOffset: number,
    maxBytes = 1_000_000,
    readCommitted = true,
  ): Promise<FetchedPartition> {
    const connection = await this.#cluster.any()
    const { topics } = await connection.call('metadata', [topic])
    const partition = {
      partition: 0,
      currentLeaderEpoch: -1,
      fetchOffset: BigInt(fromOffset),
      lastFetchedEpoch: -1,
      partitionMaxBytes: maxBytes,
    }
    const { partitions } = await connection.call('fetch', {
      maxWaitMs: 10,
      minBytes: 1,
      maxBytes,
      readCommitted,
      topics: [{ name: topic, topicId: topics[0]!.topicId, partitions: [partition] }],
      rackId: '',
    })
    expect(partitions[0]!.errorCode).toBe(0)
    return partitions[0]!
  }

  async produce(topic: string, records: Buffer): Promise<void> {
    const connection = await this.#cluster.any()
    const topics = [{ name: topic, partitions: [{ index: 0, records }] }]
    // A topic that was just made has no leader yet.
    await vi.waitFor(
      async () => {
        const answer = await connection.call('produce', null, -1, 10_000, topics)
        expect(answer.topics[0]!.partitions[0]!.errorCode).toBe(0)
      },
      { timeout: 30_000 },
    )
  }

  /** All of the topic's only partition, fetched piece by piece. */
  async read(
    topic: string,
    { fromOffset = 0, maxBytes = 1_000_000, readCommitted = true } = {},
  ): Promise<RecordBlock[]> {
    const blocks: RecordBlock[] = []
    for (let at = fromOffset; ; ) {
      const fetched = await this.fetch(topic, at, maxBytes, readCommitted)
      const { codec } = this
      const { abortedTransactions, records } = fetched
      const options = {
        partition: `${topic}/0`,
        fromOffset: at,
        abortedTransactions: abortedTransactions ?? [],
        readCommitted,
        codec,
      }
      const { batches, nextOffset } = decodeRecordBatches(records ?? Buffer.alloc(0), options)
      blocks.push(...batches)
      if (nextOffset === at) {
        expect(at).toBe(fetched.highWatermark)
        return blocks
      }
      at = nextOffset
    }
  }
}

describeKafka('what the Java producer wrote', () => {
  let kafka: Kafka
  let reader: Reader

  beforeAll(async () => {
    kafka = await startKafka()
    await runJava(KAFKA_4, 'Produce', [kafka.brokers[0]!, RECORDS])
    reader = await Reader.connect(kafka)
  })

  afterAll(async () => {
    reader?.close()
    await kafka?.stop()
  })

  it.each(COMPRESSIONS.filter(isHere))('comes out the same, compressed with %s', async (compression) => {
    const blocks = await reader.read(compression)
    expect(blocks.length).toBeGreaterThan(3)
    expect(contents(blocks)).toEqual(all(produced))
  })

  it('is refused with what to do where Node.js lacks the compression', async () => {
    const reading = reader.read('zstd')
    if (isHere('zstd')) expect(contents(await reading)).toHaveLength(RECORDS)
    else await expect(reading).rejects.toThrow(/offset 0 of zstd\/0 .* has no zstd: run Node\.js 22\.15 or newer/)
  })

  it('comes out the same in pieces that cut batches, from any offset', async () => {
    for (const fromOffset of [0, 1, 133, RECORDS - 1, RECORDS]) {
      const blocks = await reader.read('lz4', { fromOffset, maxBytes: 5_000 })
      expect(contents(blocks)).toEqual(all(produced).slice(fromOffset))
    }
  })

  it("carries the broker's time where the topic says so", async () => {
    const blocks = await reader.read('append-time')
    const records = contents(blocks)
    const stamps = new Set(records.map(({ timestampMs }) => timestampMs))
    expect(stamps.size).toBeLessThanOrEqual(blocks.length)
    for (const stamp of stamps) expect(Math.abs(stamp - Date.now())).toBeLessThan(600_000)
    expect(records.map(({ value }) => value)).toEqual(all(produced).map(({ value }) => value))
  })

  it('leaves out aborted transactions and all markers when reading what is committed', async () => {
    for (const maxBytes of [1_000_000, 500]) {
      const values = contents(await reader.read('transactions', { maxBytes })).map(({ value }) => value)
      expect(values).toHaveLength(20 * 4)
      expect(values.filter((value) => !value?.startsWith('committed-'))).toEqual([])
      expect(new Set(values).size).toBe(values.length)
    }
  })

  it('shows aborted records, and no marker, when reading everything', async () => {
    const values = contents(await reader.read('transactions', { readCommitted: false })).map(({ value }) => value)
    expect(values).toHaveLength(2 * 20 * 4)
    expect(values.filter((value) => value?.startsWith('aborted-'))).toHaveLength(20 * 4)
  })

  it('is read past what compaction took out', async () => {
    let records: Decoded[] = []
    await expect
      .poll(async () => (records = contents(await reader.read('compacted'))).length, { timeout: 60_000, interval: 500 })
      .toBeLessThan(100)
    const offsets = records.map(({ offset }) => offset)
    expect(offsets.at(-1)).toBe(501)
    for (const { offset, value } of records) expect(value).toBe(String(offset))
    for (let key = 0; key < 10; key += 1) expect(offsets).toContain(490 + key)
    expect(
      contents(await reader.read('compacted', { fromOffset: 200, maxBytes: 200 })).map(({ offset }) => offset),
    ).toEqual(offsets.filter((offset) => offset >= 200))
  })

  it("reads as Java's consumer reads it what is encoded here", async () => {
    const compressions = COMPRESSIONS.filter(isHere)
    const topics = compressions.map((compression) => `encoded-${compression}`)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.brokers], retries: 10 })
    await admin.createTopics({ topics, partitions: 1, replicas: 1 })
    await admin.close()
    const written = all(produced).map(({ key, value, headers, timestampMs }) => ({ key, value, headers, timestampMs }))
    for (const [index, compression] of compressions.entries()) {
      for (const records of [written.slice(0, 1), written.slice(1, 150), written.slice(150)]) {
        const encoding = { ...plainEncoding, codec: reader.codec, compression }
        await reader.produce(topics[index]!, encodeRecordBatch(records, encoding))
      }
      expect(contents(await reader.read(topics[index]!))).toEqual(all(produced))
    }
    const consumed = consumedByJava(await runJava(KAFKA_4, 'Consume', [kafka.brokers[0]!, ...topics]))
    for (const topic of topics) expect(consumed.get(topic), topic).toEqual(all(produced))
  })
})

/** What `Consume.java` printed, by topic. */
function consumedByJava(printed: string): Map<string, Decoded[]> {
  const text = (field = '-'): string | null => (field === '-' ? null : Buffer.from(field.slice(1), 'base64').toString())
  const consumed = new Map<string, Decoded[]>()
  for (const line of printed.split('\n').filter((each) => each.startsWith('record '))) {
    const [, topic, offset, timestampMs, key, value, ...fields] = line.split(' ')
    const headers: Record<string, string> = {}
    for (let at = 0; at < fields.length; at += 2) headers[text(fields[at])!] = text(fields[at + 1]) ?? ''
    const record = {
      offset: Number(offset),
      timestampMs: Number(timestampMs),
      key: text(key),
      value: text(value),
      headers,
    }
    consumed.set(topic!, [...(consumed.get(topic!) ?? []), record])
  }
  return consumed
}

describeKafka('segments from before Kafka 0.11', () => {
  const FORMATS = [0, 1].flatMap((magic) => (['none', 'gzip', 'snappy', 'lz4'] as const).map((how) => ({ magic, how })))
  let kafka: Kafka
  let reader: Reader

  beforeAll(async () => {
    kafka = await startKafka({ version: KAFKA_3 })
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.brokers], retries: 10 })
    await admin.createTopics({ topics: FORMATS.map(({ magic, how }) => `${magic}-${how}`), partitions: 1, replicas: 1 })
    await admin.close()
    const node = kafka.nodes[0]!
    const fileOf = ({ magic, how }: (typeof FORMATS)[number], name: string): string =>
      join(node.folder, `data/${magic}-${how}-0/${name}`)
    const segmentOf = (each: (typeof FORMATS)[number]): string => fileOf(each, '00000000000000000000.log')
    // Written after the segment, a little later; a log without it is taken for a stray one and put aside.
    const isWhole = (each: (typeof FORMATS)[number]): boolean =>
      existsSync(segmentOf(each)) && existsSync(fileOf(each, 'partition.metadata'))
    await vi.waitUntil(() => FORMATS.every(isWhole), { timeout: 30_000 })
    await node.kill()
    await runJava(KAFKA_3, 'OldSegments', [node.folder, RECORDS])
    for (const each of FORMATS) copyFileSync(join(node.folder, `${each.magic}-${each.how}.log`), segmentOf(each))
    await node.start()
    await node.ready()
    reader = await Reader.connect(kafka)
    // A broker that was killed reads its logs again, partition by partition.
    for (const { magic, how } of FORMATS)
      await vi.waitFor(
        async () => expect((await reader.fetch(`${magic}-${how}`, 0)).highWatermark).toBeGreaterThan(RECORDS),
        {
          timeout: 30_000,
        },
      )
  })

  afterAll(async () => {
    reader?.close()
    await kafka?.stop()
  })

  it.each(FORMATS)('are read as they are: magic $magic, $how', async ({ magic, how }) => {
    const topic = `${magic}-${how}`
    for (const { fromOffset, maxBytes } of [
      { fromOffset: 0, maxBytes: 1_000_000 },
      { fromOffset: 57, maxBytes: 2_000 },
    ]) {
      expect((await reader.fetch(topic, 0)).records![16]).toBe(magic)
      const expected = all((i) => stored(i, magic)).filter(({ offset }) => offset >= fromOffset)
      expect(contents(await reader.read(topic, { fromOffset, maxBytes }))).toEqual(expected)
    }
  })
})
