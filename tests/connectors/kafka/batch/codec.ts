/** The batch codec over the wire library's functions, and short cuts that the tests of the codec share. */
import { compressionsAlgorithms, crc32c } from '@platformatic/kafka'
import type { RecordBlock } from '../../../../src/connectors/kafka/batch/block.ts'
import type { Compression } from '../../../../src/connectors/kafka/batch/codec.ts'
import { batchCodec } from '../../../../src/connectors/kafka/batch/compressions.ts'
import { type DecodeOptions, RecordBatches } from '../../../../src/connectors/kafka/batch/decode.ts'
import type { EncodableRecord, EncodeOptions } from '../../../../src/connectors/kafka/batch/encode.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'

const { snappy, lz4 } = compressionsAlgorithms

export const codec = batchCodec({
  crc32c: (bytes) => crc32c(bytes as Buffer),
  snappyCompress: (bytes) => snappy.compressSync(bytes),
  snappyDecompress: (bytes) => snappy.decompressSync(bytes),
  lz4Compress: (bytes) => lz4.compressSync(bytes),
  lz4Decompress: (bytes) => lz4.decompressSync(bytes),
})

/** Those that this version of Node.js has. */
export const compressionsHere = (
  ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const satisfies readonly Compression[]
).filter((compression) => codec.refusal(compression) === null)

export const plainDecoding: DecodeOptions = {
  partition: 't/0',
  fromOffset: 0,
  abortedTransactions: [],
  readCommitted: true,
  codec,
}

export const plainEncoding: EncodeOptions = {
  codec,
  compression: 'none',
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
}

export function record(value: string | Uint8Array | null, more: Partial<EncodableRecord> = {}): EncodableRecord {
  return { key: null, value, headers: NO_HEADERS, timestampMs: 1_700_000_000_000, ...more }
}

export interface Decoded {
  readonly offset: number
  readonly timestampMs: number
  readonly key: string | null
  readonly value: string | null
  readonly headers: Readonly<Record<string, string>>
}

/** Everything of all records, as text. */
export function contents(blocks: readonly RecordBlock[]): Decoded[] {
  return blocks.flatMap((block) =>
    Array.from({ length: block.count }, (_, index) => ({
      offset: block.offsets[index] as number,
      timestampMs: block.timestampMsAt(index),
      key: block.keyAt(index)?.toString() ?? null,
      value: block.valueAt(index)?.toString() ?? null,
      headers: Object.fromEntries(
        Object.entries(block.headersAt(index)).map(([name, value]) => [
          name,
          Buffer.from(value as Uint8Array).toString(),
        ]),
      ),
    })),
  )
}

/** The batch with another first offset, as the broker sets it: it lies outside of the checksum. */
export function placedAt(batch: Buffer, offset: number): Buffer {
  const placed = Buffer.from(batch)
  placed.writeBigInt64BE(BigInt(offset), 0)
  return placed
}

/** All of it at once. */
export function decodeRecordBatches(
  fetched: Buffer,
  options: DecodeOptions,
): { batches: RecordBlock[]; nextOffset: number; incompleteBytes: number } {
  const reader = new RecordBatches(fetched, options)
  const batches: RecordBlock[] = []
  for (let block = reader.next(); block; block = reader.next()) batches.push(block)
  return { batches, nextOffset: reader.nextOffset, incompleteBytes: reader.leftBytes }
}
