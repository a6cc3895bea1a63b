/** Dead letters in the embedded log. Replays are appended as the log's own records, so that the keys choose partitions. */
import type { Log } from '../../connectors/log/index.ts'
import { CliFailure } from '../failure.ts'
import { chosenPartitions } from '../log/open.ts'
import { letterOfLog } from './log-letter.ts'
import type { Chunk, DeadLetterStore, Range, Replay } from './store.ts'

const CHUNK_RECORDS = 500

export class LogStore implements DeadLetterStore {
  readonly topic: string
  readonly #log: Log

  constructor(log: Log, topic: string) {
    this.#log = log
    this.topic = topic
  }

  async ranges(): Promise<Range[]> {
    return chosenPartitions(this.#log, this.topic, undefined).map((partition) => {
      const { firstOffset, nextOffset } = this.#log.bounds(this.topic, partition)
      return { partition, firstOffset, endOffset: nextOffset }
    })
  }

  async read(partition: number, fromOffset: number): Promise<Chunk> {
    const { records, nextOffset } = this.#log.read(this.topic, partition, fromOffset, { maxRecords: CHUNK_RECORDS })
    const letters = records.map((record) => ({ letter: letterOfLog(record), timestampMs: record.timestampMs }))
    return { letters, nextOffset }
  }

  async checkTarget(topic: string): Promise<void> {
    const names = this.#log.topics().map(({ name }) => name)
    if (names.includes(topic)) return
    throw new CliFailure(`the log has no topic '${topic}' to replay to`, {
      advice: `It has: ${names.join(', ')}. Name one of them with --to.`,
    })
  }

  async send(topic: string, replays: readonly Replay[]): Promise<void> {
    await this.#log.append(
      topic,
      replays.map(({ key, value, headers }) => ({
        key: key instanceof Uint8Array ? Buffer.from(key).toString() : key,
        value: value ?? new Uint8Array(0),
        headers,
      })),
    )
  }

  close(): Promise<void> {
    return this.#log.close()
  }
}
