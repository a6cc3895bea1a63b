/**
 * A pipeline that is a member of the group: `member.ts OPTIONS`. It tells each call before it makes it, and each result
 * where it is written; what it has told survives its end. SIGTERM drains it.
 */
import { writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { source } from '../../../../../src/connectors/kafka/index.ts'
import { type CallContext, type HeadgateError, json, pipeline, type Sink } from '../../../../../src/index.ts'
import {
  ADMISSION_RECORDS,
  CONCURRENCY,
  type Event,
  type Logged,
  type MemberLine,
  type MemberOptions,
  UNCOMMITTED_RECORDS,
  type Work,
} from '../setup.ts'

const {
  onDemand = false,
  slowestCallMs = 8,
  topic,
  ...options
} = JSON.parse(process.argv[2] as string) as MemberOptions
const nowUs = (): number => Number(process.hrtime.bigint() / 1_000n)

interface Result extends Work {
  readonly partition: number
  readonly offset: number
}

/** Written at once, so that it survives this process; a line is short enough to be written whole or not at all. */
function say(line: MemberLine): void {
  const text = `${JSON.stringify(line)}\n`
  for (;;) {
    try {
      writeSync(1, text)
      return
    } catch (error) {
      // The test has not read for a while, and the pipe is full.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1)
    }
  }
}

const busy = new Set<string>()

async function perform({ key, number }: Work, { record, signal }: CallContext): Promise<Result> {
  const partition = Number(record.partition.split('/').at(-1))
  const event: Event = [nowUs(), partition, record.offset, key, number]
  say({ start: event })
  if (busy.has(key)) say({ broken: `two calls of key ${key} at once` })
  busy.add(key)
  if (busy.size > CONCURRENCY) say({ broken: `${busy.size} calls at once` })
  try {
    await sleep(1 + (number % slowestCallMs), undefined, { signal })
  } finally {
    busy.delete(key)
  }
  const done: Event = [nowUs(), partition, record.offset, key, number]
  say({ done })
  return { key, number, partition, offset: record.offset }
}

/** What it is handed is stored, and known to the test, as soon as it is told. */
const teller: Sink<Result> = {
  name: 'teller',
  capabilities: { maxBatchRecords: 100, maxInFlightWrites: 1, idempotent: false, atomic: true },
  async open() {},
  async write({ values }, signal) {
    signal.throwIfAborted()
    for (const { key, number, partition, offset } of values) {
      const event: Event = [nowUs(), partition, offset, key, number]
      say({ end: event })
    }
    return 'written'
  },
  async close() {},
}

say({ loaded: process.pid })
if (onDemand) await new Promise((resolve) => process.stdin.once('data', resolve))
process.stdin.unref()

const logged =
  (level: Logged[1]) =>
  (fields: object, text: string): void =>
    say({ logged: [Date.now(), level, `${text} ${JSON.stringify(fields)}`] })
const log = { debug: () => {}, info: logged('info'), warn: logged('warn'), error: logged('error') }
const running = await pipeline('member', {
  admission: { records: ADMISSION_RECORDS, uncommittedRecords: UNCOMMITTED_RECORDS },
  commit: { intervalMs: 50 },
})
  .from(source({ group: topic, ...options, topics: [topic], decode: json() as (raw: unknown) => Work }))
  .call('perform', perform, { order: 'key', concurrency: CONCURRENCY })
  .to(teller)
  .start({ log })
  .catch((error: HeadgateError) => {
    say({ broken: `it does not start: ${error.message}` })
    throw error
  })
say({ running: process.pid })

process.once('SIGTERM', () => void running.drain())
const { state, error } = await running.done
if (error !== null) say({ broken: error.message })
say({ ended: state })
process.exit(state === 'stopped' ? 0 : 1)
