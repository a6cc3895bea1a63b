/**
 * What the commands need of a broker that keeps dead letters, and the run through all of them. `open-store.ts` opens
 * one for a command, `log-store.ts` and `kafka-store.ts` are the two there are.
 */
import type { RecordHeaders } from '../../model/record.ts'
import { type FilterOptions, matches } from './filter.ts'
import type { Letter } from './letter.ts'

/** A record that goes back to where it failed. */
export interface Replay {
  readonly key: string | Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
}

export interface StoredLetter {
  readonly letter: Letter
  /** By which partitions are merged, epoch milliseconds. */
  readonly timestampMs: number
}

export interface Chunk {
  readonly letters: readonly StoredLetter[]
  /** Where to read on; the end of the partition when nothing is left. */
  readonly nextOffset: number
}

export interface Range {
  readonly partition: number
  readonly firstOffset: number
  /** Where the partition ended when the command began: what comes later is left alone. */
  readonly endOffset: number
}

export interface DeadLetterStore {
  readonly topic: string
  /** Throws a `CliFailure` that names the topics there are when there is no such topic. */
  ranges(): Promise<readonly Range[]>
  read(partition: number, fromOffset: number): Promise<Chunk>
  /** Throws a `CliFailure` when records cannot be sent to this topic, before any is. */
  checkTarget(topic: string): Promise<void>
  /** Resolves when all are stored; records of one key keep their order. */
  send(topic: string, replays: readonly Replay[]): Promise<void>
  close(): Promise<void>
}

interface Cursor {
  readonly range: Range
  offset: number
  chunk: readonly StoredLetter[]
  at: number
}

/**
 * The letters that the filter lets through, the oldest first as far as partitions tell; within a partition never out of
 * order. Memory holds one chunk a partition.
 */
export async function* letters(store: DeadLetterStore, filter: FilterOptions): AsyncGenerator<Letter> {
  const cursors: Cursor[] = (await store.ranges()).map((range) => ({
    ...{ range, offset: range.firstOffset, chunk: [], at: 0 },
  }))
  let left = filter.limit ?? Number.POSITIVE_INFINITY
  while (left > 0) {
    let oldest: Cursor | null = null
    for (const cursor of cursors) {
      await fill(store, cursor)
      const stored = cursor.chunk[cursor.at]
      if (stored === undefined) continue
      const before = oldest?.chunk[oldest.at]?.timestampMs ?? Number.POSITIVE_INFINITY
      if (stored.timestampMs < before || oldest === null) oldest = cursor
    }
    if (oldest === null) return
    const { letter } = oldest.chunk[oldest.at] as StoredLetter
    oldest.at += 1
    if (!matches(letter, filter)) continue
    left -= 1
    yield letter
  }
}

async function fill(store: DeadLetterStore, cursor: Cursor): Promise<void> {
  const { partition, endOffset } = cursor.range
  while (cursor.at === cursor.chunk.length && cursor.offset < endOffset) {
    const { letters: chunk, nextOffset } = await store.read(partition, cursor.offset)
    cursor.chunk = chunk.filter(({ letter }) => offsetOf(letter) < endOffset)
    cursor.at = 0
    // What was trimmed away meanwhile is not there to be read.
    cursor.offset = nextOffset > cursor.offset ? nextOffset : endOffset
  }
}

function offsetOf({ place }: Letter): number {
  return Number(place.slice(place.lastIndexOf('@') + 1))
}
