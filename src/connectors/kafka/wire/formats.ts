/**
 * The request whose form is our own: produce takes batches that are encoded already. The adapter hands in the library's
 * reader and writer. Layout: the message format of Apache Kafka, Produce 9–11.
 */
import type { Calls, ProducedPartition } from './calls.ts'

/** What is used of the library's reader. */
export interface FrameReader {
  position: number
  readInt16(): number
  readInt32(): number
  readInt64(): bigint
  readString(): string
  readNullableString(): string | null
  readUnsignedVarInt(): number
  /** `thenTagged`: false where the entry reads its tagged fields itself. */
  readArray<T>(entry: () => T, compact?: true, thenTagged?: boolean): T[]
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
