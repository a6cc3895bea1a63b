/**
 * The way of records into the log: drafted, put into partitions, encoded, then written in one step, which also applies
 * the topic's retention now and then. `log.append` and the sink call it. Invariant: offsets are given out inside the
 * write transaction, so appenders in several processes never collide, and one append is stored wholly or not at all.
 */
import { reject } from '../../model/errors.ts'
import type { RecordHeaders } from '../../model/record.ts'
import { formatBytes, MIB } from '../../model/units.ts'
import { BATCH_RECORDS, type Draft, type EncodedBatch, encodeBatches, textBytes } from './encode.ts'
import { encodeHeaders } from './headers.ts'
import { partitionOf } from './partitioner.ts'
import { trimOnce } from './retention.ts'
import type { Shared } from './shared.ts'
import { giveBackSlab } from './slabs.ts'
import type { Partition, Topic } from './topics.ts'

/** A larger record is refused; dead letters are not, because refusing one would stall its pipeline. */
export const MAX_RECORD_BYTES = 64 * MIB
/** Retention is looked at after so many bytes, or so many milliseconds, of appends to a topic by this process. */
const RETAIN_EVERY_BYTES = 4 * MIB
const RETAIN_EVERY_MS = 1_000

export interface Appended {
  readonly partition: number
  readonly firstOffset: number
  readonly count: number
}

interface Run {
  readonly partition: Partition
  readonly batches: readonly EncodedBatch[]
  readonly count: number
  readonly bytes: number
}

interface Pace {
  /** Which partition records without a key go to next. */
  turn: number
  bytesSince: number
  retainedAtMs: number
}

const paces = new WeakMap<Topic, Pace>()

/** Throws `HG_RECORD_REJECTED` for a record that no log could take. */
export function draft(
  key: string | null,
  value: Uint8Array | string,
  headers: RecordHeaders | null,
  timestampMs: number,
  partition: number | null,
  maxBytes: number,
): Draft {
  if (key !== null && typeof key !== 'string') throw reject(`a key must be a string or null, got ${typeof key}`)
  if (!Number.isFinite(timestampMs)) throw reject(`timestampMs must be a finite number, got ${timestampMs}`)
  const head = headers === null ? null : encodeHeaders(headers)
  const valueBytes = typeof value === 'string' ? textBytes(value) : value.length
  const bytes = (key === null ? 0 : textBytes(key)) + (head?.length ?? 0) + valueBytes
  if (bytes <= maxBytes) return { key, value, headers: head, timestampMs, partition, bytes }
  throw reject(`a record may have ${formatBytes(maxBytes)} at most, this one has ${formatBytes(bytes)}`)
}

/** Appends to `topic` and resolves when it is durable. `signal` takes back what has not begun to be written. */
export async function append(
  shared: Shared,
  topic: Topic,
  drafts: readonly Draft[],
  signal?: AbortSignal,
): Promise<Appended[]> {
  if (drafts.length === 0) return []
  const pace = paces.get(topic) ?? { turn: 0, bytesSince: 0, retainedAtMs: 0 }
  paces.set(topic, pace)
  const runs = encodeRuns(topic, drafts, pace)
  const bytes = runs.reduce((sum, run) => sum + run.bytes, 0)
  try {
    const appended = await shared.store.writer.write(() => put(shared, topic, runs, pace), bytes, signal)
    shared.store.appended(topic.name)
    return appended
  } finally {
    for (const { batches } of runs) for (const { slab } of batches) giveBackSlab(slab)
  }
}

function encodeRuns(topic: Topic, drafts: readonly Draft[], pace: Pace): Run[] {
  const count = topic.partitions.length
  const runs: (Draft[] | undefined)[] = []
  let withoutKey = 0
  for (const draft of drafts) {
    let index = draft.partition
    if (index === null) {
      if (draft.key !== null) index = partitionOf(draft.key, count)
      else {
        index = pace.turn % count
        withoutKey += 1
        if (withoutKey % BATCH_RECORDS === 0) pace.turn += 1
      }
    }
    const run = runs[index]
    if (run) run.push(draft)
    else runs[index] = [draft]
  }
  if (withoutKey > 0) pace.turn += 1
  return runs.flatMap((each, index): Run[] => {
    if (!each) return []
    const batches = encodeBatches(each)
    const bytes = batches.reduce((sum, batch) => sum + batch.bytes.length, 0)
    return [{ partition: topic.partitions[index] as Partition, batches, count: each.length, bytes }]
  })
}

/** The write step. */
function put({ store, topics }: Shared, topic: Topic, runs: readonly Run[], pace: Pace): Appended[] {
  const appended: Appended[] = []
  for (const { partition, batches, count, bytes } of runs) {
    const mark = topics.mark(partition)
    let nextOffset = mark.nextOffset
    for (const batch of batches) {
      partition.batches.putSync(nextOffset, batch.bytes)
      nextOffset += batch.count
      store.writer.point('put')
    }
    topics.setMark(partition, { firstOffset: mark.firstOffset, nextOffset, bytes: mark.bytes + bytes })
    store.writer.point('put')
    appended.push({ partition: partition.index, firstOffset: mark.nextOffset, count })
    pace.bytesSince += bytes
  }
  retain({ store, topics }, topic, pace)
  return appended
}

function retain({ topics }: Pick<Shared, 'store' | 'topics'>, topic: Topic, pace: Pace): void {
  const now = Date.now()
  const sinceMs = Math.abs(now - pace.retainedAtMs)
  if (pace.bytesSince < RETAIN_EVERY_BYTES && sinceMs < RETAIN_EVERY_MS) return
  pace.bytesSince = 0
  pace.retainedAtMs = now
  const { bytes, ageMs } = topics.retentionOf(topic.name)
  if (bytes === undefined && ageMs === undefined) return
  trimOnce(topics, topic.partitions, { bytes, beforeMs: ageMs === undefined ? undefined : now - ageMs })
}
