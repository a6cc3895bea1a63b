/**
 * Records as the runtime takes them: columns over blocks, with keys, headers and whole records made when somebody looks
 * at them. `take.ts` makes one batch of each partition that a pull takes from. Invariant: a row is the same record for
 * as long as anyone keeps the batch.
 */
import type { Column, RecordBatch, RecordColumns } from '../../../model/connector.ts'
import type { RecordHeaders, SourceRecord } from '../../../model/record.ts'
import type { RecordBlock } from '../batch/block.ts'

/** Records `from` to before `to` of a block. */
export interface Slice {
  readonly block: RecordBlock
  readonly from: number
  readonly to: number
  /** Of these records. */
  readonly bytes: number
}

/** What all records of a partition have in common. */
export interface Origin {
  readonly name: string
  readonly keyEncoding: 'utf8' | 'hex' | 'base64'
  /** Whether the decoder takes text for bytes, see `Decoder`. */
  readonly readsText: boolean
}

export class KafkaBatch implements RecordBatch {
  readonly partition: string
  readonly epoch: number
  readonly columns: Columns
  #records: readonly SourceRecord[] | null = null

  constructor(origin: Origin, epoch: number, slices: readonly Slice[]) {
    this.partition = origin.name
    this.epoch = epoch
    this.columns = new Columns(origin, slices)
  }

  get records(): readonly SourceRecord[] {
    const { columns } = this
    this.#records ??= Array.from(columns.offsets, (_offset, index) => columns.recordAt(index))
    return this.#records
  }
}

class Columns implements RecordColumns {
  readonly values: unknown[]
  readonly offsets: Float64Array
  readonly timestampsMs: Column
  readonly bytes: Float64Array
  readonly #origin: Origin
  readonly #slices: readonly Slice[]

  constructor(origin: Origin, slices: readonly Slice[]) {
    this.#origin = origin
    this.#slices = slices
    const { block, from, to } = slices[0] as Slice
    if (slices.length === 1 && to - from === block.count) {
      this.offsets = block.offsets
      this.bytes = block.sizes
      this.timestampsMs = block.timestampsMs
    } else if (slices.length === 1) {
      this.offsets = block.offsets.subarray(from, to)
      this.bytes = block.sizes.subarray(from, to)
      this.timestampsMs =
        typeof block.timestampsMs === 'number' ? block.timestampsMs : block.timestampsMs.subarray(from, to)
    } else {
      const length = lengthOf(slices)
      this.offsets = new Float64Array(length)
      this.bytes = new Float64Array(length)
      this.timestampsMs = new Float64Array(length)
      gather(slices, this.offsets, this.bytes, this.timestampsMs)
    }
    const values = new Array<unknown>(this.offsets.length)
    let row = 0
    for (const slice of slices) {
      slice.block.copyValues(slice.from, slice.to, values, row, origin.readsText)
      row += slice.to - slice.from
    }
    this.values = values
  }

  keyAt(row: number): string | null {
    const { block, index } = this.#at(row)
    return block.keyAt(index)?.toString(this.#origin.keyEncoding) ?? null
  }

  recordAt(row: number): SourceRecord {
    const { block, index } = this.#at(row)
    return new KafkaRecord(this.#origin, block, index)
  }

  #at(row: number): { block: RecordBlock; index: number } {
    let before = 0
    for (const { block, from, to } of this.#slices) {
      if (row < before + to - from) return { block, index: from + row - before }
      before += to - from
    }
    throw new RangeError(`row ${row} of ${before}`)
  }
}

class KafkaRecord implements SourceRecord<Uint8Array | null> {
  readonly partition: string
  readonly offset: number
  readonly timestampMs: number
  readonly bytes: number
  readonly #origin: Origin
  readonly #block: RecordBlock
  readonly #index: number
  #key: string | null | undefined
  #headers: RecordHeaders | undefined

  constructor(origin: Origin, block: RecordBlock, index: number) {
    this.partition = origin.name
    this.offset = block.offsets[index] as number
    this.timestampMs = block.timestampMsAt(index)
    this.bytes = block.sizeAt(index)
    this.#origin = origin
    this.#block = block
    this.#index = index
  }

  get key(): string | null {
    if (this.#key === undefined) {
      this.#key = this.#block.keyAt(this.#index)?.toString(this.#origin.keyEncoding) ?? null
    }
    return this.#key
  }

  get value(): Uint8Array | null {
    return this.#block.valueAt(this.#index)
  }

  get headers(): RecordHeaders {
    this.#headers ??= this.#block.headersAt(this.#index)
    return this.#headers
  }
}

function lengthOf(slices: readonly Slice[]): number {
  return slices.reduce((sum, { from, to }) => sum + to - from, 0)
}

function gather(slices: readonly Slice[], offsets: Float64Array, bytes: Float64Array, stamps: Float64Array): void {
  let row = 0
  for (const { block, from, to } of slices) {
    offsets.set(block.offsets.subarray(from, to), row)
    bytes.set(block.sizes.subarray(from, to), row)
    const { timestampsMs } = block
    if (typeof timestampsMs === 'number') stamps.fill(timestampsMs, row, row + to - from)
    else stamps.set(timestampsMs.subarray(from, to), row)
    row += to - from
  }
}
