/**
 * Reads what a fetch returned of one partition: batches of the present format (magic 2) and of both old ones, one
 * after the other as they are asked for, so that no more than one batch need be decompressed at a time. The source's
 * fetch loop calls it. Invariant: `nextOffset` only rises, past what is left out too (control batches, aborted
 * transactions, compacted offsets), and a batch comes out whole and right or not at all.
 */
import { type AbortedTransaction, AbortedTransactions } from './aborted.ts'
import type { RecordBlock } from './block.ts'
import { type BatchCodec, type BatchPlace, COMPRESSIONS, corruptBatch, decompressed, oversizedBatch } from './codec.ts'
import { readInt64, readVarint, varintEnd } from './integers.ts'
import {
  APPEND_TIME_BIT,
  ATTRIBUTES_AT,
  BASE_TIMESTAMP_AT,
  COMPRESSION_BITS,
  CONTROL_BIT,
  COUNT_AT,
  CRC_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  MAGIC_AT,
  MAX_TIMESTAMP_AT,
  PREFIX_BYTES,
  PRODUCER_ID_AT,
  RECORDS_AT,
  TRANSACTIONAL_BIT,
} from './layout.ts'
import { readOldRecords, SMALLEST_OLD_BYTES } from './old-format.ts'
import { readRecords } from './records.ts'

/** The kind of a control record: its key is version i16, kind i16. */
const ABORT_MARKER = 0

export interface DecodeOptions {
  /** For errors. */
  readonly partition: string
  /** Records below are left out: a batch holds them where the fetch began in its middle. */
  readonly fromOffset: number
  /** From the fetch response; without effect unless `readCommitted`. */
  readonly abortedTransactions: readonly AbortedTransaction[]
  readonly readCommitted: boolean
  readonly codec: BatchCodec
  /** Whether damage is looked for by checksum; default true. */
  readonly checkCrcs?: boolean | undefined
  /** The largest batch that is decoded, without its compression; default 128 MiB. */
  readonly maxRecordBatchBytes?: number | undefined
}

export const DEFAULT_MAX_RECORD_BATCH_BYTES = 128 * 1024 * 1024

export class RecordBatches {
  readonly #bytes: Buffer
  readonly #options: DecodeOptions
  readonly #checkCrcs: boolean
  readonly #maxBytes: number
  readonly #aborted: AbortedTransactions | null
  #at = 0
  #nextOffset: number
  /** No batch may start below: the end of the one before. */
  #floor = 0

  constructor(fetched: Buffer, options: DecodeOptions) {
    this.#bytes = fetched
    this.#options = options
    this.#checkCrcs = options.checkCrcs ?? true
    this.#maxBytes = options.maxRecordBatchBytes ?? DEFAULT_MAX_RECORD_BATCH_BYTES
    this.#nextOffset = options.fromOffset
    const { abortedTransactions, readCommitted } = options
    this.#aborted =
      readCommitted && abortedTransactions.length > 0 ? new AbortedTransactions(abortedTransactions) : null
  }

  /** Where to fetch on, once the blocks that `next` returned are taken. */
  get nextOffset(): number {
    return this.#nextOffset
  }

  /** Bytes that no call of `next` has read yet. After `next` returned null they are a batch that was cut off. */
  get leftBytes(): number {
    return this.#bytes.length - this.#at
  }

  /** Size of the batch that comes next or was cut off, as far as it tells; 0 when there is none. */
  get nextBatchBytes(): number {
    return this.leftBytes < PREFIX_BYTES ? this.leftBytes : PREFIX_BYTES + this.#bytes.readInt32BE(this.#at + LENGTH_AT)
  }

