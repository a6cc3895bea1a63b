/**
 * Writes a batch of the present format (magic 2), as the producer sends it: its layout is in `layout.ts`. The sink
 * calls it. Invariant: what it writes `RecordBatches` reads back the same, and so does any consumer of Kafka.
 */
import type { RecordHeaders } from '../../../model/record.ts'
import { type BatchCodec, COMPRESSIONS, type Compression } from './codec.ts'
import { varintBytes, writeInt64, writeVarint } from './integers.ts'
import {
  ATTRIBUTES_AT,
  BASE_SEQUENCE_AT,
  BASE_TIMESTAMP_AT,
  COUNT_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LEADER_EPOCH_AT,
  LENGTH_AT,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PREFIX_BYTES,
  PRODUCER_EPOCH_AT,
  PRODUCER_ID_AT,
  RECORDS_AT,
  TRANSACTIONAL_BIT,
} from './layout.ts'

export interface EncodableRecord {
  readonly key: string | Uint8Array | null
  /** Null is a tombstone. */
  readonly value: string | Uint8Array | null
  readonly headers: RecordHeaders
  readonly timestampMs: number
}

export interface EncodeOptions {
  readonly codec: BatchCodec
  readonly compression: Compression
  /** −1, with −1 for epoch and sequence, without idempotence. */
  readonly producerId: bigint
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly transactional: boolean
}

/** One batch, with offsets from 0 (the broker assigns them); `records` are in order and at least one. */
export function encodeRecordBatch(records: readonly EncodableRecord[], options: EncodeOptions): Buffer {
  const { codec, compression } = options
  const baseTimestampMs = records[0]?.timestampMs ?? 0
  const rows = records.map((record, index) => measured(record, index, baseTimestampMs))
  const recordsBytes = rows.reduce((sum, { bytes }) => sum + varintBytes(bytes) + bytes, 0)
  const plain = compression === 'none'
  const body = plain ? Buffer.allocUnsafe(RECORDS_AT + recordsBytes) : Buffer.allocUnsafe(recordsBytes)
  let at = plain ? RECORDS_AT : 0
  for (const row of rows) at = writeRow(body, row, at)
  const batch = plain ? body : Buffer.concat([Buffer.alloc(RECORDS_AT), codec.compress(compression, body)])
  writeHead(batch, records, baseTimestampMs, options)
  batch.writeUInt32BE(codec.crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

function writeHead(
  batch: Buffer,
  records: readonly EncodableRecord[],
  baseTimestampMs: number,
  { compression, producerId, producerEpoch, baseSequence, transactional }: EncodeOptions,
): void {
  const newestMs = records.reduce((newest, { timestampMs }) => Math.max(newest, timestampMs), baseTimestampMs)
  writeInt64(batch, 0, 0)
  batch.writeInt32BE(batch.length - PREFIX_BYTES, LENGTH_AT)
  batch.writeInt32BE(-1, LEADER_EPOCH_AT)
  batch[MAGIC_AT] = 2
  batch.writeInt16BE(COMPRESSIONS.indexOf(compression) | (transactional ? TRANSACTIONAL_BIT : 0), ATTRIBUTES_AT)
  batch.writeInt32BE(records.length - 1, LAST_OFFSET_DELTA_AT)
  writeInt64(batch, baseTimestampMs, BASE_TIMESTAMP_AT)
  writeInt64(batch, newestMs, MAX_TIMESTAMP_AT)
  batch.writeBigInt64BE(producerId, PRODUCER_ID_AT)
  batch.writeInt16BE(producerEpoch, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(baseSequence, BASE_SEQUENCE_AT)
  batch.writeInt32BE(records.length, COUNT_AT)
}

type Bytes = string | Uint8Array

/** A record with all its lengths: a varint of what follows stands in front of everything. */
interface Row {
  readonly record: EncodableRecord
  readonly timestampDelta: number
  readonly offsetDelta: number
  readonly keyBytes: number
  readonly valueBytes: number
  readonly headers: readonly (readonly [name: string, nameBytes: number, value: Bytes, valueBytes: number])[]
  readonly bytes: number
}

function measured(record: EncodableRecord, offsetDelta: number, baseTimestampMs: number): Row {
  const timestampDelta = record.timestampMs - baseTimestampMs
  const keyBytes = lengthOf(record.key)
  const valueBytes = lengthOf(record.value)
  const headers = Object.entries(record.headers).map(
    ([name, value]) => [name, Buffer.byteLength(name), value, lengthOf(value)] as const,
  )
  let bytes = 1 + varintBytes(timestampDelta) + varintBytes(offsetDelta) + varintBytes(headers.length)
  bytes += fieldBytes(keyBytes) + fieldBytes(valueBytes)
  for (const [, nameBytes, , valueBytes] of headers) bytes += fieldBytes(nameBytes) + fieldBytes(valueBytes)
  return { record, timestampDelta, offsetDelta, keyBytes, valueBytes, headers, bytes }
}

function writeRow(into: Buffer, row: Row, from: number): number {
  let at = writeVarint(into, row.bytes, from)
  into[at++] = 0
  at = writeVarint(into, row.timestampDelta, at)
  at = writeVarint(into, row.offsetDelta, at)
  at = writeField(into, row.record.key, row.keyBytes, at)
  at = writeField(into, row.record.value, row.valueBytes, at)
  at = writeVarint(into, row.headers.length, at)
  for (const [name, nameBytes, value, valueBytes] of row.headers) {
    at = writeField(into, name, nameBytes, at)
    at = writeField(into, value, valueBytes, at)
  }
  return at
}

/** −1 for null. */
function lengthOf(field: Bytes | null): number {
  if (field === null) return -1
  return typeof field === 'string' ? Buffer.byteLength(field) : field.length
}

function fieldBytes(length: number): number {
  return varintBytes(length) + Math.max(0, length)
}

function writeField(into: Buffer, field: Bytes | null, length: number, from: number): number {
  const at = writeVarint(into, length, from)
  if (field === null) return at
  if (typeof field === 'string') into.write(field, at)
  else into.set(field, at)
  return at + length
}
