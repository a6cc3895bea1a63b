/**
 * After: the same on Headgate. An order of a customer waits only for that customer's order before it, however few
 * partitions there are; what the warehouse cannot take yet stays in Kafka. `npx headgate run examples/kafka-swap/after.ts`
 */
import { type CallContext, deadLetter, expectOk, exponential, json, pipeline } from 'headgate'
import { kafka } from 'headgate/kafka'
import { brokers, type Confirmed, group, Order, requestReservation } from './order.ts'

async function reserve(order: Order, context: CallContext): Promise<Confirmed> {
  const response = await requestReservation(order, context.idempotencyKey, context.signal)
  expectOk(response, context)
  return { ...order, reservation: ((await response.json()) as { id: string }).id }
}

export default pipeline('reservations', { onFailure: deadLetter(kafka.sink({ brokers, topic: 'orders.dead' })) })
  .from(kafka.source({ brokers, group, topics: 'orders', decode: json(Order) }))
  .call('reserve', reserve, {
    order: 'key',
    timeoutMs: 2_000,
    retry: { attempts: 5, backoff: exponential({ baseMs: 100, maxMs: 10_000 }) },
  })
  .to(kafka.sink({ brokers, topic: 'confirmed' }))
