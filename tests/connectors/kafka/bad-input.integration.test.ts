/** What is wrong with a cluster, a topic or a record while a source works: each is said, and loses nothing. */
import { type Decoder, deadLetter, type HeadgateError, json, pipeline, type Running, type SourceRecord } from 'headgate'
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'
import { memory } from 'headgate/memory'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { Client } from './client.ts'
import { read } from './produce/flow.ts'
import { QUICK, Reader } from './reader.ts'

const numbered = (from: number, to: number): { value: string }[] =>
  Array.from({ length: to - from }, (_, at) => ({ value: `${from + at}` }))

const textsOf = (records: readonly SourceRecord[]): string[] =>
  records.map(({ value }) => Buffer.from(value as Uint8Array).toString())

describeKafka('bad input for a source of Kafka', () => {
  let broker: Kafka
  let client: Client
  /** Past the proxy, which stands where the cluster says that its broker is. */
  let bootstrap: string[]
  const readers: Reader[] = []
  const pipelines: Running[] = []

  beforeAll(async () => {
    broker = await startKafka({ proxied: true })
    bootstrap = broker.nodes.map(({ port }) => `127.0.0.1:${port}`)
    client = await Client.connect(broker.direct)
  })
  afterEach(async () => {
    broker.proxies[0]?.heal()
    for (const running of pipelines.splice(0)) await running.stop()
    for (const reader of readers.splice(0)) await reader.close()
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  async function reader(
    options: Partial<KafkaSourceOptions> & { topics: KafkaSourceOptions['topics'] },
  ): Promise<Reader> {
    const group = `group-of-${String(options.topics)}`
    const made = await Reader.open({ brokers: bootstrap, group, ...QUICK, ...options })
    readers.push(made)
    return made
  }

  it('a broker that answers, but not where the cluster says that it is, is named with that address, and waited for', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(0, 5))
    broker.proxies[0]?.refuse()
    const half = await reader({ topics: topic })
    const { code, message } = await half.failure()
    expect(code).toBe('HG_CONNECTION_LOST')
    expect(message).toContain('advertised.listeners')
    expect(message).toContain(broker.brokers[0])
    broker.proxies[0]?.heal()
    expect(textsOf(await half.readThrough(5))).toEqual(['0', '1', '2', '3', '4'])
  })

  it.each(['classic', 'consumer'] as const)(
    'a topic that is deleted and made anew while it is read is read from its start, and that is said: %s',
    async (groupProtocol) => {
      const topic = await client.topic(1)
      await client.append(topic, 0, numbered(0, 5))
      const anew = await reader({ topics: topic, groupProtocol })
      await anew.read(5)
      await anew.commit(`${topic}/0`, 5)
      await client.delete(topic)
      await client.create(topic, 1)
      // More than there were, so that the offset that was next exists again.
      await client.append(topic, 0, numbered(100, 112))
      expect(textsOf(await anew.readThrough(12))).toEqual(Array.from({ length: 12 }, (_, at) => `${100 + at}`))
      expect(anew.texts('error')).toMatch(/deleted and made anew.*going on at 0/)
    },
  )

  it('records over the limit and records that cannot be decoded become dead letters, and their neighbours are worked on', async () => {
    const topic = await client.topic(1)
    const dead = await client.topic(1, { prefix: 'dead' })
    const group = `group-of-${topic}`
    await client.append(topic, 0, [
      { value: '{"n":1}' },
      { value: JSON.stringify({ n: 2, text: '.'.repeat(20_000) }) },
      { value: '{"n":3' },
      { value: '{"n":4}' },
    ])
    const sink = memory.sink<number>()
    const running = await pipeline('bad-input', {
      admission: { maxRecordBytes: 10_000 },
      commit: { intervalMs: 50 },
      onFailure: deadLetter(kafka.sink({ brokers: broker.direct, topic: dead })),
    })
      .from(
        kafka.source<{ n: number }>({
          brokers: broker.direct,
          group,
          topics: topic,
          decode: json() as Decoder<{ n: number }>,
        }),
      )
      .map(({ n }) => n)
      .to(sink)
      .start()
    pipelines.push(running)
    const deadline = Date.now() + 60_000
    const offset = async (): Promise<number> => Number((await client.stored(group, topic, 0))?.committedOffset ?? 0)
    while ((await offset()) < 4 && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50))
    expect(await offset()).toBe(4)
    expect(sink.values).toEqual([1, 4])
    const { letters } = await read(broker.direct, client, dead)
    expect(letters.map((letter) => letter.split(' ')[0])).toEqual([`${topic}/0@1`, `${topic}/0@2`])
    expect(letters[0]).toContain('maxRecordBytes')
    expect(letters[1]).toMatch(/JSON/)
  })

  it('a batch that is larger than allowed stops the source, with its place and the option; raised, it is read', async () => {
    const topic = await client.topic(1)
    const group = `group-of-${topic}`
    await client.append(topic, 0, numbered(0, 3))
    await client.append(topic, 0, [{ value: '.'.repeat(200_000) }])
    const limited = await reader({ topics: topic, group, maxRecordBatchBytes: 100_000 })
    const found: SourceRecord[] = []
    let failure: HeadgateError | null = null
    await limited.until(async () => {
      try {
        found.push(...(await limited.pull()))
      } catch (error) {
        failure = error as HeadgateError
      }
      return failure !== null
    }, 'a failure')
    expect(textsOf(found)).toEqual(['0', '1', '2'])
    expect(failure).toMatchObject({
      code: 'HG_STORAGE',
      message: expect.stringMatching(new RegExp(`offset 3 of ${topic}/0.*maxRecordBatchBytes`)),
    })
    await limited.commit(`${topic}/0`, 3)
    await limited.close()
    const raised = await reader({ topics: topic, group })
    expect((await raised.read(1)).map(({ offset }) => offset)).toEqual([3])
  })
})
