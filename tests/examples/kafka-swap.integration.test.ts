/**
 * The swap, executed: the hand-written consumer handles a part of the orders, Headgate takes over its group and handles
 * the rest, against a warehouse of our own. Every order ends in exactly one of the two topics, and Headgate keeps
 * each customer's orders in order.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Admin, Kafka as KafkaJs, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Client } from '../connectors/kafka/client.ts'
import { type Kafka, startKafka } from '../fixtures/kafka/broker.ts'
import { describeKafka } from '../fixtures/kafka/require.ts'

const ORDERS = 400
const CUSTOMERS = 20
const PARTITIONS = 4
const REFUSED_SKU = 'withdrawn'
/** So many of the answers are 503. */
const BUSY_ONE_IN = 10

const root = fileURLToPath(new URL('../../', import.meta.url))

interface Call {
  readonly orderId: string
  readonly customerId: string
  readonly startedMs: number
  endedMs: number
}

describeKafka('the swap from KafkaJS to Headgate', () => {
  let kafka: Kafka
  let broker: string
  let admin: Admin
  let warehouse: Server
  let answersInMs = 5
  const calls: Call[] = []

  beforeAll(async () => {
    kafka = await startKafka()
    broker = kafka.brokers[0] as string
    admin = new KafkaJs({ brokers: [broker], logLevel: logLevel.NOTHING }).admin()
    const [client] = await Promise.all([Client.connect([broker]), admin.connect()])
    for (const topic of ['orders', 'confirmed', 'orders.dead']) await client.create(topic, PARTITIONS)
    const orders = Array.from({ length: ORDERS }, (_, index) => {
      const sku = index % 50 === 7 ? REFUSED_SKU : `sku-${index % 5}`
      return { orderId: `order-${index}`, customerId: `customer-${index % CUSTOMERS}`, sku, quantity: 1 }
    })
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const own = orders.filter((_, index) => (index % CUSTOMERS) % PARTITIONS === partition)
      const records = own.map((order) => ({ key: order.customerId, value: JSON.stringify(order) }))
      await client.append('orders', partition, records)
    }
    await client.close()
    expect(await recordsIn('orders')).toBe(ORDERS)
    warehouse = createServer((request, response) => {
      let body = ''
      request.on('data', (chunk) => (body += chunk))
      request.on('end', () => {
        const { orderId, customerId, sku } = JSON.parse(body) as { orderId: string; customerId: string; sku: string }
        const call: Call = { orderId, customerId, startedMs: performance.now(), endedMs: 0 }
        calls.push(call)
        setTimeout(() => {
          call.endedMs = performance.now()
          const busy = calls.length % BUSY_ONE_IN === 0
          response.writeHead(sku === REFUSED_SKU ? 422 : busy ? 503 : 200, { 'content-type': 'application/json' })
          response.end(JSON.stringify({ id: `r-${orderId}` }))
        }, answersInMs)
      })
    }).listen(0, '127.0.0.1')
    await new Promise((resolve) => warehouse.once('listening', resolve))
  })
  afterAll(async () => {
    await admin?.disconnect()
    warehouse?.close()
    await kafka?.stop()
  })

  const environment = () => ({
    ...process.env,
    KAFKA_BROKERS: broker,
    WAREHOUSE_URL: `http://127.0.0.1:${(warehouse.address() as AddressInfo).port}`,
  })

  async function recordsIn(topic: string): Promise<number> {
    const offsets = await admin.fetchTopicOffsets(topic)
    return offsets.reduce((sum, { high }) => sum + Number(high), 0)
  }
  const handled = async (): Promise<number> => (await recordsIn('confirmed')) + (await recordsIn('orders.dead'))

  const ordersCalled = (): number => new Set(calls.map(({ orderId }) => orderId)).size

  /** Runs it until this holds, then lets it end in good order. */
  async function run(args: readonly string[], holds: () => Promise<boolean>): Promise<void> {
    const child: ChildProcess = spawn(process.execPath, args, { cwd: root, env: environment(), stdio: 'pipe' })
    let said = ''
    child.stderr?.on('data', (chunk) => (said += chunk))
    child.stdout?.resume()
    const ended = new Promise((resolve) => child.once('close', resolve))
    while (!(await holds()) && child.exitCode === null) await sleep(200)
    child.kill('SIGTERM')
    expect(await ended, said).toBe(0)
  }

  test('goes on where the old consumer left off, and handles every order', async () => {
    // Slowly, so that it is stopped long before the end.
    answersInMs = 50
    await run(['--import', 'tsx', 'examples/kafka-swap/before.ts'], async () => (await handled()) >= ORDERS / 8)
    answersInMs = 5
    const before = await handled()
    expect(before).toBeLessThan(ORDERS)
    const byHand = calls.length

    // Orders that are handled again count once: with them there are enough before all have had their turn.
    const all = async (): Promise<boolean> => ordersCalled() === ORDERS && (await handled()) >= ORDERS
    await run(['dist/cli/main.js', 'run', 'examples/kafka-swap/after.ts'], all)
    // What the old consumer had begun and not committed is handled again, and nothing else is.
    expect(await handled()).toBeLessThan(ORDERS + before)
    expect(await recordsIn('confirmed')).toBeGreaterThanOrEqual(ORDERS - ORDERS / 50)
    expect(await recordsIn('orders.dead')).toBeGreaterThanOrEqual(ORDERS / 50)
    expect(ordersCalled()).toBe(ORDERS)

    const last = new Map<string, Call>()
    for (const call of calls.slice(byHand)) {
      const previous = last.get(call.customerId)
      last.set(call.customerId, call)
      if (previous === undefined) continue
      expect(previous.endedMs, `${previous.orderId} and ${call.orderId}`).toBeGreaterThan(0)
      expect(previous.endedMs).toBeLessThanOrEqual(call.startedMs)
      expect(numberOf(call)).toBeGreaterThanOrEqual(numberOf(previous))
    }
  })
})

function numberOf({ orderId }: Call): number {
  return Number(orderId.slice('order-'.length))
}
