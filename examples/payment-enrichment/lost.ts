/**
 * The oracle of the comparison and of the example's tests: which payments were lost? A payment below the committed
 * position will never be read again. If it had to be scored and stands in no output topic, it is lost.
 */
import { openLog } from 'headgate/log'
import { committedPositions, readAll } from './log-reading.ts'
import type { Payment } from './payment.ts'

export interface Account {
  readonly generated: number
  /** Payments below the committed position, card checks of zero included. */
  readonly committed: number
  /** Distinct payments in the topic `enriched`, and results beyond the first for the same payment. */
  readonly enriched: number
  readonly enrichedAgain: number
  readonly deadLettered: number
  /** Enriched after a later payment of the same account was, first results only. */
  readonly outOfOrder: number
  readonly lost: readonly string[]
}

/** Reads the whole log. Nobody else should be writing to it. */
export async function account(logDirectory: string, group: string): Promise<Account> {
  const log = await openLog(logDirectory)
  try {
    const results = new Set<string>()
    const lastSequence = new Map<string, number>()
    let enrichedAgain = 0
    let outOfOrder = 0
    for (const { value: payment } of readAll<Payment>(log, 'enriched')) {
      if (results.has(payment.paymentId)) {
        enrichedAgain += 1
        continue
      }
      results.add(payment.paymentId)
      if (payment.sequence < (lastSequence.get(payment.accountId) ?? 0)) outOfOrder += 1
      else lastSequence.set(payment.accountId, payment.sequence)
    }
    const dead = new Set<string>()
    // A dead letter holds the payload as it arrived, as text.
    for (const { value: letter } of readAll<{ value: string }>(log, 'payments.dead')) {
      dead.add((JSON.parse(letter.value) as Payment).paymentId)
    }
    const positions = committedPositions(log, 'payments', group)
    const lost: string[] = []
    let generated = 0
    let committed = 0
    for (const { partition, offset, value: payment } of readAll<Payment>(log, 'payments')) {
      generated += 1
      if (offset >= positions.get(partition)!) continue
      committed += 1
      const settled = payment.amount === 0 || results.has(payment.paymentId) || dead.has(payment.paymentId)
      if (!settled) lost.push(payment.paymentId)
    }
    return {
      generated,
      committed,
      enriched: results.size,
      enrichedAgain,
      deadLettered: dead.size,
      outOfOrder,
      lost,
    }
  } finally {
    await log.close()
  }
}
