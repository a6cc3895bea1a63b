/** Writes messages of the formats before Kafka 0.11, for tests in one process; brokers' own are in `java.integration.test.ts`. */
import { crc32 } from 'node:zlib'
import type { Compression } from '../../../../src/connectors/kafka/batch/codec.ts'
import { COMPRESSIONS } from '../../../../src/connectors/kafka/batch/codec.ts'
import { codec } from './codec.ts'

export interface OldMessage {
  readonly offset: number
  readonly timestampMs?: number
  readonly key?: string | null
  readonly value: string | Buffer | null
}

export function oldMessage(
  magic: number,
  { offset, timestampMs = -1, key = null, value }: OldMessage,
  attributes = 0,
): Buffer {
  const int = (given: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(given)
    return bytes
  }
  const long = (given: number): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigInt64BE(BigInt(given))
    return bytes
  }
  const field = (given: string | Buffer | null): Buffer[] => {
    const bytes = given === null ? null : Buffer.from(given)
    return [int(bytes?.length ?? -1), ...(bytes ? [bytes] : [])]
  }
  const time = magic === 1 ? [long(timestampMs)] : []
  const checked = Buffer.concat([Buffer.of(magic, attributes), ...time, ...field(key), ...field(value)])
  return Buffer.concat([long(offset), int(checked.length + 4), int(crc32(checked) | 0), checked])
}

/** A set compressed inside one message, with offsets as the format has them. */
export function oldSet(
  magic: number,
  compression: Compression,
  records: readonly OldMessage[],
  appendTimeMs?: number,
): Buffer {
  const last = records.at(-1)!.offset
  const first = magic === 1 ? records[0]!.offset : 0
  const inner = Buffer.concat(records.map((each) => oldMessage(magic, { ...each, offset: each.offset - first })))
  const attributes = COMPRESSIONS.indexOf(compression) | (appendTimeMs === undefined ? 0 : 8)
  const outer = {
    offset: last,
    value: codec.compress(compression, inner),
    timestampMs: appendTimeMs ?? records.at(-1)!.timestampMs ?? -1,
  }
  return oldMessage(magic, outer, attributes)
}
