/**
 * The checksum of stored batches: XXH64, from xxhash-wasm. `store.ts` loads it while a log is being opened, `encode.ts`
 * and `batch.ts` compute it at every append and every read, where nothing may wait. Invariant: it is stored, so it is
 * the same in every process and version.
 */
import xxhash, { type XXHashAPI } from 'xxhash-wasm'
import { HeadgateError } from '../../model/errors.ts'

/**
 * More than this is hashed in parts. It gives the same and is a quarter faster; and the module's memory grows to the
 * largest input that it was ever given and never shrinks.
 */
const PART_BYTES = 64 * 1024

let loaded: XXHashAPI | null = null

/** Not while this file is imported: a top-level await would keep CommonJS from requiring the package. */
export async function loadChecksum(): Promise<void> {
  if (loaded) return
  try {
    loaded = await xxhash()
  } catch (cause) {
    const message = 'The log cannot compute checksums: start Node.js with WebAssembly (without --jitless)'
    throw new HeadgateError('HG_STORAGE', message, { cause })
  }
}

/** 64 bits. Throws `HG_INVARIANT` until `loadChecksum` has resolved. */
export function checksum(bytes: Uint8Array): bigint {
  if (!loaded) throw new HeadgateError('HG_INVARIANT', 'a checksum was asked for before loadChecksum had resolved')
  if (bytes.length <= PART_BYTES) return loaded.h64Raw(bytes)
  const hash = loaded.create64()
  for (let at = 0; at < bytes.length; at += PART_BYTES) hash.update(bytes.subarray(at, at + PART_BYTES))
  return hash.digest()
}
