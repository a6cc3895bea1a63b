/**
 * What the batch codec is handed, since it loads no library itself, and the errors that all of its files throw.
 * `compressions.ts` makes the `BatchCodec`, `decode.ts` and `encode.ts` use it. Invariant: whatever goes wrong with a
 * batch is a HeadgateError that names its partition and offset.
 */
import { describe, HeadgateError } from '../../../model/errors.ts'

export type Compression = 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'

/** By the number that a batch's attributes carry. */
export const COMPRESSIONS: readonly Compression[] = ['none', 'gzip', 'snappy', 'lz4', 'zstd']

export interface BatchCodec {
  /** CRC-32C (Castagnoli), unsigned. */
  crc32c(bytes: Uint8Array): number
  /** Why this compression is not to be had here, and what to do; null when it is. */
  refusal(compression: Compression): string | null
  compress(compression: Compression, bytes: Buffer): Buffer
  /** Throws where the data is damaged, and `TooLarge` where it would become larger than `maxBytes`. */
  decompress(compression: Compression, bytes: Buffer, maxBytes: number): Buffer
}

/** Thrown by `decompress`, before the memory is taken. */
export class TooLarge extends Error {}

/** Which batch an error is about. */
export interface BatchPlace {
  /** As the source names it, for example `payments/3`. */
  readonly partition: string
  /** The first offset that the batch says it holds. */
  readonly offset: number
}

/** `what` completes "cannot be read: …". */
export function corruptBatch({ partition, offset }: BatchPlace, what: string, cause?: unknown): HeadgateError {
  const text =
    `The record batch at offset ${offset} of ${partition} cannot be read: ${what}. If reading it again gives the ` +
    `same, the broker's copy is damaged: restore it from a replica, or move the group's offset behind the batch`
  return new HeadgateError('HG_STORAGE', text, { cause })
}

/** `size` completes "The record batch …". */
export function oversizedBatch({ partition, offset }: BatchPlace, size: string, maxBytes: number): HeadgateError {
  const text =
    `The record batch at offset ${offset} of ${partition} ${size}, more than maxRecordBatchBytes (${maxBytes}): ` +
    `raise maxRecordBatchBytes, with memory for it, or move the group's offset behind the batch`
  return new HeadgateError('HG_STORAGE', text)
}

/** The records section of a compressed batch, at most `maxBytes` long. */
export function decompressed(
  codec: BatchCodec,
  compression: Compression,
  bytes: Buffer,
  place: BatchPlace,
  maxBytes: number,
): Buffer {
  const refusal = codec.refusal(compression)
  if (refusal !== null) {
    const text = `The record batch at offset ${place.offset} of ${place.partition} cannot be read: ${refusal}`
    throw new HeadgateError('HG_STORAGE', text)
  }
  try {
    return codec.decompress(compression, bytes, maxBytes)
  } catch (error) {
    if (error instanceof TooLarge) throw oversizedBatch(place, 'is too long without its compression', maxBytes)
    throw corruptBatch(place, `its ${compression} data cannot be decompressed (${describe(error)})`, error)
  }
}
