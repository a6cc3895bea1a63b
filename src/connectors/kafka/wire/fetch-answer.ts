/**
 * Reads the answer to a fetch as it arrives: the record batches of each partition go into a buffer of their own as the
 * broker stored them, and nothing else of the answer stays in memory. The adapter gives it to the connection. Layout:
 * the message format of Apache Kafka, Fetch 12–17. Invariant: nothing is read beyond the frame, whatever it says.
 */
import { readInt64 } from '../batch/integers.ts'
import type { Calls, FetchedPartition } from './calls.ts'
import { type Frame, owned, piece, type Reading, tagged, unsignedVarint } from './pieces.ts'

/** From this version on topics are named by their id. */
const FIRST_WITH_IDS = 13
/** The tag of what a broker says where the logs have parted (KIP-595). */
const DIVERGING_EPOCH = 0
/** The throttle time i32, error code i16, session i32. */
const HEAD_BYTES = 10
/** Index i32, error code i16, high watermark, last stable offset and log start offset i64. */
const PARTITION_HEAD_BYTES = 30
/** Producer id and first offset i64. */
const ABORTED_BYTES = 16

export function* readFetch(frame: Frame, version: number): Reading<ReturnType<Calls['fetch']>> {
  const errorCode = (yield* piece(frame, HEAD_BYTES)).readInt16BE(4)
  const partitions: FetchedPartition[] = []
  for (let topics = yield* count(frame); topics > 0; topics -= 1) {
    const topic = version < FIRST_WITH_IDS ? yield* text(frame) : yield* uuid(frame)
    for (let left = yield* count(frame); left > 0; left -= 1) partitions.push(yield* readPartition(frame, topic))
    yield* tagged(frame)
  }
  yield* tagged(frame)
  return { errorCode, partitions }
}

function* readPartition(frame: Frame, topic: string): Reading<FetchedPartition> {
  const head = yield* piece(frame, PARTITION_HEAD_BYTES)
  const known = {
    topic,
    partitionIndex: head.readInt32BE(0),
    errorCode: head.readInt16BE(4),
    highWatermark: readInt64(head, 6),
    lastStableOffset: readInt64(head, 14),
    logStartOffset: readInt64(head, 22),
  }
  const abortedTransactions: FetchedPartition['abortedTransactions'][number][] = []
  for (let left = yield* count(frame); left > 0; left -= 1) {
    const entry = yield* piece(frame, ABORTED_BYTES)
    abortedTransactions.push({ producerId: entry.readBigInt64BE(0), firstOffset: entry.readBigInt64BE(8) })
    yield* tagged(frame)
  }
  const preferredReadReplica = (yield* piece(frame, 4)).readInt32BE(0)
  const bytes = yield* count(frame)
  const records = bytes === 0 ? null : yield* owned(frame, bytes)
  let diverging: FetchedPartition['diverging'] = null
  yield* tagged(frame, function* (tag, field) {
    if (tag !== DIVERGING_EPOCH) return
    const where = yield* piece(field, 12)
    diverging = { epoch: where.readInt32BE(0), endOffset: readInt64(where, 4) }
  })
  return { ...known, abortedTransactions, preferredReadReplica, records, diverging }
}

/** How many entries or bytes follow; none where there is no list. */
function* count(frame: Frame): Reading<number> {
  return Math.max(0, (yield* unsignedVarint(frame)) - 1)
}

function* text(frame: Frame): Reading<string> {
  return (yield* piece(frame, yield* count(frame))).toString()
}

function* uuid(frame: Frame): Reading<string> {
  const hex = (yield* piece(frame, 16)).toString('hex')
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}