  /** When the first record of the batch that comes next was stamped, as its head says; −1 where that is not known. */
  get nextTimestampMs(): number {
    const at = this.#at
    if (this.leftBytes < RECORDS_AT || this.#bytes[at + MAGIC_AT] !== 2) return -1
    const byBroker = (this.#bytes.readInt16BE(at + ATTRIBUTES_AT) & APPEND_TIME_BIT) !== 0
    return readInt64(this.#bytes, at + (byBroker ? MAX_TIMESTAMP_AT : BASE_TIMESTAMP_AT))
  }

  /** The next batch with records to hand out; null at the end. Throws `HG_STORAGE`, each time, at a damaged batch. */
  next(): RecordBlock | null {
    for (;;) {
      const bytes = this.#bytes
      const start = this.#at
      if (this.leftBytes < PREFIX_BYTES) return null
      const place = { partition: this.#options.partition, offset: readInt64(bytes, start) }
      const length = bytes.readInt32BE(start + LENGTH_AT)
      this.#checkPrefix(place, length)
      const end = start + PREFIX_BYTES + length
      if (end > bytes.length) return null
      const magic = bytes[start + MAGIC_AT] as number
      if (magic > 2) throw corruptBatch(place, `its format is version ${magic}`)
      const block = magic === 2 ? this.#present(place, start, end) : this.#old(start)
      if (block && block.count > 0) return block
    }
  }

  #checkPrefix(place: BatchPlace, length: number): void {
    const { offset } = place
    if (length < SMALLEST_OLD_BYTES) throw corruptBatch(place, `it says that it is ${length} bytes long`)
    if (!Number.isSafeInteger(offset) || offset < this.#floor)
      throw corruptBatch(place, `it comes behind offset ${this.#floor - 1}`)
    if (length > this.#maxBytes) throw oversizedBatch(place, `is ${length} bytes long`, this.#maxBytes)
  }

  #present(place: BatchPlace, start: number, end: number): RecordBlock | null {
    const bytes = this.#bytes
    const { codec, fromOffset } = this.#options
    if (end - start < RECORDS_AT) throw corruptBatch(place, `it says that it is ${end - start} bytes long`)
    if (
      this.#checkCrcs &&
      codec.crc32c(bytes.subarray(start + ATTRIBUTES_AT, end)) !== bytes.readUInt32BE(start + CRC_AT)
    )
      throw corruptBatch(place, 'its checksum does not match its content')
    const attributes = bytes.readInt16BE(start + ATTRIBUTES_AT)
    const lastOffsetDelta = bytes.readInt32BE(start + LAST_OFFSET_DELTA_AT)
    if (lastOffsetDelta < 0) throw corruptBatch(place, `its last offset is ${lastOffsetDelta} behind its first`)
    const lastOffset = place.offset + lastOffsetDelta
    let block: RecordBlock | null = null
    const isAborted = this.#isAborted(start, attributes, lastOffset)
    const leftOut = isAborted || (attributes & CONTROL_BIT) !== 0 || lastOffset < fromOffset
    if (!leftOut) {
      const compression = COMPRESSIONS[attributes & COMPRESSION_BITS]
      if (compression === undefined)
        throw corruptBatch(place, `its compression is number ${attributes & COMPRESSION_BITS}`)
      const body = bytes.subarray(start + RECORDS_AT, end)
      const count = bytes.readInt32BE(start + COUNT_AT)
      const head = {
        place,
        count,
        lastOffsetDelta,
        baseTimestampMs: readInt64(bytes, start + BASE_TIMESTAMP_AT),
        appendTimeMs: attributes & APPEND_TIME_BIT ? readInt64(bytes, start + MAX_TIMESTAMP_AT) : null,
      }
      // Compaction may leave a batch without a record, and then without anything to decompress.
      if (compression !== 'none' && count > 0) {
        const data = decompressed(codec, compression, body, place, this.#maxBytes)
        block = readRecords(data, 0, data.length, head, fromOffset)
      } else if (count !== 0) block = readRecords(body, 0, body.length, head, fromOffset)
    }
    this.#past(end, lastOffset)
    return block
  }

  #isAborted(start: number, attributes: number, lastOffset: number): boolean {
    if (!this.#aborted || (attributes & TRANSACTIONAL_BIT) === 0) return false
    const producerId = this.#bytes.readBigInt64BE(start + PRODUCER_ID_AT)
    if ((attributes & CONTROL_BIT) === 0) return this.#aborted.covers(producerId, lastOffset)
    if (markerKind(this.#bytes, start + RECORDS_AT) === ABORT_MARKER) this.#aborted.end(producerId, lastOffset)
    return true
  }

  #old(start: number): RecordBlock {
    const { partition, codec, fromOffset } = this.#options
    const limits = { floor: this.#floor, checkCrcs: this.#checkCrcs, maxBytes: this.#maxBytes }
    const context = { partition, fromOffset, codec, ...limits }
    const { block, end, lastOffset } = readOldRecords(this.#bytes, start, context)
    this.#past(end, lastOffset)
    return block
  }

  #past(end: number, lastOffset: number): void {
    this.#at = end
    this.#floor = lastOffset + 1
    if (lastOffset >= this.#nextOffset) this.#nextOffset = lastOffset + 1
  }
}

/** The kind of the first control record of a batch, which is never compressed; −1 when it has none. */
function markerKind(bytes: Buffer, from: number): number {
  readVarint(bytes, from)
  readVarint(bytes, varintEnd + 1)
  readVarint(bytes, varintEnd)
  const keyBytes = readVarint(bytes, varintEnd)
  return keyBytes >= 4 && varintEnd + 4 <= bytes.length ? bytes.readInt16BE(varintEnd + 2) : -1
}
