/**
 * The stored form of a batch of records: one LMDB value, keyed by its first offset. The log encodes appends with
 * `encodeBatches`, readers open values with `openBatch`. Invariant: bytes are laid out so that one record can be read
 * without the others, and a batch whose checksum does not match is never read.
 *
 * Layout, little endian: version u8, 3 reserved, crc32 u32 (of all that follows), count u32, 4 reserved, oldest and
 * newest timestamp f64; then per record a row { timestamp f64, start u32, key length u32, headers length u32 }; then
 * the data, each record's key, headers and value in turn.
 */
import { crc32 } from 'node:zlib'
import { NO_HEADERS, type RecordHeaders, type SourceRecord } from '../../model/record.ts'
import { decodeHeaders } from './headers.ts'

export const BATCH_VERSION = 1
const HEADER = 32
const ROW = 20
const NULL_KEY = 0xffffffff
const CHECKED_FROM = 8

/** A longer run of records is split, so that a reader never has to take in more than this at once. */
export const BATCH_RECORDS = 1_000
/** The same in bytes; only a single record may make a larger batch. */
export const BATCH_BYTES = 256 * 1024

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
}

/** A record as it is read from the log. `value` shares its memory with the other records of its batch. */
export class LogRecord implements SourceRecord<Uint8Array> {
  readonly key: string | null
  readonly partition: string
  readonly offset: number
  readonly timestampMs: number
  readonly headers: RecordHeaders
  readonly bytes: number
  readonly value: Uint8Array

  constructor(
    key: string | null,
    partition: string,
    offset: number,
    timestampMs: number,
    headers: RecordHeaders,
    bytes: number,
    value: Uint8Array,
  ) {
    this.key = key
    this.partition = partition
    this.offset = offset
    this.timestampMs = timestampMs
    this.headers = headers
    this.bytes = bytes
    this.value = value
  }
}

export function encodeBatches(drafts: readonly Draft[]): EncodedBatch[] {
  const batches: EncodedBatch[] = []
  for (let from = 0; from < drafts.length; ) {
    let bytes = 0
    let to = from
    while (to < drafts.length && to - from < BATCH_RECORDS) {
      bytes += ROW + (drafts[to] as Draft).bytes
      if (bytes > BATCH_BYTES && to > from) break
      to += 1
    }
    batches.push(encode(drafts, from, to))
    from = to
  }
  return batches
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

function encode(drafts: readonly Draft[], from: number, to: number): EncodedBatch {
  const count = to - from
  let size = HEADER + count * ROW
  for (let at = from; at < to; at += 1) size += (drafts[at] as Draft).bytes
  const bytes = Buffer.allocUnsafeSlow(size)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  bytes.fill(0, 0, HEADER)
  let oldest = Number.POSITIVE_INFINITY
  let newest = Number.NEGATIVE_INFINITY
  let row = HEADER
  let at = HEADER + count * ROW
  for (let index = from; index < to; index += 1) {
    const { key, value, headers, timestampMs } = drafts[index] as Draft
    const start = at
    if (key !== null) at += writeText(bytes, key, at)
    const keyEnd = at
    if (headers !== null) at += headers.copy(bytes, at)
    const headersEnd = at
    if (typeof value === 'string') at += writeText(bytes, value, at)
    else {
      bytes.set(value, at)
      at += value.length
    }
    view.setFloat64(row, timestampMs, true)
    view.setUint32(row + 8, start, true)
    view.setUint32(row + 12, key === null ? NULL_KEY : keyEnd - start, true)
    view.setUint32(row + 16, headersEnd - keyEnd, true)
    row += ROW
    if (timestampMs < oldest) oldest = timestampMs
    if (timestampMs > newest) newest = timestampMs
  }
  bytes[0] = BATCH_VERSION
  view.setUint32(8, count, true)
  view.setFloat64(16, oldest, true)
  view.setFloat64(24, newest, true)
  view.setUint32(4, crc32(bytes.subarray(CHECKED_FROM)), true)
  return { bytes, count }
}

/** What a batch says of itself, read without its checksum; null when it is too short to say anything. */
export function batchHead(bytes: Uint8Array): { count: number; newestMs: number } | null {
  if (bytes.length < HEADER) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { count: view.getUint32(8, true), newestMs: view.getFloat64(24, true) }
}

/** Why a stored batch cannot be read, or null when it can. */
export function batchFault(bytes: Uint8Array): { readonly newer: boolean; readonly text: string } | null {
  if (bytes.length < HEADER) return { newer: false, text: `it is cut off after ${bytes.length} bytes` }
  const version = bytes[0] as number
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = crc32(bytes.subarray(CHECKED_FROM)) === view.getUint32(4, true)
  if (version !== BATCH_VERSION && whole) return { newer: true, text: `its format is version ${version}` }
  if (!whole || version !== BATCH_VERSION) return { newer: false, text: 'its checksum does not match' }
  return null
}

/** A batch that has been checked. */
export class Batch {
  readonly baseOffset: number
  readonly count: number
  readonly #bytes: Buffer
  readonly #view: DataView

  /** `bytes` must be without fault and must stay as they are. */
  constructor(baseOffset: number, bytes: Uint8Array) {
    this.baseOffset = baseOffset
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.count = this.#view.getUint32(8, true)
  }

  get endOffset(): number {
    return this.baseOffset + this.count
  }

  /** Key, headers and value of the record at `index`, in bytes. */
  sizeAt(index: number): number {
    return this.#end(index) - this.#view.getUint32(HEADER + index * ROW + 8, true)
  }

  timestampAt(index: number): number {
    return this.#view.getFloat64(HEADER + index * ROW, true)
  }

  recordAt(index: number, partition: string): LogRecord {
    const view = this.#view
    const bytes = this.#bytes
    const row = HEADER + index * ROW
    const start = view.getUint32(row + 8, true)
    const keyLength = view.getUint32(row + 12, true)
    const headersLength = view.getUint32(row + 16, true)
    const end = this.#end(index)
    const keyEnd = keyLength === NULL_KEY ? start : start + keyLength
    const headersEnd = keyEnd + headersLength
    return new LogRecord(
      keyLength === NULL_KEY ? null : bytes.toString('utf8', start, keyEnd),
      partition,
      this.baseOffset + index,
      view.getFloat64(row, true),
      headersLength === 0 ? NO_HEADERS : decodeHeaders(bytes, keyEnd, headersEnd),
      end - start,
      bytes.subarray(headersEnd, end),
    )
  }

  #end(index: number): number {
    return index + 1 < this.count ? this.#view.getUint32(HEADER + (index + 1) * ROW + 8, true) : this.#bytes.length
  }
}
