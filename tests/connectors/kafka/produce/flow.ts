/**
 * A pipeline whose whole output is known from its input: some numbers are left out, some give two results, some are
 * refused and become dead letters. The tests of exactly-once run it in processes, kill it, and compare.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { readDeadLetter } from '../../../../src/connectors/kafka/dead-letter.ts'
import { kafka } from '../../../../src/connectors/kafka/index.ts'
import { TopicReader } from '../../../../src/connectors/kafka/topic-reader.ts'
import type { KafkaConnectionOptions } from '../../../../src/connectors/kafka/wire/options.ts'
import { deadLetter, type Pipeline, pipeline, reject } from '../../../../src/index.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import type { Client } from '../client.ts'

export interface ExactlyOnceOptions {
  readonly brokers: readonly string[]
  readonly input: string
  readonly output: string
  readonly dead: string
  readonly group: string
  readonly groupProtocol?: 'classic' | 'consumer'
  readonly id?: string
  readonly timeoutMs?: number
  readonly intervalMs?: number
  readonly requestTimeoutMs?: number
  readonly slowestCallMs?: number
  /** How the brokers are spoken to. */
  readonly secure?: Pick<KafkaConnectionOptions, 'tls' | 'sasl'>
}

/** What becomes of a number: its results; null for a dead letter. */
export function resultsOf(number: number): readonly string[] | null {
  if (number % 7 === 0) return []
  if (number % 13 === 0) return null
  return number % 5 === 0 ? [`${number}a`, `${number}b`] : [String(number)]
}

export function exactlyOnce(options: ExactlyOnceOptions): Pipeline {
  const { brokers, input, output, dead, group, id, timeoutMs = 20_000, intervalMs = 100 } = options
  const { slowestCallMs = 10, groupProtocol = 'classic', requestTimeoutMs = 10_000 } = options
  const connection = { brokers, requestTimeoutMs, ...options.secure }
  const classic = groupProtocol === 'classic' ? { sessionTimeoutMs: 1_500, heartbeatIntervalMs: 300 } : {}
  return pipeline('exactly-once', {
    delivery: 'exactly-once',
    transaction: { intervalMs, timeoutMs, ...(id === undefined ? {} : { id }) },
    admission: { records: 400 },
    onFailure: deadLetter(kafka.sink({ ...connection, topic: dead })),
  })
    .from(
      kafka.source<number>({
        ...{ ...connection, ...classic, group, groupProtocol, topics: input },
        decode: (raw) => Number(Buffer.from(raw as Uint8Array).toString()),
      }),
    )
    .filter((number) => number % 7 !== 0)
    .call(
      'work',
      async (number) => {
        await sleep(Math.random() * slowestCallMs)
        const results = resultsOf(number)
        if (results === null) throw reject(`${number} cannot be\r\nworked on`)
        return results
      },
      { concurrency: 20, order: 'key' },
    )
    .flatMap(function* each(results) {
      yield* results
    })
    .to(kafka.sink<string>({ ...connection, topic: output, batchBytes: 2_000 }))
}

/** Appends the numbers from `from` (0) up to `count`, with keys, over the partitions in turn. */
export async function fill(client: Client, topic: string, partitions: number, count: number, from = 0): Promise<void> {
  for (let partition = 0; partition < partitions; partition += 1) {
    const numbers = Array.from({ length: count - from }, (_, at) => from + at).filter(
      (number) => number % partitions === partition,
    )
    await client.append(
      topic,
      partition,
      numbers.map((number) => ({ key: `key-${number % 40}`, value: String(number) })),
      40,
    )
  }
}

/** Values of all records that a reader of committed ones finds: sorted, and by partition as they are stored. */
export async function read(
  brokers: readonly string[],
  client: Client,
  topic: string,
): Promise<{ values: string[]; inOrder: string[]; letters: string[] }> {
  const { options } = client.cluster
  const reader = await TopicReader.open(
    { ...options, brokers: [...brokers] },
    topic,
    SILENT_LOGGER,
    new AbortController().signal,
  )
  const values: string[] = []
  const letters: string[] = []
  try {
    for (const { partition, firstOffset, endOffset } of await reader.ranges()) {
      for (let at = firstOffset; at < endOffset; ) {
        const { records, nextOffset } = await reader.read(partition, at)
        for (const record of records) {
          values.push(Buffer.from(record.value ?? []).toString())
          const letter = readDeadLetter(record)
          if (letter !== null)
            letters.push(`${letter.origin?.partition}@${letter.origin?.offset} ${letter.reason.message}`)
        }
        at = nextOffset
      }
    }
  } finally {
    reader.close()
  }
  return { values: [...values].sort(), inOrder: values, letters: letters.sort() }
}

/** What must be found in the output and among the dead letters. */
export function expected(count: number): { values: string[]; dead: string[] } {
  const numbers = Array.from({ length: count }, (_, number) => number)
  return {
    values: numbers.flatMap((number) => resultsOf(number) ?? []).sort(),
    dead: numbers
      .filter((number) => resultsOf(number) === null)
      .map(String)
      .sort(),
  }
}
