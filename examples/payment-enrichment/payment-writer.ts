/**
 * Where the generator's payments go: the embedded log or Kafka, in the same topics with the same keys. Both make the
 * topics that are not there yet.
 */
import type { Logger, RecordInfo, SinkBatch } from 'headgate'
import { kafka } from 'headgate/kafka'
import { openLog } from 'headgate/log'
import { Kafka, logLevel } from 'kafkajs'
import type { Payment } from './payment.ts'

const TOPICS = ['payments', 'enriched', 'payments.dead']
const PARTITIONS = 8

export interface PaymentWriter {
  /** Resolves when all of them are stored; each is stamped with the time at which it was created. */
  write(payments: readonly Payment[]): Promise<void>
  close(): Promise<void>
}

export async function openLogWriter(path: string): Promise<PaymentWriter> {
  const log = await openLog(path)
  for (const topic of TOPICS) await log.createTopic(topic, { partitions: PARTITIONS })
  return {
    async write(payments) {
      const entries = payments.map((value) => ({ key: value.accountId, value, timestampMs: createdAtMs(value) }))
      await log.append('payments', entries)
    },
    close: () => log.close(),
  }
}

export async function openKafkaWriter(brokers: readonly string[]): Promise<PaymentWriter> {
  await createTopics(brokers)
  // A sink can be used without a pipeline: it takes values, and the records that they came from, of which there are none.
  const sink = kafka.sink<Payment>({
    brokers,
    topic: 'payments',
    key: ({ accountId }) => accountId,
    timestampMs: createdAtMs,
  })
  const { signal } = new AbortController()
  await sink.open({ log: TO_STDERR }, signal)
  return {
    async write(payments) {
      const batch: SinkBatch<Payment> = { values: payments, origins: payments.map(() => NO_ORIGIN) }
      const result = await sink.write(batch, signal)
      if (result === 'written') return
      const failed = result.find((outcome) => outcome.kind !== 'written')
      if (failed) throw new Error('Kafka did not take a payment', { cause: failed.error })
    },
    close: () => sink.close(signal),
  }
}

function createdAtMs({ createdAt }: Payment): number {
  return Date.parse(createdAt)
}

/** Topics that are there stay as they are. */
async function createTopics(brokers: readonly string[]): Promise<void> {
  const admin = new Kafka({ clientId: 'payments', brokers: [...brokers], logLevel: logLevel.ERROR }).admin()
  await admin.connect()
  try {
    await admin.createTopics({ topics: TOPICS.map((topic) => ({ topic, numPartitions: PARTITIONS })) })
  } finally {
    await admin.disconnect()
  }
}

const NO_ORIGIN: RecordInfo = { key: null, partition: '', offset: 0, timestampMs: 0, headers: {}, bytes: 0 }

const say = (_: object, text: string): void => void process.stderr.write(`${text}\n`)
const TO_STDERR: Logger = { debug() {}, info() {}, warn: say, error: say }
