/**
 * Reads several partitions of a topic as one run of records, the oldest first. `log tail` prints from it. Invariant:
 * records of one partition are never reordered, whatever their timestamps say, and each is returned once.
 */
import type { Log, LogRecord } from '../../connectors/log/index.ts'

const CHUNK_RECORDS = 500

interface Cursor {
  readonly partition: number
  /** Where the next chunk begins. */
  offset: number
  chunk: readonly LogRecord[]
  /** Next record in the chunk. */
  at: number
}

export class MergedReader {
  readonly #log: Log
  readonly #topic: string
  readonly #cursors: readonly Cursor[]

  constructor(log: Log, topic: string, places: ReadonlyMap<number, number>) {
    this.#log = log
    this.#topic = topic
    this.#cursors = [...places].map(([partition, offset]) => ({ partition, offset, chunk: [], at: 0 }))
  }

  /** What is there now, at most `most` records; empty at the end of the topic. */
  next(most: number): LogRecord[] {
    const records: LogRecord[] = []
    while (records.length < most) {
      const oldest = this.#oldest()
      if (!oldest) break
      records.push(oldest.chunk[oldest.at] as LogRecord)
      oldest.at += 1
    }
    return records
  }

  #oldest(): Cursor | null {
    let oldest: Cursor | null = null
    let oldestMs = Number.POSITIVE_INFINITY
    for (const cursor of this.#cursors) {
      const record = this.#peek(cursor)
      if (!record || (oldest && record.timestampMs >= oldestMs)) continue
      oldest = cursor
      oldestMs = record.timestampMs
    }
    return oldest
  }

  #peek(cursor: Cursor): LogRecord | undefined {
    if (cursor.at === cursor.chunk.length) {
      const { records, nextOffset } = this.#log.read(this.#topic, cursor.partition, cursor.offset, {
        maxRecords: CHUNK_RECORDS,
      })
      cursor.chunk = records
      cursor.offset = nextOffset
      cursor.at = 0
    }
    return cursor.chunk[cursor.at]
  }
}
