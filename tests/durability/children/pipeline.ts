/**
 * The pipeline that is killed: `children/pipeline.ts DIRECTORY`. It tells each attempt before it makes it, and when
 * two calls of one key, or too many in all, run at once. SIGTERM drains it.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { sink, source } from '../../../src/connectors/log/index.ts'
import {
  type CallContext,
  deadLetter,
  exponential,
  type HeadgateError,
  json,
  pipeline,
  reject,
} from '../../../src/index.ts'
import { say } from '../../connectors/log/children/say.ts'
import * as work from '../work.ts'

const path = process.argv[2] as string
say({ loaded: process.pid })

const busy = new Set<string>()

async function perform(given: work.Work, { record, attempt }: CallContext): Promise<work.Result> {
  const { key, number } = given
  say({ call: [Number(record.partition.split('/').at(-1)), record.offset, attempt] })
  if (busy.has(key)) say({ broken: `two calls of key ${key} at once` })
  busy.add(key)
  if (busy.size > work.CONCURRENCY) say({ broken: `${busy.size} calls at once` })
  await sleep(1 + (number % 7))
  busy.delete(key)
  const { fate, attempts } = work.fateOf(given)
  if (attempt < attempts) throw new Error('not yet')
  if (fate === 'dead') throw attempts === 1 ? reject('never') : new Error('never')
  return { key, number, offset: record.offset }
}

const running = await pipeline('killed', {
  admission: { records: work.ADMISSION_RECORDS, uncommittedRecords: work.UNCOMMITTED_RECORDS },
  commit: { intervalMs: work.COMMIT_INTERVAL_MS },
})
  .from(source({ path, topic: work.TOPICS.in, group: work.GROUP, decode: json() as (raw: unknown) => work.Work }))
  .filter((given) => work.fateOf(given).fate !== 'filtered')
  .call('perform', perform, {
    order: 'key',
    concurrency: work.CONCURRENCY,
    retry: { attempts: work.ATTEMPTS, backoff: exponential({ baseMs: 5, maxMs: 20 }), budget: 1 },
    onFailure: deadLetter(sink({ path, topic: work.TOPICS.dead })),
  })
  .batch({ records: 20, withinMs: 10 })
  .to(sink({ path, topic: work.TOPICS.out }))
  .start()
  .catch((error: HeadgateError) => {
    say({ broken: `it does not start: ${error.message}` })
    throw error
  })
say({ running: process.pid })

process.once('SIGTERM', () => void running.drain())
const { state, error, records } = await running.done
if (error !== null) say({ broken: error.message })
say({ ended: state, records })
process.exit(state === 'stopped' ? 0 : 1)
