/** The sink on a real broker: the rules for every sink, and what is Kafka's own. */

import { setTimeout as sleep } from 'node:timers/promises'
import { registerConformance, sinkConformance } from 'headgate/conformance'
import { kafka } from 'headgate/kafka'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { COMPRESSIONS } from '../../../../src/connectors/kafka/batch/codec.ts'
import { partitionOf } from '../../../../src/connectors/kafka/produce/partitioner.ts'
import { TopicReader } from '../../../../src/connectors/kafka/topic-reader.ts'
import type { Sink, SinkBatch, WriteOutcome, WriteResult } from '../../../../src/model/connector.ts'
import { classify } from '../../../../src/model/errors.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { Client } from '../client.ts'
import { read } from './flow.ts'
import { sinkHarness } from './sink-harness.ts'

const { signal } = new AbortController()
const context = { log: SILENT_LOGGER }

function batchOf(values: readonly unknown[], keys: readonly (string | null)[] = []): SinkBatch<never> {
  const origins = values.map((_, offset) => ({
    ...{ key: keys[offset] ?? null, partition: 'in/0', offset, timestampMs: 0, headers: NO_HEADERS, bytes: 10 },
  }))
  return { values: values as never[], origins }
}

function outcomesOf(result: WriteResult, count: number): readonly WriteOutcome[] {
  return result === 'written' ? new Array<WriteOutcome>(count).fill({ kind: 'written' }) : result
}

