/**
 * The options of the stages: range, unit, default, and when to raise or lower each. `options.ts` gathers them; the
 * builder parses with them. Invariant: an option that is not declared is refused.
 */
import { z } from 'zod'
import type { RecordInfo } from '../model/record.ts'
import { MAX_TIMER_MS } from '../model/units.ts'
import { concurrencySchema } from './concurrency-options.ts'
import { choice, decimal, decimalGiven, described, MOST_BYTES, MOST_RECORDS, made, whole, wholeOr } from './option.ts'
import { onFailure } from './pipeline-options.ts'

const stageFailure = onFailure(
  'What becomes of a record that failed here for good: stop the pipeline, drop it, or hand it to another sink.',
  "the pipeline's",
)

const queueRecords = (fallback: string, about: string) =>
  wholeOr({
    unit: 'records',
    min: 1,
    max: MOST_RECORDS,
    fallback,
    about,
    raise: 'slots stay idle behind blocked keys while other keys wait further back',
    lower: 'memory is tight; the admission budget bounds the sum in any case',
  })

export const backoffSchema = z.strictObject({
  baseMs: whole({
    unit: 'milliseconds',
    min: 1,
    max: MAX_TIMER_MS,
    fallback: 100,
    about: 'Delay before the first retry, before jitter.',
    raise: 'the downstream needs longer to recover than the first retries wait',
    lower: 'failures are short hiccups and latency matters',
  }),
  maxMs: whole({
    unit: 'milliseconds',
    min: 1,
    max: MAX_TIMER_MS,
    fallback: 10_000,
    about: 'The longest delay between two attempts.',
    raise: 'outages last minutes and attempts run out during them',
    lower: 'a recovered downstream should be noticed sooner',
  }),
  factor: decimal({
    unit: '',
    min: 1,
    max: 100,
    fallback: 2,
    about: 'How much longer each delay is than the one before.',
    raise: 'retries come too densely during an outage',
    lower: 'delays grow past what the latency target allows',
  }),
})

const sinkRetryObject = z.strictObject({
  attempts: whole({
    unit: 'attempts',
    min: 1,
    max: 1_000_000,
    fallback: 5,
    about: 'Attempts in all, the first included. Overload and a lost connection do not use them up.',
    raise: 'records fail that a later attempt would have completed',
    lower: 'failures repeat: later attempts never succeed and only add load',
  }),
  backoff: described(backoffSchema.prefault({}), {
    expected: 'exponential({ baseMs, maxMs, factor })',
    fallback: 'exponential()',
    about: 'How long to wait between attempts.',
  }),
})

const retryObject = sinkRetryObject.extend({
  budget: decimal({
    unit: 'retries per success',
    min: 0.001,
    max: 100,
    fallback: 0.1,
    about: 'Retries granted for each success; when they are used up, retries wait. One that succeeds is given back.',
    raise: 'single failures are common and harmless, and retries wait although the downstream is healthy',
    lower: 'retries make an overload worse',
  }),
})

const retry = described(z.union([z.literal(false), retryObject]).prefault({}), {
  expected: '{ attempts, backoff, budget } or false',
  fallback: '5 attempts',
  about: 'How failed attempts are repeated; `false` gives each record one attempt.',
})

const sinkRetry = described(z.union([z.literal(false), sinkRetryObject]).prefault({}), {
  expected: '{ attempts, backoff } or false',
  fallback: '5 attempts',
  about:
    'How what failed is written again; `false` gives each record one attempt. There is no budget: a write that fails ' +
    'as a whole pauses the sink, each time for longer.',
})

export const rateSchema = z.strictObject({
  perSecond: decimalGiven({
    unit: 'per second',
    min: 0.0001,
    max: 10_000_000,
    about: 'How many may start a second; `perMinute(n)` is n / 60.',
    raise: 'the contract with the downstream allows more and slots wait in RATE',
    lower: 'the downstream answers 429 at this rate',
  }),
  burst: wholeOr({
    unit: 'records',
    min: 1,
    max: MOST_RECORDS,
    fallback: 'what the rate allows in 100 ms, at least 1',
    about: 'How many may start at once after a quiet moment.',
    raise: 'the downstream tolerates bursts and traffic is uneven',
    lower: 'the downstream counts in short windows and refuses bursts',
  }),
})

