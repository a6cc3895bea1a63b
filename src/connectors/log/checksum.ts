/**
 * The checksum of stored batches: XXH64, from @node-rs/xxhash. `encode.ts` and `batch.ts` compute it at every append
 * and every read, where nothing may wait. Invariant: it is stored, so it is the same in every process and version.
 */
import { xxh64 } from '@node-rs/xxhash'

/** 64 bits. */
export function checksum(bytes: Uint8Array): bigint {
  return xxh64(bytes)
}
