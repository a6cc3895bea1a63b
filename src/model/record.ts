/**
 * The record: one unit of work as a source delivers it. Sources create it, the engine only reads it, and handlers
 * see it (without its raw value) as `RecordInfo`. Offsets rise within a partition, and gaps are allowed.
 */

/** Header values as the broker keeps them: text or bytes. */
export type RecordHeaders = Readonly<Record<string, string | Uint8Array>>

/** Where a record came from, and when; everything but its payload. */
export interface RecordInfo {
  /** The ordering key, or null for a record that has none. */
  readonly key: string | null
  /** The partition's name, unique within the source, for example `payments/3`. */
  readonly partition: string
  /** Position within the partition; a safe integer that rises from record to record. */
  readonly offset: number
  /** When the producer (or broker) stamped it, milliseconds since the Unix epoch. */
  readonly timestampMs: number
  readonly headers: RecordHeaders
  /** Key, value and headers as charged to the memory budget, in bytes. */
  readonly bytes: number
}

/** A record with the payload the source delivered: bytes before `decode`, or the value itself. */
export interface SourceRecord<V = unknown> extends RecordInfo {
  readonly value: V
}

/** Shared by records that carry no headers, so that they cost nothing. */
export const NO_HEADERS: RecordHeaders = Object.freeze(Object.create(null) as Record<string, string>)
