/**
 * The record of the memory connectors: one class, so that every record has the same hidden shape and reading its
 * fields stays fast. Sources and topics create it; nobody changes it afterwards.
 */
import type { RecordHeaders, SourceRecord } from '../../model/record.ts'

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
