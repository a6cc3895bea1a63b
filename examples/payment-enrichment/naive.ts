/**
 * The consumer that most of us write first, for comparison: read, call the API for everything that was read, read on,
 * try again at once when a call fails, and commit how far it has read. Every line of it is reasonable by itself.
 * It prints a `ConsumerLine` each second, and on standard error the payments that it gave up.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { openLog } from 'headgate/log'
import { type ConsumerLine, rssPeakMiB } from './consumer-line.ts'
import { endWithParent } from './flags.ts'
import { Latencies } from './latency.ts'
import { commitPositions, committedPositions, parsed, readOn } from './log-reading.ts'
import type { EnrichedPayment, Payment, Score } from './payment.ts'
import { post } from './pooled-post.ts'

const fraudUrl = process.env['HEADGATE_FRAUD_URL'] ?? 'http://127.0.0.1:8080'
const log = await openLog(process.env['HEADGATE_LOG'] ?? './headgate-payments')
const GROUP = 'naive'
const CHUNK = 100 // records of each partition
const ATTEMPTS = 10

const latencies = new Latencies()
let pending = 0
let timeouts = 0
let gaveUp = 0

async function score(payment: Payment): Promise<Score> {
  for (let attempt = 1; ; attempt += 1) {
    const startedAt = performance.now()
    try {
      const answer = await post(`${fraudUrl}/score`, JSON.stringify(payment), 2_000)
      if (answer.status !== 200) throw new Error(`fraud API answered ${answer.status}`)
      latencies.record(performance.now() - startedAt)
      return JSON.parse(answer.text) as Score
    } catch (error) {
      if (error instanceof Error && error.name === 'TimeoutError') timeouts += 1
      if (attempt >= ATTEMPTS) throw error
    }
  }
}

/** One payment's failure must not fail the others of its chunk. */
async function enrich(payment: Payment): Promise<void> {
  try {
    const enriched: EnrichedPayment = { ...payment, fraud: await score(payment) }
    await log.append('enriched', [{ key: payment.accountId, value: enriched }])
  } catch (error) {
    gaveUp += 1
    console.error(`gave up on payment ${payment.paymentId}: ${String(error)}`)
  }
}

async function processChunk(payments: readonly Payment[]): Promise<void> {
  const toScore = payments.filter((payment) => payment.amount > 0)
  pending += toScore.length
  await Promise.all(toScore.map((payment) => enrich(payment).finally(() => (pending -= 1))))
}

function line(): ConsumerLine {
  return { timeouts, gaveUp, pending, latencyP99Ms: latencies.quantile(0.99), rssPeakMiB: rssPeakMiB() }
}

let stopped = false
process.once('SIGTERM', () => {
  stopped = true
})
endWithParent()

const positions = committedPositions(log, 'payments', GROUP)
const chunks = new Set<Promise<void>>()
setInterval(() => console.log(JSON.stringify(line())), 1_000)
const committing = setInterval(() => void commitPositions(log, 'payments', GROUP, positions), 1_000)

while (!stopped) {
  const records = readOn(log, 'payments', positions, CHUNK)
  if (records.length === 0) await sleep(50)
  // Not awaited: waiting for the slowest call of each chunk before reading on would be slow.
  const chunk = processChunk(records.map((record) => parsed<Payment>(record)))
  chunks.add(chunk)
  void chunk.finally(() => chunks.delete(chunk))
  await sleep(0)
}
clearInterval(committing)
await Promise.all(chunks)
await commitPositions(log, 'payments', GROUP, positions)
console.log(JSON.stringify(line()))
process.exit(0)
