/**
 * The records of one partition that one pull brought. Until something asynchronous happens to them they are rows of
 * this lot: no object is made for a record that nobody looks at. Row `i` has the delivery sequence `span.firstSequence + i`.
 */
import type { Column, RecordBatch, RecordColumns } from '../model/connector.ts'
import type { SourceRecord } from '../model/record.ts'
import type { HeldLane } from './held-lane.ts'
import { type Ledger, Span } from './ledger.ts'
import { Partition } from './partition.ts'

export class Lot {
  readonly partition: Partition
  readonly columns: RecordColumns
  /** Its rows are those of the lot. */
  readonly span: Span
  /** What all of its records are charged to the memory budget, and what the largest of them is. */
  readonly bytes: number
  readonly mostBytes: number
  readonly #records: (SourceRecord | undefined)[] = []
  /** The last lane of each record that travels as a row; null where none was in one. */
  #lanes: (HeldLane | null)[] | null = null

  constructor(partition: Partition, columns: RecordColumns, span: Span) {
    this.partition = partition
    this.columns = columns
    this.span = span
    this.bytes = sumOf(columns.bytes, columns.offsets.length)
    this.mostBytes = mostOf(columns.bytes)
  }

  get length(): number {
    return this.columns.offsets.length
  }

  /** What these rows are charged to the memory budget. */
  bytesOf(rows: readonly number[]): number {
    const { bytes } = this.columns
    if (typeof bytes === 'number') return bytes * rows.length
    let sum = 0
    for (let at = 0; at < rows.length; at += 1) sum += bytes[rows[at] as number] as number
    return sum
  }

  get hasLanes(): boolean {
    return this.#lanes !== null
  }

  /** The last lane that the record of a row was in; of an item, the item knows. */
  laneAt(row: number): HeldLane | null {
    return this.#lanes === null ? null : (this.#lanes[row] as HeldLane | null)
  }

  setLane(row: number, lane: HeldLane | null): void {
    if (this.#lanes === null) {
      if (lane === null) return
      this.#lanes = new Array<HeldLane | null>(this.length).fill(null)
    }
    this.#lanes[row] = lane
  }

  /** The records of these rows have ended: they hold no key any more, and where their keys go need not be known. */
  leaveLanes(rows: readonly number[]): void {
    const lanes = this.#lanes
    if (lanes === null) return
    for (let at = 0; at < rows.length; at += 1) {
      const row = rows[at] as number
      const lane = lanes[row] as HeldLane | null
      if (lane === null) continue
      lanes[row] = null
      if (lane.isHeldByRow(this, row)) lane.leave()
      lane.release()
    }
  }

  /** The record of a row; the same object each time. */
  recordAt(row: number): SourceRecord {
    return (this.#records[row] ??= this.columns.recordAt(row))
  }
}

function sumOf(column: Column, length: number): number {
  if (typeof column === 'number') return column * length
  let sum = 0
  for (let row = 0; row < length; row += 1) sum += column[row] as number
  return sum
}

function mostOf(column: Column): number {
  if (typeof column === 'number') return column
  let most = 0
  for (let row = 0; row < column.length; row += 1) if ((column[row] as number) > most) most = column[row] as number
  return most
}

/** The columns of a batch, made from its records where the source did not bring them. */
export function columnsOf(batch: RecordBatch): RecordColumns {
  if (batch.columns !== undefined) return batch.columns
  const { records } = batch
  const { length } = records
  const made = {
    values: new Array<unknown>(length),
    offsets: new Float64Array(length),
    timestampsMs: new Float64Array(length),
    bytes: new Float64Array(length),
    keyAt: (index: number): string | null => (records[index] as SourceRecord).key,
    recordAt: (index: number): SourceRecord => records[index] as SourceRecord,
  }
  for (let index = 0; index < length; index += 1) {
    const { value, offset, timestampMs, bytes } = records[index] as SourceRecord
    made.values[index] = value
    made.offsets[index] = offset
    made.timestampsMs[index] = timestampMs
    made.bytes[index] = bytes
  }
  return made
}

/** Settles those rows of a new lot that were done before this assignment; returns the others. */
export function completeDone(ledger: Ledger, { columns: { offsets }, span }: Lot): number[] {
  const fresh: number[] = []
  for (let row = 0; row < offsets.length; row += 1) {
    if (ledger.wasDone(offsets[row] as number)) ledger.complete(span, row)
    else fresh.push(row)
  }
  return fresh
}

/** For an item that stands for no record just now: it keeps no lot alive. */
export const NO_LOT = new Lot(
  new Partition({ partition: '', epoch: 0, nextOffset: 0, doneAhead: null }, 0, -1),
  columnsOf({ partition: '', epoch: 0, records: [] }),
  new Span(0, new Float64Array(0), 0),
)
