/**
 * What both consumers work on: orders, whose stock is reserved with a warehouse API before they are confirmed. This file
 * stays as it is when the consumer is swapped.
 */
import { z } from 'zod'

export const Order = z.object({
  orderId: z.string(),
  customerId: z.string(),
  sku: z.string(),
  quantity: z.number().int().positive(),
})
export type Order = z.infer<typeof Order>

export type Confirmed = Order & { readonly reservation: string }

export const brokers = (process.env['KAFKA_BROKERS'] ?? '127.0.0.1:9092').split(',')
export const group = process.env['KAFKA_GROUP'] ?? 'reservations'
const warehouseUrl = process.env['WAREHOUSE_URL'] ?? 'http://127.0.0.1:8080'

export function requestReservation(order: Order, idempotencyKey: string, signal: AbortSignal): Promise<Response> {
  return fetch(`${warehouseUrl}/reservations`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': idempotencyKey },
    body: JSON.stringify(order),
    signal,
  })
}