const rate = described(rateSchema.optional(), {
  expected: 'perSecond(n) or perMinute(n)',
  fallback: 'no limit',
  about: 'The most that may start in a time.',
})

const order = (fallback: string) =>
  choice({
    words: ['none', 'key', 'partition'],
    fallback,
    about: 'Which records may overtake each other: any, those of other keys, or those of other partitions.',
    raise: "a later record of a key must see the earlier one's effect",
    lower: 'nothing depends on order: any free slot may then take any record',
  })

const limitKey = made({
  accepts: (value): value is (value: never, record: RecordInfo) => string => typeof value === 'function',
  expected: 'a function of (value, record) that returns a text',
  fallback: 'one limiter for the stage',
  about: 'Names what a call is limited by, such as its tenant: each name gets a limiter of its own.',
  raise: 'a 429 for one tenant, host or credential must slow down only the calls for that one',
  lower: 'all calls share one limit anyway',
})

export const stageSchema = z.strictObject({ onFailure: stageFailure })

export const callSchema = z.strictObject({
  order: order("'none'"),
  concurrency: concurrencySchema,
  limitKey,
  rate,
  timeoutMs: whole({
    unit: 'milliseconds',
    min: 1,
    max: MAX_TIMER_MS,
    fallback: 30_000,
    about: 'After this an attempt is aborted and counts as failed.',
    raise: 'attempts time out that would have completed (compare with p99)',
    lower: 'hung calls hold slots much longer than p99',
  }),
  retry,
  onFailure: stageFailure,
  queueRecords: queueRecords(
    'the larger of 1,024 and 4 × `concurrency` (of `adaptive`, 4 × `max`)',
    'How many records may wait in the stage, so how far a blocked key is looked past.',
  ),
})

export const batchSchema = z.strictObject({
  records: wholeOr({
    unit: 'records',
    min: 1,
    max: MOST_RECORDS,
    fallback: '500, or `admission.records` if that is less',
    about: 'A batch is complete with this many records.',
    raise: 'the cost of a write hardly depends on its size',
    lower: 'single writes take too long, or the sink refuses them',
  }),
  bytes: wholeOr({
    unit: 'bytes',
    min: 1,
    max: MOST_BYTES,
    fallback: '1,000,000, or `admission.bytes` if that is less',
    about: 'A batch is complete before its records would exceed this.',
    raise: 'batches stay small although the sink takes larger ones',
    lower: "writes exceed the sink's limit of bytes",
  }),
  withinMs: whole({
    unit: 'milliseconds',
    min: 0,
    max: MAX_TIMER_MS,
    fallback: 50,
    about: 'A batch goes out this long after its first record, complete or not; 0 waits for nothing.',
    raise: 'traffic is thin and writes carry few records',
    lower: 'records wait in the batch longer than the latency target allows',
  }),
})

export const sinkSchema = z.strictObject({
  name: described(z.string().min(1).max(100).optional(), {
    expected: 'a text of 1 to 100 characters',
    fallback: "the sink's own",
    about: 'The name of the stage in status, metrics and messages.',
  }),
  order: order('the strictest of the calls before it'),
  retry: sinkRetry,
  onFailure: stageFailure,
  queueRecords: queueRecords(
    'the larger of 4,096 and 2 × the records of a batch',
    'How many records may wait to be written.',
  ),
})

export const routeSchema = z.strictObject({
  onFailure: stageFailure,
  queueRecords: wholeOr({
    unit: 'records',
    min: 1,
    max: MOST_RECORDS,
    fallback: '1,024',
    about: 'How many records may wait at the entry of each branch before the route waits for it.',
    raise: 'a branch that is slow for a moment stops the others',
    lower: 'memory is tight; the admission budget bounds the sum in any case',
  }),
})
