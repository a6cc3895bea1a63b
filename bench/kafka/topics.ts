/**
 * The topics that the sides consume, filled once before anything is measured: payments of exactly 100 or 1,000 bytes,
 * the same with keys, and values of 1 MiB. Everything is made from the record's number, so that every run sees the
 * same records. Called by `bench/kafka.ts` with what the chosen scenarios need.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { type Admin, Kafka, logLevel, type Producer } from 'kafkajs'

export interface Topic {
  readonly name: string
  readonly records: number
  readonly bytes: number
  readonly key: (index: number) => string | null
}

export const PARTITIONS = 8
const MIB = 1024 * 1024
const BATCH_BYTES = 1_000_000
/** As a producer under load makes them: large enough to be cheap, small enough that partitions take turns. */
const BATCH_RECORDS = 500
const READY_ATTEMPTS = 20
const READY_AFTER_MS = 250
const ZIPF_KEYS = 2_000
/**
 * Of the keyed rows. Calls of a key follow one another, so the busiest key bounds every consumer, whatever its
 * concurrency: with the usual exponent of 1 it has 12 % of the records, and at 6 ms a call nobody does more than 1,400
 * records/s, by hand or otherwise. What is asked of a thousand calls at once needs a busiest key below .3 %; with .2 it
 * has .18 %. The usual exponent has a row of its own, against that bound.
 */
const ZIPF_EXPONENT = 0.2
const USUAL_EXPONENT = 1
const MANY_KEYS = 1_000_000

function payment(index: number, bytes: number): Buffer {
  const text = `{"id":${index},"amount":${draw(index) % 1_000},"currency":"EUR","note":"`
  return Buffer.from(`${text}${'n'.repeat(bytes - text.length - 2)}"}`)
}

/** 32 bits that look random and are always the same for an index. */
function draw(index: number): number {
  let hash = Math.imul(index + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  return (hash ^ (hash >>> 13)) >>> 0
}

/** Draws ranks by Zipf's law: rank r with a weight of 1 / r^exponent. */
function zipf(exponent: number): (index: number) => string {
  const cumulative = new Float64Array(ZIPF_KEYS)
  let sum = 0
  for (let rank = 0; rank < ZIPF_KEYS; rank += 1) cumulative[rank] = sum += 1 / (rank + 1) ** exponent
  return (index) => {
    const wanted = (draw(index) / 2 ** 32) * sum
    let low = 0
    let high = ZIPF_KEYS - 1
    while (low < high) {
      const middle = (low + high) >> 1
      if ((cumulative[middle] as number) < wanted) low = middle + 1
      else high = middle
    }
    return `key-${low}`
  }
}

const none = (): null => null
const many = (index: number): string => `key-${draw(index) % MANY_KEYS}`

/** `scale` < 1 makes them smaller, for a smoke run. */
export function topics(scale: number): Readonly<Record<string, Topic>> {
  const topic = (name: string, wanted: number, bytes: number, key: Topic['key']): Topic => {
    const records = Math.ceil(wanted * scale)
    return { name: `bench-${name}-${records}`, records, bytes, key }
  }
  return {
    // Enough to take seconds: what is compared is the pace of consumers that run for days, and not how they start.
    small: topic('100b', 4_000_000, 100, none),
    kilobyte: topic('1kb', 2_000_000, 1_000, none),
    // For work that takes longer.
    fewer: topic('100b-fewer', 1_000_000, 100, none),
    zipf: topic('zipf', 200_000, 100, zipf(ZIPF_EXPONENT)),
    hotKey: topic('hot-key', 10_000, 100, zipf(USUAL_EXPONENT)),
    many: topic('many-keys', 200_000, 100, many),
    tail: topic('tail', 40_000, 100, many),
    longTail: topic('long-tail', 400_000, 100, many),
    large: topic('1mib', 1_024, MIB, none),
    // Written to, by this run of the bench alone.
    copies: topic(`copies-${process.pid}`, 0, 0, none),
  }
}

export async function fill(broker: string, wanted: readonly Topic[], say: (text: string) => void): Promise<void> {
  const kafka = new Kafka({ clientId: 'bench-fill', brokers: [broker], logLevel: logLevel.NOTHING })
  const admin = kafka.admin()
  const producer = kafka.producer({ allowAutoTopicCreation: false })
  await Promise.all([admin.connect(), producer.connect()])
  try {
    for (const topic of wanted) await fillOne(admin, producer, topic, say)
  } finally {
    await Promise.all([admin.disconnect(), producer.disconnect()])
  }
}

async function fillOne(admin: Admin, producer: Producer, topic: Topic, say: (text: string) => void): Promise<void> {
  await createTopic(admin, topic.name)
  const there = await onceReady(() => recordsIn(admin, topic.name))
  if (there === topic.records) return
  if (there > 0) throw new Error(`${topic.name} has ${there} records instead of ${topic.records}: use a fresh broker`)
  const startedMs = performance.now()
  const records = Math.max(1, Math.min(BATCH_RECORDS, Math.floor(BATCH_BYTES / topic.bytes)))
  for (let first = 0; first < topic.records; first += records * PARTITIONS) {
    const messages: { partition: number; key: string | null; value: Buffer }[] = []
    for (let index = first; index < Math.min(first + records * PARTITIONS, topic.records); index += 1) {
      const key = topic.key(index)
      messages.push({ partition: partitionOf(key, index), key, value: payment(index, topic.bytes) })
    }
    await producer.send({ topic: topic.name, acks: 1, messages })
  }
  const seconds = (performance.now() - startedMs) / 1000
  say(`filled ${topic.name} with ${topic.records} records in ${seconds.toFixed(1)} s`)
}

/** What part of a topic's records its busiest key has. */
export function busiestShare({ records, key }: Topic): number {
  const counts = new Map<string | null, number>()
  for (let index = 0; index < records; index += 1) counts.set(key(index), (counts.get(key(index)) ?? 0) + 1)
  return Math.max(...counts.values()) / records
}

/** All records of a key in one partition. */
function partitionOf(key: string | null, index: number): number {
  return (key === null ? index : Number(key.slice('key-'.length))) % PARTITIONS
}

/** A topic that was just created has no leader at first. */
async function onceReady<T>(ask: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await ask()
    } catch (error) {
      if (attempt === READY_ATTEMPTS) throw error
      await delay(READY_AFTER_MS)
    }
  }
}

export async function createTopic(admin: Admin, name: string): Promise<void> {
  const configEntries = [
    { name: 'max.message.bytes', value: String(8 * MIB) },
    { name: 'retention.ms', value: '-1' },
  ]
  await admin.createTopics({
    topics: [{ topic: name, numPartitions: PARTITIONS, replicationFactor: 1, configEntries }],
  })
}

export async function recordsIn(admin: Admin, topic: string): Promise<number> {
  const offsets = await admin.fetchTopicOffsets(topic)
  return offsets.reduce((sum, { low, high }) => sum + Number(high) - Number(low), 0)
}
