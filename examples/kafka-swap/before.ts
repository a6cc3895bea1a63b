/**
 * Before: the consumer as it is written by hand on KafkaJS, and not badly. It takes a batch in slices, calls the
 * warehouse for the orders of a slice at once, retries, sends what fails to a topic of dead letters, and commits what
 * is done. The README says what it cannot do. `npx tsx examples/kafka-swap/before.ts`
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka, type KafkaMessage, logLevel } from 'kafkajs'
import { brokers, type Confirmed, group, Order, requestReservation } from './order.ts'

const AT_ONCE = 20
const ATTEMPTS = 5
const TIMEOUT_MS = 2_000
const FIRST_BACKOFF_MS = 100

const kafka = new Kafka({ clientId: 'reservations', brokers, logLevel: logLevel.ERROR })
const consumer = kafka.consumer({ groupId: group })
const producer = kafka.producer()

/** A refusal that no retry can change. */
class Refused extends Error {}

async function reserve(order: Order, idempotencyKey: string): Promise<Confirmed> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      const response = await requestReservation(order, idempotencyKey, AbortSignal.timeout(TIMEOUT_MS))
      if (response.ok) return { ...order, reservation: ((await response.json()) as { id: string }).id }
      if (response.status >= 400 && response.status < 500 && response.status !== 429) {
        throw new Refused(`the warehouse refused with ${response.status}`)
      }
      throw new Error(`the warehouse answered ${response.status}`)
    } catch (error) {
      if (error instanceof Refused || attempt === ATTEMPTS) throw error
      await sleep(FIRST_BACKOFF_MS * 2 ** attempt * (0.5 + Math.random()))
    }
  }
}

async function handle(partition: number, message: KafkaMessage): Promise<void> {
  try {
    const order = Order.parse(JSON.parse(String(message.value)))
    const confirmed = await reserve(order, `${partition}@${message.offset}`)
    await producer.send({ topic: 'confirmed', messages: [{ key: message.key, value: JSON.stringify(confirmed) }] })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    const headers = { reason, origin: `orders/${partition}@${message.offset}` }
    await producer.send({ topic: 'orders.dead', messages: [{ key: message.key, value: message.value, headers }] })
  }
}

await Promise.all([consumer.connect(), producer.connect()])
await consumer.subscribe({ topics: ['orders'], fromBeginning: true })
await consumer.run({
  partitionsConsumedConcurrently: 4,
  eachBatchAutoResolve: false,
  eachBatch: async ({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary, isRunning, isStale }) => {
    for (let from = 0; from < batch.messages.length; from += AT_ONCE) {
      if (!isRunning() || isStale()) return
      const slice = batch.messages.slice(from, from + AT_ONCE)
      await Promise.all(slice.map((message) => handle(batch.partition, message)))
      resolveOffset(slice.at(-1)!.offset)
      await heartbeat()
      await commitOffsetsIfNecessary()
    }
  },
})

process.once('SIGTERM', () => {
  void consumer
    .disconnect()
    .then(() => producer.disconnect())
    .then(() => process.exit(0))
})
