/**
 * Encodes records into batches, in the form that `batch.ts` describes. `append.ts` calls it. Invariant: a batch is
 * complete, checksum included, before it leaves; and each byte of a record is written once.
 */
import {
  BATCH_VERSION,
  CHECKED_FROM,
  COLUMNS_AT,
  COUNT_AT,
  HAS_HEADERS,
  HAS_KEYS,
  HAS_TIMESTAMPS,
  HEADER,
  NEWEST_AT,
  NULL_KEY,
  OLDEST_AT,
  SUM_AT,
} from './batch.ts'
import { checksum } from './checksum.ts'
import { takeSlab } from './slabs.ts'

/** A longer run of records is split, so that a reader never has to take in more than this at once. */
export const BATCH_RECORDS = 1_000
/** The same in bytes; only a single record may make a larger batch. Of half this size, they are read a quarter slower. */
export const BATCH_BYTES = 512 * 1024

/** What a record takes beside its data, with every column. */
const MOST_BESIDE = 20

/** A record on its way into the log. */
export interface Draft {
  readonly key: string | null
  readonly value: Uint8Array | string
  /** As `encodeHeaders` made them; null when there are none. */
  readonly headers: Buffer | null
  readonly timestampMs: number
  /** Its index; null lets the key decide. */
  readonly partition: number | null
  /** Key, headers and value, in bytes. */
  readonly bytes: number
}

export interface EncodedBatch {
  readonly bytes: Buffer
  readonly count: number
  /** The memory that `bytes` is a part of; to be given back. */
  readonly slab: Buffer
}

export function encodeBatches(drafts: readonly Draft[]): EncodedBatch[] {
  const batches: EncodedBatch[] = []
  for (let from = 0; from < drafts.length; ) {
    let bytes = HEADER
    let to = from
    while (to < drafts.length && to - from < BATCH_RECORDS) {
      bytes += MOST_BESIDE + (drafts[to] as Draft).bytes
      if (bytes > BATCH_BYTES && to > from) break
      to += 1
    }
    batches.push(encode(drafts, from, to))
    from = to
  }
  return batches
}

function encode(drafts: readonly Draft[], from: number, to: number): EncodedBatch {
  const count = to - from
  const first = drafts[from] as Draft
  let oldest = first.timestampMs
  let newest = oldest
  let dataBytes = 0
  let columns = 0
  for (let index = from; index < to; index += 1) {
    const { key, headers, timestampMs, bytes } = drafts[index] as Draft
    dataBytes += bytes
    if (key !== null) columns |= HAS_KEYS
    if (headers !== null) columns |= HAS_HEADERS
    if (timestampMs < oldest) oldest = timestampMs
    if (timestampMs > newest) newest = timestampMs
  }
  if (oldest !== newest) columns |= HAS_TIMESTAMPS

  let end = HEADER
  const timestamps = columns & HAS_TIMESTAMPS ? end : 0
  if (timestamps > 0) end += count * 8
  const ends = end
  end += count * 4
  const keys = columns & HAS_KEYS ? end : 0
  if (keys > 0) end += count * 4
  const heads = columns & HAS_HEADERS ? end : 0
  if (heads > 0) end += count * 4
  const data = end

  const size = data + dataBytes
  const slab = takeSlab(size)
  const view = new DataView(slab.buffer, slab.byteOffset, size)
  let at = data
  for (let row = 0; row < count; row += 1) {
    const { key, value, headers, timestampMs } = drafts[from + row] as Draft
    if (timestamps > 0) view.setFloat64(timestamps + row * 8, timestampMs, true)
    if (keys > 0) {
      const length = key === null ? 0 : writeText(slab, key, at)
      view.setUint32(keys + row * 4, key === null ? NULL_KEY : length, true)
      at += length
    }
    if (heads > 0) {
      const length = headers === null ? 0 : headers.copy(slab, at)
      view.setUint32(heads + row * 4, length, true)
      at += length
    }
    if (typeof value === 'string') at += writeText(slab, value, at)
    else {
      slab.set(value, at)
      at += value.length
    }
    view.setUint32(ends + row * 4, at, true)
  }

  view.setUint32(0, BATCH_VERSION, true)
  view.setUint32(COUNT_AT, count, true)
  view.setUint32(COLUMNS_AT, columns, true)
  view.setFloat64(OLDEST_AT, oldest, true)
  view.setFloat64(NEWEST_AT, newest, true)
  view.setBigUint64(SUM_AT, checksum(slab.subarray(CHECKED_FROM, size)), true)
  return { bytes: slab.subarray(0, size), count, slab }
}

/** Keys are short: up to this length, a loop beats the call that converts text. */
const SHORT = 40

/** Bytes of `text` in UTF-8. */
export function textBytes(text: string): number {
  return text.length <= SHORT && isAscii(text) ? text.length : Buffer.byteLength(text)
}

function isAscii(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return false
  return true
}

function writeText(bytes: Buffer, text: string, at: number): number {
  if (text.length > SHORT) return bytes.write(text, at)
  for (let index = 0; index < text.length; index += 1) {
    const unit = text.charCodeAt(index)
    if (unit > 0x7f) return bytes.write(text, at)
    bytes[at + index] = unit
  }
  return text.length
}
