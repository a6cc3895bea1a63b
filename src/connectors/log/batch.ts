/**
 * The stored form of a batch of records: one LMDB value, keyed by its first offset. `encode.ts` writes it, readers open
 * values with `batchFault` and `Batch`. Invariant: bytes are laid out so that one record can be read without the others,
 * and a batch whose checksum does not match is never read.
 *
 * Layout, little endian: version u8, 3 reserved, checksum u64 (of all that follows), count u32, oldest and newest
 * timestamp f64, columns u32 (which there are); then a column each of what not all records have alike: timestamps f64,
 * if they differ; ends u32, where the data of each record ends; lengths of keys u32, if there are keys; lengths of
 * headers u32, if there are headers. Then the data, each record's key, headers and value in turn.
 */
import { NO_HEADERS, type RecordHeaders, type SourceRecord } from '../../model/record.ts'
import { checksum } from './checksum.ts'
import { decodeHeaders } from './headers.ts'

export const BATCH_VERSION = 2
export const SUM_AT = 4
export const CHECKED_FROM = 12
export const COUNT_AT = 12
export const OLDEST_AT = 16
export const NEWEST_AT = 24
export const COLUMNS_AT = 32
export const HEADER = 36

export const HAS_TIMESTAMPS = 1
export const HAS_KEYS = 2
export const HAS_HEADERS = 4
/** A key's length when there is no key, which is not the same as an empty one. */
export const NULL_KEY = 0xffffffff

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

/** What a batch says of itself, read without its checksum; null when it is too short to say anything. */
export function batchHead(bytes: Uint8Array): { count: number; newestMs: number } | null {
  if (bytes.length < HEADER) return null
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return { count: view.getUint32(COUNT_AT, true), newestMs: view.getFloat64(NEWEST_AT, true) }
}

/** Why a stored batch cannot be read, or null when it can. */
export function batchFault(bytes: Uint8Array): { readonly newer: boolean; readonly text: string } | null {
  if (bytes.length < HEADER) return { newer: false, text: `it is cut off after ${bytes.length} bytes` }
  const version = bytes[0] as number
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const whole = checksum(bytes.subarray(CHECKED_FROM)) === view.getBigUint64(SUM_AT, true)
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
  /** Where the columns start, 0 for one that is not there. */
  readonly #timestamps: number
  readonly #ends: number
  readonly #keys: number
  readonly #headers: number
  /** Where the data starts. */
  readonly #data: number

  /** `bytes` must be without fault and must stay as they are. */
  constructor(baseOffset: number, bytes: Uint8Array) {
    this.baseOffset = baseOffset
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    const count = this.#view.getUint32(COUNT_AT, true)
    const columns = this.#view.getUint32(COLUMNS_AT, true)
    let end = HEADER
    const column = (isThere: boolean, width: number): number => {
      const start = end
      if (isThere) end += count * width
      return isThere ? start : 0
    }
    this.count = count
    this.#timestamps = column((columns & HAS_TIMESTAMPS) !== 0, 8)
    this.#ends = column(true, 4)
    this.#keys = column((columns & HAS_KEYS) !== 0, 4)
    this.#headers = column((columns & HAS_HEADERS) !== 0, 4)
    this.#data = end
  }

  get endOffset(): number {
    return this.baseOffset + this.count
  }

  timestampAt(index: number): number {
    return this.#view.getFloat64(this.#timestamps === 0 ? OLDEST_AT : this.#timestamps + index * 8, true)
  }

  /** Keys, headers and values of the records from `from` to before `to`, in bytes. */
  bytesOf(from: number, to: number): number {
    return this.#start(to) - this.#start(from)
  }

  /** Appends the records from `from` to before `to` to `into`. */
  read(from: number, to: number, partition: string, into: LogRecord[]): void {
    const view = this.#view
    const bytes = this.#bytes
    const ends = this.#ends
    const keys = this.#keys
    const heads = this.#headers
    const base = this.baseOffset
    // Where the batch starts in its memory. A view of this class is made sooner than one that is a Buffer.
    const memory = bytes.buffer as ArrayBuffer
    const origin = bytes.byteOffset
    let timestampMs = this.timestampAt(from)
    let start = this.#start(from)
    for (let index = from; index < to; index += 1) {
      const end = view.getUint32(ends + index * 4, true)
      let valueAt = start
      let key: string | null = null
      if (keys > 0) {
        const length = view.getUint32(keys + index * 4, true)
        if (length !== NULL_KEY) key = bytes.toString('utf8', start, (valueAt = start + length))
      }
      let headers = NO_HEADERS
      if (heads > 0) {
        const length = view.getUint32(heads + index * 4, true)
        if (length > 0) headers = decodeHeaders(bytes, valueAt, valueAt + length)
        valueAt += length
      }
      if (this.#timestamps > 0) timestampMs = this.timestampAt(index)
      const value = new Uint8Array(memory, origin + valueAt, end - valueAt)
      into.push(new LogRecord(key, partition, base + index, timestampMs, headers, end - start, value))
      start = end
    }
  }

  /** Where the data of the record at `index` starts. */
  #start(index: number): number {
    return index === 0 ? this.#data : this.#view.getUint32(this.#ends + (index - 1) * 4, true)
  }
}
