/**
 * TLS and SASL through the public options, on the newest Kafka and on the last 3: tokens that are asked for and renewed,
 * what is wrong with them, and a whole pipeline, exactly once, over each mechanism.
 */
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import type { Running } from '../../../src/index.ts'
import { HeadgateError } from '../../../src/model/errors.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../src/model/record.ts'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { KAFKA_VERSIONS } from '../../fixtures/kafka/jars.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { PASSWORD, USERNAME, unsignedToken } from '../../fixtures/kafka/secure.ts'
import { Client } from './client.ts'
import { exactlyOnce, expected, fill, read } from './produce/flow.ts'
import { Reader } from './reader.ts'

const { signal } = new AbortController()
/** After this long a broker wants to see a token again. */
const REAUTHENTICATION_MS = 2_000
const COUNT = 200

type Sasl = NonNullable<KafkaSourceOptions['sasl']>

async function rejection(promise: Promise<unknown>): Promise<HeadgateError> {
  const thrown: unknown = await promise.then(
    () => new Error('it did not reject'),
    (error: unknown) => error,
  )
  if (!(thrown instanceof HeadgateError)) throw thrown
  return thrown
}

for (const version of KAFKA_VERSIONS) {
  describeKafka(`Kafka ${version} over TLS with SASL`, () => {
    let broker: Kafka
    let client: Client
    const readers: Reader[] = []
    const pipelines: Running[] = []

    beforeAll(async () => {
      const name = 'listener.name.secure.oauthbearer.connections.max.reauth.ms'
      broker = await startKafka({ version, secure: true, settings: { [name]: String(REAUTHENTICATION_MS) } })
      client = await Client.connect(broker.brokers)
    })
    afterEach(async () => {
      for (const running of pipelines.splice(0)) await running.stop()
      for (const reader of readers.splice(0)) await reader.close()
    })
    afterAll(async () => {
      await client?.close()
      await broker?.stop()
    })

    const secure = (sasl: Sasl): { brokers: readonly string[]; tls: { ca: string }; sasl: Sasl } => ({
      brokers: broker.secure?.brokers ?? [],
      tls: { ca: broker.secure?.ca ?? '' },
      sasl,
    })

    async function reader(topic: string, sasl: Sasl): Promise<Reader> {
      const made = await Reader.open({ ...secure(sasl), topics: topic, group: `group-of-${topic}` })
      readers.push(made)
      return made
    }

    it('reads and writes with OAUTHBEARER; the function is asked for a token again whenever the broker wants one', async () => {
      const topic = await client.topic(1)
      let asked = 0
      const token = async (): Promise<string> => {
        asked += 1
        return unsignedToken()
      }
      const sasl = { mechanism: 'OAUTHBEARER', token, extensions: { tenant: 'one' } } as const
      const sink = kafka.sink<string>({ ...secure(sasl), topic })
      await sink.open({ log: SILENT_LOGGER }, signal)
      const reading = await reader(topic, sasl)
      await reading.assigned(`${topic}/0`)
      const atFirst = asked
      const written: string[] = []
      const found: string[] = []
      // More often than there are connections: each of them has shown another token at least once.
      await reading.until(async () => {
        written.push(`${written.length}`)
        const origin = { key: null, partition: 'in/0', offset: 0, timestampMs: 0, headers: NO_HEADERS, bytes: 1 }
        expect(await sink.write({ values: [written.at(-1) as string], origins: [origin] }, signal)).toBe('written')
        const records = await reading.pull().catch((error: unknown) => {
          expect((error as HeadgateError).code).toBe('HG_CONNECTION_LOST')
          return []
        })
        found.push(...records.map(({ value }) => Buffer.from(value as Uint8Array).toString()))
        return asked > 2 * atFirst + 2
      }, 'tokens to be shown again')
      found.push(
        ...(await reading.read(written.length - found.length)).map(({ value }) =>
          Buffer.from(value as Uint8Array).toString(),
        ),
      )
      expect(found).toEqual(written)
      await sink.close(signal)
    })

    it('says within seconds that a token is refused, without showing it', async () => {
      const topic = await client.topic(1)
      const expired = unsignedToken(-3_600_000)
      for (const token of [expired, 'no.token', async () => expired]) {
        const { code, message } = await rejection(reader(topic, { mechanism: 'OAUTHBEARER', token }))
        expect([code, message]).toEqual([
          'HG_OPTION_INVALID',
          expect.stringMatching(/refused the token.*`sasl\.token`/),
        ])
        expect(message).not.toContain(expired)
      }
      const sink = kafka.sink({ ...secure({ mechanism: 'OAUTHBEARER', token: expired }), topic })
      const { code } = await rejection(sink.open({ log: SILENT_LOGGER }, signal))
      expect(code).toBe('HG_OPTION_INVALID')
      await sink.close(signal)
    })

    it('says that the function for the token failed, and why', async () => {
      const topic = await client.topic(1)
      const token = async (): Promise<string> => {
        throw new Error('the issuer is down')
      }
      const { code, message } = await rejection(reader(topic, { mechanism: 'OAUTHBEARER', token }))
      expect([code, message]).toEqual([
        'HG_CONNECTION_LOST',
        expect.stringMatching(/`sasl\.token` failed: the issuer is down/),
      ])
    })

    it.each<[string, () => Sasl]>([
      ['PLAIN', () => ({ mechanism: 'PLAIN', username: USERNAME, password: PASSWORD })],
      ['SCRAM-SHA-512', () => ({ mechanism: 'SCRAM-SHA-512', username: USERNAME, password: async () => PASSWORD })],
      ['OAUTHBEARER', () => ({ mechanism: 'OAUTHBEARER', token: async () => unsignedToken() })],
    ])('works exactly once, dead letters and progress with it: %s', async (name, sasl) => {
      const input = await client.topic(2, { prefix: 'input' })
      const [output, dead] = [await client.topic(2, { prefix: 'output' }), await client.topic(1, { prefix: 'dead' })]
      await fill(client, input, 2, COUNT)
      const { brokers, ...rest } = secure(sasl())
      const group = `group-of-${input}`
      pipelines.push(
        await exactlyOnce({ brokers, secure: rest, input, output, dead, group, id: `secure-${name}` }).start(),
      )
      const { values, dead: letters } = expected(COUNT)
      const deadline = Date.now() + 60_000
      const found = async (topic: string): Promise<string[]> => (await read(broker.brokers, client, topic)).values
      while ((await found(output)).length < values.length || (await found(dead)).length < letters.length) {
        if (Date.now() > deadline) break
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      expect(await found(output)).toEqual(values)
      expect(await found(dead)).toEqual(letters)
      const stored = async (partition: number): Promise<number> =>
        Number((await client.stored(group, input, partition))?.committedOffset)
      while ((await stored(0)) + (await stored(1)) < COUNT && Date.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, 200))
      }
      expect([await stored(0), await stored(1)]).toEqual([COUNT / 2, COUNT / 2])
    })
  })
}
