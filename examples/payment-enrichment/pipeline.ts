/**
 * The pipeline of the example: each payment gets a fraud score from an API that takes 20,000 requests a minute,
 * however many arrive. `npm start` runs it with everything around it; alone:
 * `npx headgate run examples/payment-enrichment/pipeline.ts`. What the API cannot take yet waits in the log,
 * or in Kafka, when HEADGATE_KAFKA says where that is.
 */
import { adaptive, type CallContext, deadLetter, expectOk, exponential, json, perMinute, pipeline } from 'headgate'
import { kafka } from 'headgate/kafka'
import * as log from 'headgate/log'
import { type EnrichedPayment, Payment, type Score } from './payment.ts'

const fraudUrl = process.env['HEADGATE_FRAUD_URL'] ?? 'http://127.0.0.1:8080'
const path = process.env['HEADGATE_LOG'] ?? './headgate-payments'
const brokers = process.env['HEADGATE_KAFKA']?.split(',')

const payments = brokers
  ? kafka.source({ brokers, topics: 'payments', group: 'enrichers', decode: json(Payment) })
  : log.source({ path, topic: 'payments', group: 'enrichers', decode: json(Payment) })

const sink = (topic: string) => (brokers ? kafka.sink({ brokers, topic }) : log.sink({ path, topic }))

async function score(payment: Payment, context: CallContext): Promise<EnrichedPayment> {
  const response = await fetch(`${fraudUrl}/score`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'idempotency-key': context.idempotencyKey },
    body: JSON.stringify(payment),
    signal: context.signal,
  })
  // 429 and 503 become "overloaded": the record waits, the gate narrows, and no attempt is used up.
  expectOk(response, context)
  return { ...payment, fraud: (await response.json()) as Score }
}

/** What cannot be read, scored or written goes here, with the reason; the other payments go on. */
const onFailure = deadLetter(sink('payments.dead'))

export default pipeline('payment-enrichment', { onFailure })
  .from(payments)
  .filter((payment) => payment.amount > 0)
  .call('fraud', score, {
    order: 'key', // an account's payments are scored in the order in which they were made
    concurrency: adaptive({ max: 512 }), // finds the few calls that keep the API busy without a queue there
    rate: perMinute(20_000), // the contract; without it the quota would be learned from the API's 429s
    timeoutMs: 2_000,
    retry: { attempts: 5, backoff: exponential({ baseMs: 100, maxMs: 10_000 }), budget: 0.1 },
  })
  .batch({ records: 500, bytes: 1_000_000, withinMs: 50 })
  .to(sink('enriched'))
