/**
 * The two requests whose form is our own: a fetch keeps the record batches of each partition as one buffer instead of
 * decoding them, and produce takes batches that are encoded already. The adapter hands in the library's reader and
 * writer. Layouts: the message formats of Apache Kafka, Fetch 12–17 and Produce 9–11.
 */
import type { Calls, FetchedPartition, ProducedPartition } from './calls.ts'

/** What is used of the library's reader. */
export interface FrameReader {
  position: number
  readonly buffer: { slice(start: number, end: number): Buffer }
  readInt16(): number
  readInt32(): number
  readInt64(): bigint
  readUUID(): string
  readString(): string
  readNullableString(): string | null
  readUnsignedVarInt(): number
  /** `thenTagged`: false where the entry reads its tagged fields itself. */
  readArray<T>(entry: () => T, compact?: true, thenTagged?: boolean): T[]
  skip(bytes: number): unknown
}

/** What is used of the library's writer. */
export interface FrameWriter<W> {
  appendInt16(value: number): W
  appendInt32(value: number): W
  appendString(value: string | null): W
  appendUnsignedVarInt(value: number): W
  append(bytes: Buffer): W
  appendArray<T>(values: T[], entry: (writer: W, value: T) => void): W
  appendTaggedFields(): W
}

/** The tag of what a broker says where the logs have parted (KIP-595). */
const DIVERGING_EPOCH = 0

/** Memory that a buffer may pin beyond twice its own length before it is copied out of what it shares. */
const PINNED_BYTES = 64 * 1024

export function parseFetch(reader: FrameReader, version: number): ReturnType<Calls['fetch']> {
  reader.readInt32() // the throttle time
  const errorCode = reader.readInt16()
  reader.readInt32() // the session
  const partitions: FetchedPartition[] = []
  reader.readArray(() => {
    const topic = version < 13 ? reader.readString() : reader.readUUID()
    const entry = (): void => {
      const partition = {
        topic,
        partitionIndex: reader.readInt32(),
        errorCode: reader.readInt16(),
        highWatermark: Number(reader.readInt64()),
        lastStableOffset: Number(reader.readInt64()),
        logStartOffset: Number(reader.readInt64()),
        abortedTransactions: reader.readArray(() => ({
          producerId: reader.readInt64(),
          firstOffset: reader.readInt64(),
        })),
        preferredReadReplica: reader.readInt32(),
        records: readRecords(reader),
      }
      let diverging: FetchedPartition['diverging'] = null
      readTagged(reader, (tag) => {
        if (tag === DIVERGING_EPOCH) diverging = { epoch: reader.readInt32(), endOffset: Number(reader.readInt64()) }
      })
      partitions.push({ ...partition, diverging })
    }
    reader.readArray(entry, true, false)
  })
  return { errorCode, partitions }
}

/**
 * Fields that a broker adds where there is something to say: `read` gets each one's tag and may read it. The library
 * itself takes their number for their length, and is out of step behind the first one.
 */
function readTagged(reader: FrameReader, read: (tag: number) => void): void {
  for (let left = reader.readUnsignedVarInt(); left > 0; left -= 1) {
    const tag = reader.readUnsignedVarInt()
    const bytes = reader.readUnsignedVarInt()
    const end = reader.position + bytes
    read(tag)
    reader.position = end
  }
}

function readRecords(reader: FrameReader): Buffer | null {
  const length = reader.readUnsignedVarInt() - 1
  if (length <= 0) return null
  const shared = reader.buffer.slice(reader.position, reader.position + length)
  reader.skip(length)
  return shared.buffer.byteLength > length * 2 + PINNED_BYTES ? Buffer.from(shared) : shared
}

export function encodeProduce<W extends FrameWriter<W>>(
  writer: W,
  ...[transactionalId, acks, timeoutMs, topics]: Parameters<Calls['produce']>
): W {
  return writer
    .appendString(transactionalId)
    .appendInt16(acks)
    .appendInt32(timeoutMs)
    .appendArray([...topics], (entry, topic) => {
      entry.appendString(topic.name).appendArray([...topic.partitions], (inner, { index, records }) => {
        inner
          .appendInt32(index)
          .appendUnsignedVarInt(records.length + 1)
          .append(records)
      })
    })
    .appendTaggedFields()
}

export function parseProduce(reader: FrameReader): ReturnType<Calls['produce']> {
  const partition = (): ProducedPartition => {
    const produced = {
      index: reader.readInt32(),
      errorCode: reader.readInt16(),
      baseOffset: Number(reader.readInt64()),
      logAppendTimeMs: Number(reader.readInt64()),
      logStartOffset: Number(reader.readInt64()),
      recordErrors: reader.readArray(() => ({ batchIndex: reader.readInt32(), text: reader.readNullableString() })),
      errorText: reader.readNullableString(),
    }
    // From version 10 on the new leader, where that is the trouble: metadata tells it, too.
    readTagged(reader, () => {})
    return produced
  }
  const topics = reader.readArray(() => ({
    name: reader.readString(),
    partitions: reader.readArray(partition, true, false),
  }))
  return { topics }
}