describeKafka('a sink over Kafka', () => {
  let broker: Kafka
  let client: Client
  beforeAll(async () => {
    broker = await startKafka({ proxied: true })
    client = await Client.connect(broker.nodes.map(({ port }) => `127.0.0.1:${port}`))
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  registerConformance({ test }, sinkConformance(sinkHarness(() => broker)))

  async function opened(sink: Sink<never>): Promise<Sink<never>> {
    await sink.open(context, signal)
    return sink
  }

  test('keys, values, headers and times arrive as they were given, each key in the partition that Java gives it', async () => {
    const topic = await client.topic(5)
    const sink = await opened(
      kafka.sink<{ n: number }>({
        ...{ brokers: broker.brokers, topic, compression: 'gzip', timestampMs: ({ n }) => 1_700_000_000_000 + n },
        headers: ({ n }) => ({ n: String(n), raw: Uint8Array.of(n) }),
      }),
    )
    const values = Array.from({ length: 50 }, (_, n) => ({ n }))
    const keys = values.map(({ n }) => `key-${n % 9}`)
    expect(await sink.write(batchOf(values, keys), signal)).toBe('written')
    await sink.close(signal)
    const reader = await TopicReader.open(client.cluster.options, topic, SILENT_LOGGER, signal)
    let seen = 0
    for (const { partition, endOffset } of await reader.ranges()) {
      if (endOffset === 0) continue
      const { records } = await reader.read(partition, 0)
      for (const { key, value, headers, timestampMs } of records) {
        const { n } = JSON.parse(Buffer.from(value!).toString()) as { n: number }
        expect(Buffer.from(key!).toString()).toBe(keys[n])
        expect(partitionOf(key!, 5)).toBe(partition)
        expect(timestampMs).toBe(1_700_000_000_000 + n)
        expect(Buffer.from(headers['raw'] as Uint8Array)).toEqual(Buffer.of(n))
        seen += 1
      }
    }
    reader.close()
    expect(seen).toBe(50)
  })

  test('a record that is too large for the topic is rejected with what to do, and its neighbours are written', async () => {
    const topic = await client.topic(1, { configs: { 'max.message.bytes': '10000' } })
    const sink = await opened(kafka.sink({ brokers: broker.brokers, topic }))
    const values = ['a', 'b', '.'.repeat(20_000), 'c', '.'.repeat(30_000), 'd']
    const outcomes = outcomesOf(await sink.write(batchOf(values), signal), values.length)
    expect(outcomes.map(({ kind }) => kind)).toEqual([
      'written',
      'written',
      'rejected',
      'written',
      'rejected',
      'written',
    ])
    const [, , third] = outcomes
    expect(classify(third?.kind === 'rejected' && third.error).message).toMatch(/max\.message\.bytes/)
    expect((await read(broker.brokers, client, topic)).inOrder).toEqual(['a', 'b', 'c', 'd'])
    await sink.close(signal)
  })

  test('a topic that is not there is said when the sink is opened; one that a value names rejects the value', async () => {
    const missing = kafka.sink({ brokers: broker.brokers, topic: 'no-such-topic' })
    await expect(missing.open(context, signal)).rejects.toMatchObject({
      code: 'HG_OPTION_INVALID',
      message: expect.stringMatching(/no topic 'no-such-topic'.*create it/),
    })
    const there = await client.topic(1)
    const sink = await opened(
      kafka.sink<string>({ brokers: broker.brokers, topic: (value) => (value === 'lost' ? 'no-such-topic' : there) }),
    )
    const outcomes = outcomesOf(await sink.write(batchOf(['kept', 'lost', 'kept too']), signal), 3)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['written', 'rejected', 'written'])
    await sink.close(signal)
  })

  test('what a value function throws rejects that value alone', async () => {
    const topic = await client.topic(2)
    const sink = await opened(
      kafka.sink<number>({
        ...{ brokers: broker.brokers, topic },
        partitioner: (value) => value,
        encode: (value) => {
          if (value === 1) throw new Error('not one')
          return String(value)
        },
      }),
    )
    const outcomes = outcomesOf(await sink.write(batchOf([0, 1, 2]), signal), 3)
    expect(outcomes.map(({ kind }) => kind)).toEqual(['written', 'rejected', 'rejected'])
    const text = outcomes.map((outcome) => (outcome.kind === 'rejected' ? classify(outcome.error).message : ''))
    expect(text[1]).toMatch(/not one/)
    expect(text[2]).toMatch(/a partition from 0 to 1, it returned 2/)
    await sink.close(signal)
  })

  test('nothing is lost, repeated or reordered while answers are lost and the broker is killed', async () => {
    const topic = await client.topic(3)
    const sink = await opened(
      kafka.sink({ brokers: broker.brokers, topic, requestTimeoutMs: 1_000, batchBytes: 1_024 }),
    )
    let stop = false
    const spoil = (async () => {
      for (let fault = 0; !stop; fault += 1) {
        await sleep(200 + Math.random() * 400)
        if (fault === 4) {
          await broker.nodes[0]!.kill()
          await broker.nodes[0]!.start()
          await broker.nodes[0]!.ready()
        }
        broker.proxies[0]!.spoil('down', { blackhole: true })
        await sleep(300)
        if (fault % 2 === 0) broker.proxies[0]!.reset()
        broker.proxies[0]!.heal()
      }
    })()
    const all: number[] = []
    for (let round = 0; round < 120; round += 1) {
      const values = Array.from({ length: 40 }, (_, at) => round * 40 + at)
      all.push(...values)
      const keys = values.map((value) => `key-${value % 10}`)
      expect(await sink.write(batchOf(values, keys), signal)).toBe('written')
    }
    stop = true
    await spoil
    await sink.close(signal)
    const { inOrder } = await read(broker.brokers, client, topic)
    expect(inOrder.map(Number).sort((a, b) => a - b)).toEqual(all)
    const last = new Map<number, number>()
    for (const value of inOrder.map(Number)) {
      expect(value).toBeGreaterThan(last.get(value % 10) ?? -1)
      last.set(value % 10, value)
    }
  })

  test.each(COMPRESSIONS)(
    'batches with the compression %s are read back, or it is refused with the reason',
    async (compression) => {
      const topic = await client.topic(1)
      const sink = kafka.sink({ brokers: broker.brokers, topic, compression })
      const refusal = client.cluster.codec.refusal(compression)
      if (refusal !== null) {
        await expect(sink.open(context, signal)).rejects.toMatchObject({
          code: 'HG_OPTION_INVALID',
          message: expect.stringContaining(refusal),
        })
        return
      }
      await sink.open(context, signal)
      const values = Array.from({ length: 200 }, (_, at) => `value ${at} ${'.'.repeat(at)}`)
      expect(await sink.write(batchOf(values), signal)).toBe('written')
      expect((await read(broker.brokers, client, topic)).inOrder).toEqual(values)
      await sink.close(signal)
    },
  )

  test('with acks of the leader alone it writes without an identity', async () => {
    const topic = await client.topic(1)
    const sink = kafka.sink({ brokers: broker.brokers, topic, acks: 'leader' })
    expect(sink.transactional).toBeUndefined()
    await sink.open(context, signal)
    expect(await sink.write(batchOf(['a', 'b']), signal)).toBe('written')
    expect((await read(broker.brokers, client, topic)).inOrder).toEqual(['a', 'b'])
    await sink.close(signal)
  })
})
