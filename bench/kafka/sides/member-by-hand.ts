/**
 * A member of a group as it is written by hand on KafkaJS, to be joined by others: chains of promises by key like the
 * keyed side's, and signs of life while a batch runs. When one of them says that the group changes, what has not begun
 * is given up, as KafkaJS asks for: the batch is read again by whoever has the partition then. Writes and ends as
 * `member.ts` does.
 */
import { openSync, writeSync } from 'node:fs'
import { Kafka, logLevel } from 'kafkajs'
import { semaphore } from './kafkajs.ts'
import { nowMs, SHORT_SESSION_MS } from './member.ts'
import { call, type SideSpec } from './spec.ts'

const PARTITIONS_AT_ONCE = 8
const COMMIT_EVERY_MS = 1_000
const BEAT_EVERY_MS = 500

export async function memberByHand(spec: SideSpec): Promise<never> {
  const log = openSync(spec.log as string, 'a')
  const slots = semaphore(spec.concurrency ?? 1)
  const kafka = new Kafka({ clientId: 'bench', brokers: [spec.broker], logLevel: logLevel.NOTHING })
  const consumer = kafka.consumer({
    ...{ groupId: spec.group, sessionTimeout: SHORT_SESSION_MS, heartbeatInterval: BEAT_EVERY_MS },
    ...(spec.partitionBytes === undefined ? {} : { maxBytesPerPartition: spec.partitionBytes }),
  })
  await consumer.connect()
  await consumer.subscribe({ topics: [spec.topic], fromBeginning: true })
  // Only one of the batches that run side by side hears that the group changes; all have to end for it.
  let failure: unknown = null
  consumer.on(consumer.events.GROUP_JOIN, () => (failure = null))
  const ended = new Promise<void>((resolve) => process.once('SIGTERM', resolve))
  await consumer.run({
    partitionsConsumedConcurrently: PARTITIONS_AT_ONCE,
    autoCommitInterval: COMMIT_EVERY_MS,
    eachBatch: async ({ batch, heartbeat, isRunning, isStale }) => {
      const live = (): void => {
        heartbeat().catch((error: unknown) => (failure ??= error))
      }
      const beat = setInterval(live, BEAT_EVERY_MS)
      const chains = new Map<string, Promise<void>>()
      for (const message of batch.messages) {
        const key = (message.key as Buffer).toString()
        const one = async (): Promise<void> => {
          await slots.take()
          if (failure === null && isRunning() && !isStale()) {
            const startedMs = nowMs()
            await call(batch.partition, Number(message.offset), false)
            writeSync(log, `${batch.partition} ${message.offset} ${key} ${startedMs} ${nowMs()}\n`)
          }
          slots.give()
        }
        chains.set(key, (chains.get(key) ?? Promise.resolve()).then(one))
      }
      await Promise.all(chains.values())
      clearInterval(beat)
      if (failure !== null) throw failure
      if (!isRunning()) throw new Error('stopped in the middle of a batch')
    },
  })
  await ended
  await consumer.disconnect()
  process.exit(0)
}
