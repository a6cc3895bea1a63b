/**
 * The records of one batch as columns: offsets, times and sizes at hand, keys, values and headers cut out only when
 * somebody asks. `records.ts` and `old-format.ts` fill it through a `BlockBuilder`, the source hands it out. Invariant:
 * everything in it lies within the data (the fillers checked), so that reading never fails.
 */
import type { Column } from '../../../model/connector.ts'
import { NO_HEADERS, type RecordHeaders } from '../../../model/record.ts'
import { AsciiText } from './ascii-text.ts'
import { readVarint, varintEnd } from './integers.ts'

/** Of each record: where its key starts and how long it is (−1: none), the same of its value, where its headers start. */
const FIELDS = 5
const VALUE = 2
/** Where a record of the old formats, which know no headers, has them. */
const NOWHERE = -1
/**
 * The class that buffers are of, which `Buffer` names as its species: made directly, a view takes less time
 * than with `subarray`, and values are most of what is made here.
 */
const View = (
  Buffer as unknown as { [Symbol.species]: new (memory: ArrayBufferLike, at: number, bytes: number) => Buffer }
)[Symbol.species]

export class RecordBlock {
  readonly count: number
  /** Rising, with gaps where the log was compacted. */
  readonly offsets: Float64Array
  /** Milliseconds since the epoch; −1 for a record without. One number where the broker stamped the batch. */
  readonly timestampsMs: Column
  /** Keys, values and headers, in bytes. */
  readonly sizes: Float64Array
  /** The sum of the sizes. */
  readonly bytes: number
  /** What stays in memory as long as a key or value of this block does. */
  readonly retainedBytes: number
  readonly #data: Buffer
  readonly #fields: Int32Array

  constructor(
    data: Buffer,
    fields: Int32Array,
    offsets: Float64Array,
    timestampsMs: Column,
    sizes: Float64Array,
    bytes: number,
  ) {
    this.count = offsets.length
    this.offsets = offsets
    this.timestampsMs = timestampsMs
    this.sizes = sizes
    this.bytes = bytes
    this.retainedBytes = data.length
    this.#data = data
    this.#fields = fields
  }

  /** Shares its memory with the batch. */
  keyAt(index: number): Buffer | null {
    return this.#cut(index * FIELDS)
  }

  /** Shares its memory with the batch; null is a tombstone. */
  valueAt(index: number): Buffer | null {
    return this.#cut(index * FIELDS + VALUE)
  }

  /**
   * The values of records `from` to before `to`, at `row` of `into` and after it. `asText`: where that is cheaper they are
   * text, for decoders that keep nothing of it.
   */
  copyValues(from: number, to: number, into: unknown[], row: number, asText: boolean): void {
    const fields = this.#fields
    const { buffer, byteOffset } = this.#data
    const text = asText ? new AsciiText(this.#data, { places: fields, step: FIELDS, first: VALUE, end: to }) : null
    for (let index = from, field = from * FIELDS + VALUE; index < to; index += 1, field += FIELDS) {
      const bytes = fields[field + 1] as number
      into[row + index - from] =
        bytes < 0 ? null : (text?.read(index) ?? new View(buffer, byteOffset + (fields[field] as number), bytes))
    }
  }

  sizeAt(index: number): number {
    return this.sizes[index] as number
  }

  timestampMsAt(index: number): number {
    return typeof this.timestampsMs === 'number' ? this.timestampsMs : (this.timestampsMs[index] as number)
  }

  /** Of a name that occurs more than once, the last value; a null value is an empty one. */
  headersAt(index: number): RecordHeaders {
    const data = this.#data
    let at = this.#fields[index * FIELDS + 4] as number
    if (at === NOWHERE) return NO_HEADERS
    const count = readVarint(data, at)
    if (count === 0) return NO_HEADERS
    at = varintEnd
    const headers = Object.create(null) as Record<string, Uint8Array>
    for (let left = count; left > 0; left -= 1) {
      const nameBytes = readVarint(data, at)
      const nameAt = varintEnd
      const valueBytes = Math.max(0, readVarint(data, nameAt + nameBytes))
      at = varintEnd + valueBytes
      headers[data.toString('utf8', nameAt, nameAt + nameBytes)] = data.subarray(at - valueBytes, at)
    }
    return headers
  }

  #cut(field: number): Buffer | null {
    const at = this.#fields[field] as number
    const bytes = this.#fields[field + 1] as number
    return bytes < 0 ? null : new View(this.#data.buffer, this.#data.byteOffset + at, bytes)
  }
}

/** Grows a block record by record. Whoever calls `add` has checked that all lies within the data. */
export class BlockBuilder {
  readonly #data: Buffer
  #count = 0
  #fields: Int32Array
  #offsets: Float64Array
  #timestampsMs: Float64Array
  #sizes: Float64Array
  #bytes = 0

  /** `capacity`: how many records are expected. */
  constructor(data: Buffer, capacity: number) {
    this.#data = data
    this.#fields = new Int32Array(capacity * FIELDS)
    this.#offsets = new Float64Array(capacity)
    this.#timestampsMs = new Float64Array(capacity)
    this.#sizes = new Float64Array(capacity)
  }

  get count(): number {
    return this.#count
  }

  add(
    offset: number,
    timestampMs: number,
    bytes: number,
    keyAt: number,
    keyBytes: number,
    valueAt: number,
    valueBytes: number,
    headersAt = NOWHERE,
  ): void {
    const index = this.#count
    if (index === this.#offsets.length) this.#grow()
    this.#offsets[index] = offset
    this.#timestampsMs[index] = timestampMs
    this.#sizes[index] = bytes
    this.#bytes += bytes
    const fields = this.#fields
    const field = index * FIELDS
    fields[field] = keyAt
    fields[field + 1] = keyBytes
    fields[field + 2] = valueAt
    fields[field + 3] = valueBytes
    fields[field + 4] = headersAt
    this.#count = index + 1
  }

  /** `stampMs`: the one time of all records, where the broker stamped them. */
  block(stampMs: number | null = null): RecordBlock {
    const count = this.#count
    const whole = count === this.#offsets.length
    const column = (values: Float64Array): Float64Array => (whole ? values : values.slice(0, count))
    const timestampsMs = stampMs ?? column(this.#timestampsMs)
    const offsets = column(this.#offsets)
    return new RecordBlock(this.#data, this.#fields, offsets, timestampsMs, column(this.#sizes), this.#bytes)
  }

  #grow(): void {
    const capacity = Math.max(16, this.#offsets.length * 2)
    const larger = (values: Float64Array): Float64Array => {
      const grown = new Float64Array(capacity)
      grown.set(values)
      return grown
    }
    const fields = new Int32Array(capacity * FIELDS)
    fields.set(this.#fields)
    this.#fields = fields
    this.#offsets = larger(this.#offsets)
    this.#timestampsMs = larger(this.#timestampsMs)
    this.#sizes = larger(this.#sizes)
  }
}
