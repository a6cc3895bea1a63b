/**
 * Promise 11 on a real broker: what a reader of committed records finds is f(input), each result once, while processes
 * are killed, brokers restart, connections break and instances fence each other.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { Running } from '../../../../src/index.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { Client } from '../client.ts'
import { type ExactlyOnceOptions, exactlyOnce, expected, fill, read } from './flow.ts'

const PROGRAM = fileURLToPath(new URL('./children/exactly-once.ts', import.meta.url))
const LONG = process.env['HEADGATE_LONG'] === '1'
const KILLS = LONG ? 12 : 6
const COUNT = LONG ? 6_000 : 3_000
const PARTITIONS = 4
/** Three brokers are killed and come back, one after the other. */
const SLOW = { timeout: 600_000 }

const children = new Set<ChildProcess>()
const pipelines = new Set<Running>()
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all([...pipelines].map((running) => running.stop()))
  pipelines.clear()
})

function launch(options: ExactlyOnceOptions): { child: ChildProcess; running: Promise<void>; ended: Promise<unknown> } {
  const child = spawn(process.execPath, ['--import', 'tsx', PROGRAM, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.add(child)
  const ended = once(child, 'close').finally(() => children.delete(child))
  const running = new Promise<void>((resolve) => {
    child.stdout!.on('data', (data: Buffer) => {
      if (data.toString().includes('running')) resolve()
    })
    void ended.then(() => resolve())
  })
  return { child, running, ended }
}

async function start(options: ExactlyOnceOptions): Promise<Running> {
  const running = await exactlyOnce(options).start()
  pipelines.add(running)
  return running
}

/** Waits until everything is there, and a moment longer for what must not come. */
async function check(
  broker: Kafka,
  client: Client,
  { output, dead }: ExactlyOnceOptions,
  count: number,
  withinMs = 120_000,
): Promise<void> {
  const { values, dead: failed } = expected(count)
  const deadline = Date.now() + withinMs
  let found = await read(broker.brokers, client, output)
  let letters = await read(broker.brokers, client, dead)
  while ((found.values.length < values.length || letters.values.length < failed.length) && Date.now() < deadline) {
    await sleep(200)
    found = await read(broker.brokers, client, output)
    letters = await read(broker.brokers, client, dead)
  }
  await sleep(500)
  found = await read(broker.brokers, client, output)
  letters = await read(broker.brokers, client, dead)
  const doing = [...pipelines].map((running) => {
    const { state, error, verdict, sources, stages, places } = running.status()
    const reasons = [...sources, ...stages].map(({ name, reason }) => `${name}: ${reason}`)
    const waiting = places.filter(({ records }) => records !== 0).map(({ name, records }) => `${name} ${records}`)
    return [state, error?.message, verdict, ...reasons, ...waiting].join('; ')
  })
  // What is there is known; what is not shows in what the pipeline says.
  expect(found.values.length, doing.join(' | ')).toBe(values.length)
  expect(found.values).toEqual(values)
  expect(letters.values).toEqual(failed)
  expect(letters.letters).toHaveLength(failed.length)
  for (const letter of letters.letters) expect(letter).toMatch(/^input-[\d-]+\/\d@\d+ \d+ cannot be worked on$/)
}

describeKafka('exactly-once over Kafka', () => {
  let broker: Kafka
  let client: Client
  beforeAll(async () => {
    broker = await startKafka({
      proxied: true,
      settings: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' },
    })
    client = await Client.connect(broker.nodes.map(({ port }) => `127.0.0.1:${port}`))
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  async function world(count: number): Promise<ExactlyOnceOptions> {
    const input = await client.topic(PARTITIONS, { prefix: 'input' })
    const [output, dead] = [await client.topic(3, { prefix: 'output' }), await client.topic(1, { prefix: 'dead' })]
    await fill(client, input, PARTITIONS, count)
    return { brokers: broker.brokers, input, output, dead, group: `group-of-${input}` }
  }

  for (const groupProtocol of ['classic', 'consumer'] as const)
    test(`promise 11: ${KILLS} kills of a process (kill -9), group protocol ${groupProtocol}`, async () => {
      const options = { ...(await world(COUNT)), groupProtocol, id: `instance-${groupProtocol}` }
      for (let kill = 0; kill < KILLS; kill += 1) {
        const { child, running, ended } = launch(options)
        await running
        await sleep(600 + Math.random() * 2_500)
        child.kill('SIGKILL')
        await ended
      }
      await start(options)
      await check(broker, client, options, COUNT)
    })

  test('promise 11: two processes share the work, one is killed again and again, and the broker with it', async () => {
    const options = await world(COUNT)
    const steady = launch({ ...options, timeoutMs: 3_000 })
    await steady.running
    for (let kill = 0; kill < 3; kill += 1) {
      const { child, running, ended } = launch({ ...options, timeoutMs: 3_000 })
      await running
      await sleep(1_500 + Math.random() * 1_500)
      if (kill === 1) {
        await broker.nodes[0]!.kill()
        await broker.nodes[0]!.start()
        await broker.nodes[0]!.ready()
      }
      child.kill('SIGKILL')
      await ended
    }
    await check(broker, client, options, COUNT)
    steady.child.kill('SIGTERM')
    await steady.ended
  })

  test('of two instances of one name the one that came first stops, and says why', async () => {
    const options = { ...(await world(1_000)), id: 'the-same', slowestCallMs: 100 }
    const first = await start(options)
    await sleep(500)
    await start(options)
    // However much the first has done by now, it finds out with its next transaction, so there has to be one.
    await fill(client, options.input, PARTITIONS, 2_000, 1_000)
    const { state, error } = await first.done
    expect(state).toBe('failed')
    expect(error?.code).toBe('HG_FENCED')
    expect(error?.message).toMatch(/another instance of this pipeline has taken over.*transaction\.id/)
    await check(broker, client, options, 2_000)
  })

  test('what became of a transaction is found out when the answer to its end is lost', async () => {
    const options = { ...(await world(2_000)), requestTimeoutMs: 1_000, intervalMs: 50 }
    await start(options)
    for (let fault = 0; fault < 8; fault += 1) {
      await sleep(300 + Math.random() * 700)
      // Requests arrive, their answers do not.
      broker.proxies[0]!.spoil('down', { blackhole: true })
      await sleep(Math.random() * 1_500)
      if (fault % 2 === 0) broker.proxies[0]!.reset()
      broker.proxies[0]!.heal()
    }
    await check(broker, client, options, 2_000)
  })

  test('a transaction that the broker aborted because it took too long is made again', async () => {
    const options = { ...(await world(300)), timeoutMs: 1_000, intervalMs: 400, slowestCallMs: 5 }
    await start(options)
    for (let fault = 0; fault < 3; fault += 1) {
      broker.proxies[0]!.spoil('up', { blackhole: true })
      await sleep(2_500)
      broker.proxies[0]!.heal()
      await sleep(500)
    }
    await check(broker, client, options, 300)
  })
})

describeKafka('exactly-once over three brokers', () => {
  let broker: Kafka
  let client: Client
  beforeAll(async () => {
    broker = await startKafka({ nodes: 3 })
    client = await Client.connect(broker.brokers)
  }, SLOW.timeout)
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  test('promise 11: each broker is killed in turn, leaders and both coordinators among them', SLOW, async () => {
    const replicas = { replicas: 3, configs: { 'min.insync.replicas': '2' } }
    const input = await client.topic(PARTITIONS, { prefix: 'input', ...replicas })
    const output = await client.topic(3, { prefix: 'output', ...replicas })
    const dead = await client.topic(1, { prefix: 'dead', ...replicas })
    const where = { brokers: broker.brokers, input, output, dead, group: 'three', id: 'three' }
    const options = { ...where, requestTimeoutMs: 5_000, slowestCallMs: 50 }
    await start(options)
    const part = COUNT / broker.nodes.length
    for (const [at, node] of broker.nodes.entries()) {
      await fill(client, input, PARTITIONS, (at + 1) * part, at * part)
      await sleep(1_000)
      await node.kill()
      await sleep(3_000)
      await node.start()
      await node.ready()
    }
    await check(broker, client, options, COUNT)
  })
})
