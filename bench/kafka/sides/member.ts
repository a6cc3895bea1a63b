/**
 * A member of a group that is killed or joined by others while it works: keyed calls, each written to a file as it
 * ends, so that what a killed process had done is known. Prints how many records it has in flight, many times a
 * second. SIGTERM drains it, as an orchestrator would.
 */
import { openSync, writeSync } from 'node:fs'
import { type HeadgateParts, load } from './headgate.ts'
import { call, type SideSpec } from './spec.ts'

const SAY_EVERY_MS = 20
/** Kafka notices a killed member when its session is over. */
export const SHORT_SESSION_MS = 6_000
const MS_OF_NS = 1_000_000

export async function member(spec: SideSpec): Promise<never> {
  const { pipeline, kafka }: HeadgateParts = await load(spec)
  const log = openSync(spec.log as string, 'a')
  const running = await pipeline('bench')
    .from(
      kafka.source({
        ...{ brokers: [spec.broker], group: spec.group, topics: [spec.topic] },
        sessionTimeoutMs: SHORT_SESSION_MS,
      }),
    )
    .call(
      'work',
      async (_, { record }) => {
        const partition = Number(record.partition.split('/').at(-1))
        const startedMs = nowMs()
        await call(partition, record.offset, false)
        writeSync(log, `${partition} ${record.offset} ${record.key} ${startedMs} ${nowMs()}\n`)
        return partition
      },
      { order: 'key', concurrency: spec.concurrency ?? 1 },
    )
    .to(nothing)
    .start()
  setInterval(() => {
    process.stdout.write(`${JSON.stringify({ inFlight: running.status().records.inFlight })}\n`)
  }, SAY_EVERY_MS)
  let asked = false
  process.once('SIGTERM', () => {
    asked = true
    void running.drain()
  })
  await running.done
  process.exit(asked ? 0 : 1)
}

export function nowMs(): number {
  return Number(process.hrtime.bigint()) / MS_OF_NS
}

const nothing = {
  name: 'nothing',
  capabilities: { maxBatchRecords: 10_000, maxInFlightWrites: 1, idempotent: true, atomic: false },
  open: () => Promise.resolve(),
  write: () => Promise.resolve('written' as const),
  close: () => Promise.resolve(),
}
