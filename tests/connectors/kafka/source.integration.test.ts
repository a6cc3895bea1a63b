import { HeadgateError, type SourceRecord } from 'headgate'
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { encodeMetadata } from '../../../src/connectors/kafka/commit/metadata.ts'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { Client } from './client.ts'
import { QUICK, Reader } from './reader.ts'

let groups = 0
const newGroup = (): string => `source-${process.pid}-${(groups += 1)}`

function valuesOf(records: readonly SourceRecord[]): string[] {
  return records.map(({ value }) => Buffer.from(value as Uint8Array).toString())
}

function numbered(count: number, from = 0): { value: string; timestampMs: number }[] {
  return Array.from({ length: count }, (_, at) => ({ value: `${from + at}`, timestampMs: 1_000 + from + at }))
}

async function rejection(promise: Promise<unknown>): Promise<HeadgateError> {
  const thrown: unknown = await promise.then(
    () => new Error('it did not reject'),
    (error: unknown) => error,
  )
  if (!(thrown instanceof HeadgateError)) throw thrown
  return thrown
}

describeKafka('a source of Kafka', () => {
  let broker: Kafka
  let client: Client
  const open: Reader[] = []

  beforeAll(async () => {
    broker = await startKafka({ secure: true })
    client = await Client.connect(broker.brokers)
  })
  afterEach(async () => {
    for (const reader of open.splice(0)) await reader.close()
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  async function reader(
    options: Partial<KafkaSourceOptions> & { topics: KafkaSourceOptions['topics'] },
  ): Promise<Reader> {
    const made = await Reader.open({ brokers: broker.brokers, group: newGroup(), ...QUICK, ...options })
    open.push(made)
    return made
  }

  it('delivers keys, values, tombstones, headers and times', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, [
      { key: 'a', value: 'first', timestampMs: 1_234 },
      { key: null, value: '', timestampMs: 1_235 },
      { key: 'a', value: null, timestampMs: 1_236 },
    ])
    const records = await (await reader({ topics: topic })).read(3)
    expect(records.map(({ key, offset, timestampMs, partition }) => [key, offset, timestampMs, partition])).toEqual([
      ['a', 0, 1_234, `${topic}/0`],
      [null, 1, 1_235, `${topic}/0`],
      ['a', 2, 1_236, `${topic}/0`],
    ])
    expect(records.map(({ value }) => (value === null ? null : Buffer.from(value as Uint8Array).toString()))).toEqual([
      'first',
      '',
      null,
    ])
  })

  it.each([
    ['PLAIN', { mechanism: 'PLAIN', username: 'app', password: 'app-secret' }],
    ['SCRAM-SHA-256', { mechanism: 'SCRAM-SHA-256', username: 'app', password: async () => 'app-secret' }],
  ] as const)('reads over TLS with SASL %s', async (_name, sasl) => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(10))
    const secure = { brokers: broker.secure?.brokers ?? [], tls: { ca: broker.secure?.ca ?? '' }, sasl }
    expect(valuesOf(await (await reader({ topics: topic, ...secure })).read(10))).toHaveLength(10)
  })

  it('says that credentials are wrong without showing them', async () => {
    const sasl = { mechanism: 'PLAIN', username: 'app', password: 'not-the-secret' } as const
    const secure = { brokers: broker.secure?.brokers ?? [], tls: { ca: broker.secure?.ca ?? '' }, sasl }
    const { code, message } = await rejection(reader({ topics: 'any', ...secure }))
    expect(code).toBe('HG_OPTION_INVALID')
    expect(message).toMatch(/refused the credentials for the user 'app'.*check `sasl`/)
    expect(message).not.toContain('not-the-secret')
  })

  it('says that a certificate is not trusted, and what to give', async () => {
    const secure = { brokers: broker.secure?.brokers ?? [], tls: true }
    const { code, message } = await rejection(reader({ topics: 'any', ...secure }))
    expect(code).toBe('HG_OPTION_INVALID')
    expect(message).toContain('tls.ca')
  })

  it('says that no broker answers, and finds the one of several that does', async () => {
    const { code, message } = await rejection(reader({ topics: 'any', brokers: ['127.0.0.1:1', '127.0.0.1:2'] }))
    expect(code).toBe('HG_CONNECTION_LOST')
    expect(message).toMatch(/None of 127\.0\.0\.1:1, 127\.0\.0\.1:2 could be reached/)
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(3))
    const half = await reader({ topics: topic, brokers: ['127.0.0.1:1', ...broker.brokers] })
    expect(valuesOf(await half.read(3))).toEqual(['0', '1', '2'])
  })

  it('says that a topic does not exist, and which ones sound like it', async () => {
    const topic = await client.topic(1, { prefix: 'payments' })
    const { code, message } = await rejection(reader({ topics: topic.replace('payments', 'paymnts') }))
    expect(code).toBe('HG_OPTION_INVALID')
    expect(message).toContain(`Topics with a similar name:`)
    expect(message).toContain(topic)
  })

  it('stops with a reason when a topic is deleted while it is read', async () => {
    const topic = await client.topic(2)
    await client.append(topic, 0, numbered(5))
    const deleted = await reader({ topics: topic })
    await deleted.read(5)
    await client.delete(topic)
    const { code, message } = await deleted.failure()
    expect(code).not.toBe('HG_CONNECTION_LOST')
    expect(message).toMatch(new RegExp(`'${topic}' was deleted`))
  })

  it.each(['classic', 'consumer'] as const)(
    'reads partitions that a topic gets later, from their start (%s)',
    async (groupProtocol) => {
      const topic = await client.topic(1)
      const growing = await reader({ topics: topic, from: 'latest', groupProtocol })
      await growing.assigned(`${topic}/0`)
      await client.append(topic, 0, numbered(3))
      const first = await growing.read(3)
      await growing.commit(`${topic}/0`, (first.at(-1)?.offset ?? 0) + 1)
      await client.grow(topic, 3)
      await client.append(topic, 2, numbered(5, 100))
      expect(valuesOf(await growing.read(5))).toEqual(['100', '101', '102', '103', '104'])
    },
  )

  it('finds topics by pattern, also those that come later', async () => {
    const one = await client.topic(1, { prefix: 'pattern' })
    await client.append(one, 0, numbered(2))
    const matching = await reader({ topics: /^pattern-/ })
    expect(valuesOf(await matching.read(2))).toEqual(['0', '1'])
    const two = await client.topic(1, { prefix: 'pattern' })
    await client.append(two, 0, numbered(2, 10))
    expect(valuesOf(await matching.read(2))).toEqual(['10', '11'])
  })

  it('begins where it is told: at the latest, at a time, or not at all', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(10))
    const name = `${topic}/0`
    const latest = await reader({ topics: topic, from: 'latest' })
    await latest.assigned(name)
    expect(latest.assignments.get(name)?.nextOffset).toBe(10)
    const timed = await reader({ topics: topic, from: { timestampMs: 1_006 } })
    expect(valuesOf(await timed.read(4))).toEqual(['6', '7', '8', '9'])
    const late = await reader({ topics: topic, from: { timestampMs: 9_999_999 } })
    await late.assigned(name)
    expect(late.assignments.get(name)?.nextOffset).toBe(10)
    const failing = await reader({ topics: topic, from: 'fail' })
    expect((await failing.failure()).message).toMatch(/has no progress in .*, and `from` is 'fail'/)
  })

  it.each(['classic', 'consumer'] as const)(
    'is moved to a time between two runs, and never while it has members: %s',
    async (groupProtocol) => {
      const topic = await client.topic(1)
      await client.append(topic, 0, numbered(10))
      const group = newGroup()
      const before = await reader({ topics: topic, group, groupProtocol })
      await before.read(10)
      await before.commit(`${topic}/0`, 10)
      const move = { brokers: broker.brokers, group, topics: [topic] }
      const refused = await rejection(kafka.seek({ ...move, to: 'earliest' }))
      expect(refused.message).toContain('has members: stop all of them')
      await before.close()
      expect(await kafka.seek({ ...move, to: { timestampMs: 1_004 } })).toEqual(new Map([[`${topic}/0`, 4]]))
      const after = await reader({ topics: topic, group, groupProtocol })
      expect(valuesOf(await after.read(6))).toEqual(['4', '5', '6', '7', '8', '9'])
    },
  )

  it('begins at the same place after a restart, although nothing was committed', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(4))
    const group = newGroup()
    const before = await reader({ topics: topic, group, from: 'latest' })
    await before.assigned(`${topic}/0`)
    await before.close()
    await client.append(topic, 0, numbered(3, 4))
    const after = await reader({ topics: topic, group, from: 'latest' })
    expect(valuesOf(await after.read(3))).toEqual(['4', '5', '6'])
  })

  it('goes on at the earliest record when those before were trimmed, and says which are gone', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(20), 1)
    const group = newGroup()
    const before = await reader({ topics: topic, group })
    await before.read(5)
    await before.commit(`${topic}/0`, 5)
    await before.close()
    await client.trim(topic, 0, 12)
    const after = await reader({ topics: topic, group })
    expect(valuesOf(await after.read(8))[0]).toBe('12')
    expect(after.texts('error')).toContain(`records 5 to 11 of ${topic}/0 were deleted before the group`)
    await after.commit(`${topic}/0`, 15)
  })

  it('stops at trimmed records when it is told to', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(20), 1)
    const group = newGroup()
    await client.store(group, topic, 0, 3, '')
    await client.trim(topic, 0, 12)
    const strict = await reader({ topics: topic, group, outOfRange: 'fail' })
    const { code, message } = await strict.failure()
    expect(code).toBe('HG_STORAGE')
    expect(message).toContain('records 3 to 11')
  })

  it('begins anew, under a new epoch, when the group stands behind the end of a topic', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(6))
    const group = newGroup()
    await client.store(group, topic, 0, 500, '')
    const anew = await reader({ topics: topic, group })
    expect(valuesOf(await anew.read(6))[0]).toBe('0')
    expect(anew.lost).toEqual([`${topic}/0`])
    await anew.commit(`${topic}/0`, 2)
    expect(Number((await client.stored(group, topic, 0))?.committedOffset)).toBe(2)
  })

  it('ignores metadata that another program wrote, and says so (parallel-consumer#326)', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(6))
    const group = newGroup()
    await client.store(group, topic, 0, 2, 'bm9uc2Vuc2U=')
    const foreign = await reader({ topics: topic, group })
    expect(valuesOf(await foreign.read(4))).toEqual(['2', '3', '4', '5'])
    expect(foreign.assignments.get(`${topic}/0`)?.doneAhead).toBeNull()
    expect(foreign.texts('warn')).toContain('written by another program')
  })

  it('stores a done-ahead set as large as it says it can, byte for byte (parallel-consumer#35)', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(6))
    const group = newGroup()
    const full = await reader({ topics: topic, group })
    await full.read(6)
    const { metadataBytes } = full.source.capabilities
    const doneAhead = Uint8Array.from({ length: metadataBytes }, (_, at) => at % 256)
    await full.commit(`${topic}/0`, 3, doneAhead)
    const stored = await client.stored(group, topic, 0)
    expect([Number(stored?.committedOffset), stored?.metadata]).toEqual([3, encodeMetadata(doneAhead)])
    expect(full.texts('warn')).toBe('')
  })

  it('commits offset and metadata together, whatever else is committed meanwhile (parallel-consumer#894)', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(40))
    const group = newGroup()
    const racing = await reader({ topics: topic, group })
    await racing.read(40)
    const setOf = (offset: number): Uint8Array => Uint8Array.of(offset, offset)
    let refused = 0
    const commits = Array.from({ length: 40 }, (_, at) =>
      racing.commit(`${topic}/0`, at + 1, setOf(at + 1)).catch((error: unknown) => {
        expect((error as HeadgateError).code).toBe('HG_COMMIT_FAILED')
        refused += 1
      }),
    )
    await Promise.all(commits)
    expect(refused).toBeLessThan(40)
    const stored = await client.stored(group, topic, 0)
    expect(stored?.metadata).toBe(encodeMetadata(setOf(Number(stored?.committedOffset))))
  })

  it('keeps the others flowing while a partition is left out, and holds what it has (librdkafka#2076)', async () => {
    const topic = await client.topic(2)
    await client.append(topic, 0, numbered(500))
    await client.append(topic, 1, numbered(500))
    const pausing = await reader({ topics: topic })
    const quiet = `${topic}/0`
    const before = await pausing.read(20, 10)
    const seen = new Map([quiet, `${topic}/1`].map((name) => [name, 0]))
    const count = (records: readonly SourceRecord[]): void => {
      for (const { partition, offset } of records) {
        expect(offset).toBe(seen.get(partition))
        seen.set(partition, offset + 1)
      }
    }
    count(before)
    await pausing.until(async () => {
      const records = await pausing.pull(50, [quiet])
      expect(records.every(({ partition }) => partition !== quiet)).toBe(true)
      count(records)
      return seen.get(`${topic}/1`) === 500
    }, 'the partition that is not left out')
    count(await pausing.read(500 - (seen.get(quiet) ?? 0), 50))
    expect([...seen.values()]).toEqual([500, 500])
  })
})

describeKafka('a source of Kafka, where the broker stores no metadata', () => {
  let broker: Kafka
  let client: Client

  beforeAll(async () => {
    broker = await startKafka({ settings: { 'offset.metadata.max.bytes': '0' } })
    client = await Client.connect(broker.brokers)
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  it('commits without it, and says what is lost by that', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(6))
    const group = newGroup()
    const reader = await Reader.open({ brokers: broker.brokers, group, topics: topic })
    await reader.read(6)
    await reader.commit(`${topic}/0`, 3, Uint8Array.of(1, 2, 3))
    const stored = await client.stored(group, topic, 0)
    expect([Number(stored?.committedOffset), stored?.metadata]).toEqual([3, ''])
    expect(reader.texts('warn')).toContain('offset.metadata.max.bytes')
    expect(reader.source.capabilities.metadataBytes).toBe(0)
    await reader.close()
  })
})
