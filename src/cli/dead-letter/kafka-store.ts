/**
 * Dead letters in a topic of Kafka. They are read without a group, so that nothing is committed and no consumer is
 * disturbed; replays are written by the sink that pipelines use, with the bytes that the records had.
 */
import { readFileSync } from 'node:fs'
import {
  type KafkaConnectionOptions,
  readDeadLetter,
  type StoredDeadLetter,
  sink,
} from '../../connectors/kafka/index.ts'
import { type ReadRecord, TopicReader } from '../../connectors/kafka/topic-reader.ts'
import { connectionSchema } from '../../connectors/kafka/wire/options.ts'
import type { Sink, SinkBatch, WriteResult } from '../../model/connector.ts'
import { describe, HeadgateError } from '../../model/errors.ts'
import { type Logger, SILENT_LOGGER } from '../../model/logger.ts'
import { NO_HEADERS, type RecordInfo } from '../../model/record.ts'
import { checked } from '../../model/schema-check.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import type { Letter, Payload } from './letter.ts'
import type { Chunk, DeadLetterStore, Range, Replay } from './store.ts'

interface Addressed extends Replay {
  readonly topic: string
}

/** A second look shows what a warning said; the command's own words do the rest. */
const WARNINGS: Logger = { ...SILENT_LOGGER, warn: (_, text) => OUTPUT.say(`warning: ${text}`) }

/** Keys, headers and values come with each record: what it came from has no part in it. */
const NO_ORIGIN: RecordInfo = { key: null, partition: '', offset: 0, timestampMs: 0, headers: NO_HEADERS, bytes: 0 }

export async function openKafkaStore(
  brokers: readonly string[],
  topic: string,
  optionsFile: string | undefined,
): Promise<KafkaStore> {
  const given = { ...(optionsFile === undefined ? {} : optionsIn(optionsFile)), brokers }
  const connecting = checked(optionsFile ?? '--kafka', connectionSchema, given)
  const reader = await TopicReader.open(connecting, topic, WARNINGS, new AbortController().signal)
  return new KafkaStore(reader, topic, given)
}

function optionsIn(file: string): object {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as object
  } catch (error) {
    throw new CliFailure(`${file} cannot be read as JSON: ${describe(error)}`, {
      advice:
        'It holds connection options of kafka.source, for example {"tls": true, "sasl": {"mechanism": "PLAIN", …}}.',
      cause: error,
    })
  }
}

export class KafkaStore implements DeadLetterStore {
  readonly topic: string
  readonly #reader: TopicReader
  readonly #options: KafkaConnectionOptions
  #sink: Sink<Addressed> | null = null

  constructor(reader: TopicReader, topic: string, options: KafkaConnectionOptions) {
    this.#reader = reader
    this.topic = topic
    this.#options = options
  }

  ranges(): Promise<Range[]> {
    return this.#reader.ranges()
  }

  async read(partition: number, fromOffset: number): Promise<Chunk> {
    const { records, nextOffset } = await this.#reader.read(partition, fromOffset)
    const letters = records.map((record) => ({
      letter: letterOfKafka(record, `${this.topic}/${partition}@${record.offset}`),
      timestampMs: record.timestampMs,
    }))
    return { letters, nextOffset }
  }

  async checkTarget(topic: string): Promise<void> {
    try {
      await this.#reader.checkTopic(topic)
    } catch (error) {
      if (!(error instanceof HeadgateError) || error.code !== 'HG_OPTION_INVALID') throw error
      throw new CliFailure(`nothing can be replayed to '${topic}': ${error.message}`, {
        advice: 'Name a topic that is there with --to.',
        cause: error,
      })
    }
  }

  async send(topic: string, replays: readonly Replay[]): Promise<void> {
    const opened = this.#sink ?? (await this.#openSink())
    const values = replays.map((replay) => ({ ...replay, topic }))
    const batch: SinkBatch<Addressed> = { values, origins: values.map(() => NO_ORIGIN) }
    checkWritten(await opened.write(batch, new AbortController().signal), topic)
  }

  async close(): Promise<void> {
    await this.#sink?.close(new AbortController().signal)
    this.#reader.close()
  }

  async #openSink(): Promise<Sink<Addressed>> {
    const made = sink<Addressed>({
      ...this.#options,
      topic: ({ topic }) => topic,
      key: ({ key }) => key,
      encode: ({ value }) => value,
      headers: ({ headers }) => headers,
    })
    await made.open({ log: WARNINGS }, new AbortController().signal)
    this.#sink = made
    return made
  }
}

function checkWritten(result: WriteResult, topic: string): void {
  if (result === 'written') return
  const failed = result.flatMap((outcome) => (outcome.kind === 'written' ? [] : [outcome]))
  const first = failed[0]
  if (first === undefined) return
  throw new CliFailure(
    `${failed.length} of ${result.length} records were not stored in ${topic}: ${describe(first.error)}`,
    {
      exitCode: EXIT.failed,
      advice: 'The others of this write were; those before it as well.',
      cause: first.error,
    },
  )
}

export function letterOfKafka(record: ReadRecord, place: string): Letter {
  const read = readDeadLetter(record)
  const key = record.key === null ? null : Buffer.from(record.key).toString()
  if (read === null) {
    const shown = record.value === null ? '' : Buffer.from(record.value).toString()
    const why = 'it is not a dead letter of Headgate'
    return {
      ...{ place, key, stage: '', attempts: 0, failedAtMs: record.timestampMs, headers: record.headers, origin: null },
      reason: { code: 'unknown', message: 'not a dead letter of Headgate' },
      payload: { kind: 'lost', why, shown },
    }
  }
  const { reason, stage, attempts, failedAtMs, origin, headers } = read
  return { ...{ place, key, reason, stage, attempts, failedAtMs, origin, headers }, payload: payloadOf(read) }
}

function payloadOf({ key, value, encoding }: StoredDeadLetter): Payload {
  if (encoding === 'bytes') return { kind: 'bytes', value, key }
  const shown = value === null ? '' : Buffer.from(value).toString()
  return { kind: 'lost', why: 'its payload was not bytes when it failed, and only stands here as text', shown }
}
