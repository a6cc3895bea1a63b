/**
 * Writes payments into the embedded log, or into Kafka with `--kafka HOST:PORT`, at 100,000 a minute unless told otherwise. `npm start` and `npm run compare`
 * start it; alone: `npx tsx examples/payment-enrichment/generate.ts --path DIR --for 60s`. It is open-loop: it never
 * waits for the pipeline, and each payment is stamped with the time at which it was meant to arrive.
 * It prints `{"ready":true}` once the topics are there, then `{"generated":n}` each second and at its end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Arrivals, type Phase } from './arrivals.ts'
import { durationFlag, endWithParent, numberFlag } from './flags.ts'
import type { Payment } from './payment.ts'
import { paymentMaker } from './payment-maker.ts'
import { openKafkaWriter, openLogWriter } from './payment-writer.ts'

const { values: flags } = parseArgs({
  options: {
    path: { type: 'string', default: process.env['HEADGATE_LOG'] ?? './headgate-payments' },
    kafka: { type: 'string' },
    'per-minute': { type: 'string' },
    for: { type: 'string' },
    count: { type: 'string' },
    'then-per-minute': { type: 'string' },
    seed: { type: 'string' },
    accounts: { type: 'string' },
    exponent: { type: 'string' },
    child: { type: 'boolean', default: false },
  },
})

const EVERY_MS = 50
/** After a pause of the machine the schedule is far ahead: it is caught up in writes of this size. */
const MOST_PER_WRITE = 10_000
const SAY_EVERY_MS = 1_000

const perMinute = numberFlag('per-minute', flags['per-minute'], 100_000)
const thenPerMinute = numberFlag('then-per-minute', flags['then-per-minute'], 0)
const phases: Phase[] = [{ perMinute, forMs: durationFlag('for', flags.for, Number.POSITIVE_INFINITY) }]
if (thenPerMinute > 0) phases.push({ perMinute: thenPerMinute, forMs: Number.POSITIVE_INFINITY })
const arrivals = new Arrivals(phases)
const most = numberFlag('count', flags.count, Number.POSITIVE_INFINITY)

let stopped = false
const stop = (): void => {
  stopped = true
}
process.once('SIGTERM', stop).once('SIGINT', stop)
if (flags.child) endWithParent(stop)

const writer = await (flags.kafka === undefined ? openLogWriter(flags.path) : openKafkaWriter(flags.kafka.split(',')))
console.log(JSON.stringify({ ready: true }))

const startedAtMs = Date.now()
const next = paymentMaker({
  seed: numberFlag('seed', flags.seed, 1),
  startedAtMs,
  accounts: numberFlag('accounts', flags.accounts, 10_000),
  exponent: numberFlag('exponent', flags.exponent, 0.9),
})

let generated = 0
let saidAtMs = 0
for (let elapsedMs = 0; !stopped && generated < most; elapsedMs = Date.now() - startedAtMs) {
  const arrived = Math.min(arrivals.dueBy(elapsedMs), most)
  const due = Math.min(arrived, generated + MOST_PER_WRITE)
  if (due > generated) {
    const batch: Payment[] = []
    while (generated < due) {
      generated += 1
      batch.push(next(startedAtMs + Math.round(arrivals.timeOf(generated))))
    }
    await writer.write(batch)
  }
  if (elapsedMs - saidAtMs >= SAY_EVERY_MS) {
    saidAtMs = elapsedMs
    console.log(JSON.stringify({ generated }))
  }
  if (generated < arrived) continue
  if (elapsedMs >= arrivals.endMs) break
  await sleep(EVERY_MS)
}
await writer.close()
console.log(JSON.stringify({ generated }))
process.exit(0)
