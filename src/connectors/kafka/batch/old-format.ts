/**
 * The two formats before Kafka 0.11 (magic 0 and 1), which old segments still hold: messages one by one, or a set of
 * them compressed inside one message. `decode.ts` calls it. Invariant: a run of plain messages becomes one block and
 * ends before the first message that is not whole and right; whoever reads on there learns what is wrong with it.
 *
 * A message: offset i64, length of the rest i32, CRC-32 u32 (of all that follows), magic i8, attributes i8, timestamp
 * i64 (magic 1), key and value with their lengths i32 (−1: null). Within a set of magic 1 offsets count from 0, and
 * the message around it carries the last one's offset (KIP-31, KIP-32).
 */
import { crc32 } from 'node:zlib'
import { BlockBuilder, type RecordBlock } from './block.ts'
import {
  type BatchCodec,
  type BatchPlace,
  COMPRESSIONS,
  type Compression,
  corruptBatch,
  decompressed,
} from './codec.ts'
import { readInt64 } from './integers.ts'
import { APPEND_TIME_BIT, COMPRESSION_BITS, LENGTH_AT, MAGIC_AT, PREFIX_BYTES } from './layout.ts'

import { withRightChecksum } from './lz4-frame.ts'
/** Behind offset and length: CRC, magic, attributes and two lengths. */
export const SMALLEST_OLD_BYTES = 14

/** What was read: one compressed set, or a run of plain messages. */
export interface OldRecords {
  readonly block: RecordBlock
  readonly end: number
  readonly lastOffset: number
}

export interface OldContext {
  readonly partition: string
  readonly fromOffset: number
  /** No message may have an offset below. */
  readonly floor: number
  readonly codec: BatchCodec
  readonly checkCrcs: boolean
  readonly maxBytes: number
}

interface OldEntry {
  readonly offset: number
  readonly end: number
  readonly magic: number
  readonly compression: Compression
  readonly timestampMs: number
  readonly isAppendTime: boolean
  readonly keyAt: number
  readonly keyBytes: number
  readonly valueAt: number
  readonly valueBytes: number
}

/** Reads at `start`, where a whole message of an old format is. */
export function readOldRecords(bytes: Buffer, start: number, context: OldContext): OldRecords {
  const { partition, fromOffset, floor, checkCrcs } = context
  const place = { partition, offset: readInt64(bytes, start) }
  const first = readEntry(bytes, start, checkCrcs)
  if (typeof first === 'string') throw corruptBatch(place, first)
  if (first.compression !== 'none') return readSet(bytes, first, place, context)
  const builder = new BlockBuilder(bytes, 16)
  let end = start
  let lastOffset = floor - 1
  for (let entry: OldEntry | string = first; typeof entry !== 'string'; entry = readEntry(bytes, end, checkCrcs)) {
    if (entry.compression !== 'none' || entry.offset <= lastOffset) break
    if (entry.offset >= fromOffset) addTo(builder, entry, entry.offset, entry.timestampMs)
    lastOffset = entry.offset
    end = entry.end
  }
  return { block: builder.block(), end, lastOffset }
}

/** A message, or what is wrong with it: the end of a run says it to nobody, the next reader finds it again. */
function readEntry(bytes: Buffer, start: number, checkCrc: boolean): OldEntry | string {
  if (bytes.length - start < PREFIX_BYTES + SMALLEST_OLD_BYTES) return 'it is cut off'
  const length = bytes.readInt32BE(start + LENGTH_AT)
  const end = start + PREFIX_BYTES + length
  if (length < SMALLEST_OLD_BYTES || end > bytes.length) return `it says that it is ${length} bytes long`
  const magic = bytes[start + MAGIC_AT] as number
  if (magic > 1) return `it holds a message of format ${magic}`
  if (checkCrc && crc32(bytes.subarray(start + MAGIC_AT, end)) !== bytes.readUInt32BE(start + 12))
    return 'its checksum does not match its content'
  const attributes = bytes[start + 17] as number
  const compression = COMPRESSIONS[attributes & COMPRESSION_BITS]
  if (compression === undefined || compression === 'zstd')
    return `its compression is number ${attributes & COMPRESSION_BITS}`
  const keyFieldAt = start + (magic === 1 ? 26 : 18)
  if (keyFieldAt + 8 > end) return 'it is too short'
  const keyBytes = bytes.readInt32BE(keyFieldAt)
  const keyAt = keyFieldAt + 4
  const valueFieldAt = keyAt + Math.max(0, keyBytes)
  if (keyBytes < -1 || valueFieldAt + 4 > end) return 'the length of its key is wrong'
  const valueBytes = bytes.readInt32BE(valueFieldAt)
  const valueAt = valueFieldAt + 4
  if (valueBytes < -1 || valueAt + Math.max(0, valueBytes) !== end) return 'the length of its value is wrong'
  const offset = readInt64(bytes, start)
  if (!Number.isSafeInteger(offset)) return `an offset in it is ${offset}`
  const timestampMs = magic === 1 ? readInt64(bytes, start + 18) : -1
  const isAppendTime = magic === 1 && (attributes & APPEND_TIME_BIT) !== 0
  return { offset, end, magic, compression, timestampMs, isAppendTime, keyAt, keyBytes, valueAt, valueBytes }
}

function readSet(bytes: Buffer, outer: OldEntry, place: BatchPlace, context: OldContext): OldRecords {
  if (outer.valueBytes < 0) throw corruptBatch(place, 'it is compressed and holds nothing')
  if (outer.offset < context.floor) throw corruptBatch(place, `it comes behind offset ${context.floor - 1}`)
  const body = bytes.subarray(outer.valueAt, outer.valueAt + outer.valueBytes)
  const sent = outer.magic === 0 && outer.compression === 'lz4' ? withRightChecksum(body) : body
  const data = decompressed(context.codec, outer.compression, sent, place, context.maxBytes)
  const entries: OldEntry[] = []
  for (let at = 0; at < data.length; ) {
    // The checksum of the message around a set covers those within.
    const entry = readEntry(data, at, false)
    if (typeof entry === 'string') throw corruptBatch(place, `message ${entries.length + 1} in it: ${entry}`)
    if (entry.compression !== 'none') throw corruptBatch(place, 'it holds a compressed set within a compressed set')
    entries.push(entry)
    at = entry.end
  }
  const last = entries.at(-1)
  if (!last) throw corruptBatch(place, 'it is compressed and holds nothing')
  const shift = outer.magic === 1 ? outer.offset - last.offset : 0
  if (last.offset + shift !== outer.offset) throw corruptBatch(place, 'the last offset in it is not its own')
  const builder = new BlockBuilder(data, entries.length)
  let lastOffset = context.floor - 1
  for (const entry of entries) {
    const offset = entry.offset + shift
    if (offset <= lastOffset) throw corruptBatch(place, `offset ${offset} in it comes behind ${lastOffset}`)
    lastOffset = offset
    const timestampMs = outer.isAppendTime ? outer.timestampMs : entry.timestampMs
    if (offset >= context.fromOffset) addTo(builder, entry, offset, timestampMs)
  }
  return { block: builder.block(), end: outer.end, lastOffset }
}

function addTo(builder: BlockBuilder, entry: OldEntry, offset: number, timestampMs: number): void {
  const { keyAt, keyBytes, valueAt, valueBytes } = entry
  const bytes = Math.max(0, keyBytes) + Math.max(0, valueBytes)
  builder.add(offset, timestampMs, bytes, keyAt, keyBytes, valueAt, valueBytes)
}
