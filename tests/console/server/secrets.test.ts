/** No document of the console holds a credential, wherever one was planted; what is no secret is shown. */
import { pipeline } from 'headgate'
import { kafka } from 'headgate/kafka'
import { memory } from 'headgate/memory'
import { expect, onTestFinished, test } from 'vitest'
import type { OptionsDocument } from '../../../src/console/documents.ts'
import { serveConsole } from '../../../src/console/server/serve.ts'
import type { Sink, Source } from '../../../src/model/connector.ts'
import { optionsOf } from '../../../src/runtime/part-options.ts'
import { send } from './world.ts'

const PLANTED = 'planted-secret'
const brokers = ['kafka-1:9092']
const password = { mechanism: 'PLAIN', username: 'app', password: `${PLANTED}-1` } as const
const token = { mechanism: 'OAUTHBEARER', token: `${PLANTED}-2`, extensions: { tenant: `${PLANTED}-3` } } as const
const tls = { key: `${PLANTED}-4`, passphrase: `${PLANTED}-5`, cert: Buffer.from(`${PLANTED}-6`), servername: 'broker' }

const source = kafka.source({ brokers, topics: 'orders', group: 'g', sasl: password, tls })
const sink = kafka.sink({ brokers, topic: 'done', sasl: token, tls })

test('what Kafka is told is shown with its credentials masked', () => {
  const parts = optionsOf(pipeline('orders').from(source).to(sink).plan)
  const optionsBy = (part: string) => parts.find((each) => each.part === part)?.options
  expect(JSON.stringify(parts)).not.toContain(PLANTED)
  expect(optionsBy('source')).toMatchObject({
    brokers: 'kafka-1:9092',
    group: 'g',
    'sasl.mechanism': 'PLAIN',
    'sasl.username': 'app',
    'sasl.password': '***',
    'tls.key': '***',
    'tls.passphrase': '***',
    'tls.servername': 'broker',
  })
  expect(optionsBy('sink')).toMatchObject({ topic: 'done', 'sasl.token': '***', 'sasl.extensions': '***' })
})

test('no document holds a secret: not of the options, not of a connector that masks nothing, not of an error', async () => {
  const careless = {
    url: `https://app:${PLANTED}-7@api.example`,
    apiKey: `${PLANTED}-8`,
    deep: { pwd: `${PLANTED}-9` },
  }
  const values: Source<number> = Object.assign(memory.source([1, 2, 3]), {
    shownOptions: { ...source.shownOptions, ...careless } as never,
  })
  const out: Sink<number> = Object.assign(memory.sink<number>(), { shownOptions: sink.shownOptions })
  const running = await pipeline('orders')
    .from(values)
    .call(
      'enrich',
      async (n) => (n > 2 ? n : Promise.reject(new Error(`GET ${careless.url} failed, token=${PLANTED}-10`))),
      {
        retry: { attempts: 2 },
        onFailure: { kind: 'skip' },
      },
    )
    .to(out)
    .start()
  const console = await serveConsole(running, { port: 0, discoverable: false })
  onTestFinished(async () => {
    await console.close()
    await running.stop()
  })
  await running.done
  const headers = { authorization: `Bearer ${console.token}` }
  const bodies = new Map<string, string>()
  // The console itself says what can be asked for.
  const { body: known } = await send(console.origin, '/nowhere', { headers })
  const paths = [...known.matchAll(/GET (\/[a-z]*)/g)].map(([, path]) => path as string)
  for (const path of paths.filter((each) => each !== '/events'))
    bodies.set(path, (await send(console.origin, path, { headers })).body)
  bodies.set('/events', await firstTick(console.origin, headers))

  expect(bodies.size).toBeGreaterThan(8)
  for (const [path, body] of bodies) expect(body, path).not.toContain(PLANTED)
  expect(bodies.get('/diagnosis')).toContain('https://***@api.example')
  const { parts } = JSON.parse(bodies.get('/options') as string) as OptionsDocument
  expect(parts.map(({ part, kind }) => `${part} ${kind}`)).toEqual([
    'pipeline pipeline',
    'source source',
    'stage call',
    `sink ${out.name}`,
  ])
  expect(parts[1]?.options).toMatchObject({ group: 'g', apiKey: '***', url: 'https://***@api.example' })
  expect(parts[2]?.options).toMatchObject({ 'retry.attempts': 2, onFailure: 'skip', concurrency: 'adaptive' })
})

async function firstTick(origin: string, headers: Readonly<Record<string, string>>): Promise<string> {
  const response = await fetch(`${origin}/events`, { headers })
  let text = ''
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    text += Buffer.from(chunk).toString('utf8')
    if (text.includes('\n\n')) break
  }
  return text
}
