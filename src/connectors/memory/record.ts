/**
 * The record of the memory connectors: one class, so that every record has the same hidden shape and reading its
 * fields stays fast. Sources and topics create it; nobody changes it afterwards.
 */
import { type Column, columnAt, type RecordBatch, type RecordColumns } from '../../model/connector.ts'
import { NO_HEADERS, type RecordHeaders, type SourceRecord } from '../../model/record.ts'

/** What a value is charged to the memory budget when nobody says how large it is, in bytes. */
export const DEFAULT_RECORD_BYTES = 64

export class MemoryRecord<V> implements SourceRecord<V> {
  readonly key: string | null
  readonly partition: string
  readonly offset: number
  readonly timestampMs: number
  readonly headers: RecordHeaders
  readonly bytes: number
  readonly value: V

  constructor(
    key: string | null,
    partition: string,
    offset: number,
    timestampMs: number,
    headers: RecordHeaders,
    bytes: number,
    value: V,
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

/** The partition of a key: FNV-1a over its UTF-16 units, so that it is the same in every run. */
export function partitionOf(key: string, partitions: number): number {
  let hash = 0x811c9dc5
  for (let at = 0; at < key.length; at += 1) hash = Math.imul(hash ^ key.charCodeAt(at), 0x01000193)
  return (hash >>> 0) % partitions
}

/** Values in rising offsets from `firstOffset`, of which no record is made until it is asked for. */
export class ValueBatch<V> implements RecordBatch, RecordColumns {
  readonly partition: string
  readonly epoch: number
  readonly values: V[]
  readonly offsets: Float64Array
  readonly timestampsMs: Column
  readonly bytes = DEFAULT_RECORD_BYTES
  readonly #keys: readonly (string | null)[] | null

  /** Takes the arrays. `keys`: one for each value, or null when none has one. */
  constructor(
    partition: string,
    epoch: number,
    firstOffset: number,
    values: V[],
    timestampsMs: Column,
    keys: readonly (string | null)[] | null,
  ) {
    const offsets = new Float64Array(values.length)
    for (let at = 0; at < offsets.length; at += 1) offsets[at] = firstOffset + at
    this.partition = partition
    this.epoch = epoch
    this.values = values
    this.offsets = offsets
    this.timestampsMs = timestampsMs
    this.#keys = keys
  }

  get columns(): RecordColumns {
    return this
  }

  get records(): readonly SourceRecord[] {
    return Array.from(this.values, (_, at) => this.recordAt(at))
  }

  keyAt(at: number): string | null {
    return this.#keys === null ? null : (this.#keys[at] as string | null)
  }

  recordAt(at: number): MemoryRecord<V> {
    return new MemoryRecord(
      this.keyAt(at),
      this.partition,
      this.offsets[at] as number,
      columnAt(this.timestampsMs, at),
      NO_HEADERS,
      DEFAULT_RECORD_BYTES,
      this.values[at] as V,
    )
  }
}
