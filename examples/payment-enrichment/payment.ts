/**
 * What travels through the example: a payment, the fraud API's answer, and both together. The generator writes
 * payments, the pipeline checks them against this schema and writes enriched ones.
 */
import { z } from 'zod'

export const Payment = z.object({
  paymentId: z.string(),
  accountId: z.string(),
  /** Rises from payment to payment of the same account; the fraud API counts what reaches it out of order. */
  sequence: z.number().int(),
  /** In cents. A payment of zero is a card check and needs no score. */
  amount: z.number().int().min(0),
  currency: z.string().length(3),
  merchant: z.string(),
  createdAt: z.iso.datetime(),
})
export type Payment = z.infer<typeof Payment>

export interface Score {
  readonly paymentId: string
  readonly score: number
  readonly decision: 'accept' | 'review' | 'decline'
}

export type EnrichedPayment = Payment & { readonly fraud: Score }
