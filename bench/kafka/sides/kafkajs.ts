/**
 * Consumers as they are written by hand on KafkaJS, each at its best: all partitions at once, positions committed
 * once a second and at the end. The keyed one runs a chain of promises for each key and waits for all of them before
 * it takes the next batch, since a later commit would cover what is not done.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type EachBatchPayload, Kafka, logLevel } from 'kafkajs'
import { Meter } from './meter.ts'
import { call, kept, type Payment, type SideReport, type SideSpec, touch } from './spec.ts'

type Work = (payload: EachBatchPayload) => Promise<void> | void

const PARTITIONS_AT_ONCE = 8
const COMMIT_EVERY_MS = 1_000
const DEFAULT_PARTITION_BYTES = 1024 * 1024
/** Waiters that were let in, before their places are given back. */
const MOST_TAKEN = 4_096

export async function byHand(spec: SideSpec): Promise<SideReport> {
  const meter = new Meter(spec.records)
  const kafka = new Kafka({ clientId: 'bench', brokers: [spec.broker], logLevel: logLevel.ERROR })
  const consumer = kafka.consumer({
    groupId: spec.group,
    maxBytesPerPartition: spec.partitionBytes ?? DEFAULT_PARTITION_BYTES,
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [spec.topic], fromBeginning: true })
  const work = workOf(spec, meter)
  const positions = new Map<number, string>()
  let batches = 0
  await consumer.run({
    partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
    autoCommitInterval: COMMIT_EVERY_MS,
    eachBatch: async (payload) => {
      meter.start()
      batches += 1
      await work(payload)
      batches -= 1
      positions.set(payload.batch.partition, String(Number(payload.batch.lastOffset()) + 1))
    },
  })
  await meter.finished
  if (!spec.stopEarly) {
    while (batches > 0) await delay(1)
    await consumer.commitOffsets(
      [...positions].map(([partition, offset]) => ({ topic: spec.topic, partition, offset })),
    )
  }
  const report = meter.report()
  if (!spec.stopEarly) await consumer.disconnect()
  return report
}

function workOf(spec: SideSpec, meter: Meter): Work {
  if (spec.work === 'touch') return touchAll(meter)
  if (spec.work === 'json') return decodeAll(meter)
  if (spec.work === 'keyed') return chainByKey(spec, meter)
  if (spec.work === 'large') return callAll(spec, meter)
  throw new Error(`nothing is written by hand for '${spec.work}'`)
}

function touchAll(meter: Meter): Work {
  return ({ batch }) => {
    for (const message of batch.messages) meter.sum += touch(message.value as Buffer)
    meter.done(batch.messages.length)
  }
}

function decodeAll(meter: Meter): Work {
  return ({ batch }) => {
    for (const message of batch.messages) {
      const payment = JSON.parse((message.value as Buffer).toString()) as Payment
      if (kept(payment)) meter.sum += 1
    }
    meter.done(batch.messages.length)
  }
}

function chainByKey({ concurrency = 1, tail = false }: SideSpec, meter: Meter): Work {
  const slots = semaphore(concurrency)
  return async ({ batch, heartbeat }) => {
    const chains = new Map<string, Promise<void>>()
    for (const message of batch.messages) {
      const key = (message.key as Buffer).toString()
      const one = async (): Promise<void> => {
        await slots.take()
        await call(batch.partition, Number(message.offset), tail)
        slots.give()
        meter.done()
      }
      chains.set(key, (chains.get(key) ?? Promise.resolve()).then(one))
    }
    await Promise.all(chains.values())
    await heartbeat()
  }
}

/** Large values, as many calls at once as allowed; each call looks at its value after its time. */
function callAll({ concurrency = 1 }: SideSpec, meter: Meter): Work {
  const slots = semaphore(concurrency)
  return async ({ batch, heartbeat }) => {
    await Promise.all(
      batch.messages.map(async (message) => {
        await slots.take()
        await call(batch.partition, Number(message.offset), false)
        meter.sum += touch(message.value as Buffer)
        slots.give()
        meter.done()
      }),
    )
    await heartbeat()
  }
}

export function semaphore(permits: number): { take(): Promise<void> | undefined; give(): void } {
  const waiting: (() => void)[] = []
  let first = 0
  let free = permits
  return {
    take() {
      if (free > 0) {
        free -= 1
        return undefined
      }
      return new Promise((resolve) => waiting.push(resolve))
    },
    give() {
      if (first === waiting.length) {
        free += 1
        return
      }
      const next = waiting[first] as () => void
      first += 1
      if (first > MOST_TAKEN) {
        waiting.splice(0, first)
        first = 0
      }
      next()
    },
  }
}
