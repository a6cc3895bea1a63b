/**
 * What can be read off LZ4 frames without decompressing them. `compressions.ts` asks how large they may become,
 * `old-format.ts` has a checksum put right. Invariant: reading never leaves the bytes, whatever they say.
 *
 * A frame: magic u32 (little endian), flags, block size, content size u64 if flagged, dictionary u32 if flagged,
 * header checksum; blocks, each with its length u32 (highest bit: not compressed) and a checksum u32 if flagged; 0 u32;
 * content checksum u32 if flagged (lz4_Frame_format.md).
 */

const MAGIC = 0x184d2204
const FLAGS_AT = 4
const BLOCK_SIZE_AT = 5
const DICTIONARY = 1
const CONTENT_CHECKSUM = 4
const CONTENT_SIZE = 8
const BLOCK_CHECKSUM = 16
const NOT_COMPRESSED = 0x80000000
/** A byte of LZ4 stands for so many bytes at most. */
const LARGEST_RATIO = 255

/** The most bytes that these frames can become; 0 for what is no frame at all. */
export function lz4Bound(bytes: Buffer): number {
  let bound = 0
  let at = 0
  while (isFrame(bytes, at)) {
    const flags = bytes[at + FLAGS_AT] as number
    const largestBlock = 1 << (8 + 2 * (((bytes[at + BLOCK_SIZE_AT] as number) >> 4) & 7))
    at = headerEnd(bytes, at) + 1
    for (let length = lengthAt(bytes, at); length !== 0; length = lengthAt(bytes, at)) {
      const stored = length % NOT_COMPRESSED
      bound += length >= NOT_COMPRESSED ? stored : Math.min(largestBlock, stored * LARGEST_RATIO)
      at += 4 + stored + (flags & BLOCK_CHECKSUM ? 4 : 0)
    }
    at += 4 + (flags & CONTENT_CHECKSUM ? 4 : 0)
  }
  return bound
}

/**
 * The same bytes with a right header checksum. Clients before 0.10 took it over the magic too (KAFKA-3160), and what
 * they wrote is stored in messages of magic 0.
 */
export function withRightChecksum(bytes: Buffer): Buffer {
  if (!isFrame(bytes, 0)) return bytes
  const at = headerEnd(bytes, 0)
  if (at >= bytes.length) return bytes
  const right = Buffer.from(bytes)
  right[at] = (shortXxh32(right.subarray(FLAGS_AT, at)) >>> 8) & 255
  return right
}

function isFrame(bytes: Buffer, at: number): boolean {
  return at + 7 <= bytes.length && bytes.readUInt32LE(at) === MAGIC
}

/** Where the header checksum is. */
function headerEnd(bytes: Buffer, at: number): number {
  const flags = bytes[at + FLAGS_AT] as number
  return at + BLOCK_SIZE_AT + 1 + (flags & CONTENT_SIZE ? 8 : 0) + (flags & DICTIONARY ? 4 : 0)
}

function lengthAt(bytes: Buffer, at: number): number {
  return at + 4 <= bytes.length ? bytes.readUInt32LE(at) : 0
}

const P1 = 0x9e3779b1
const P2 = 0x85ebca77
const P3 = 0xc2b2ae3d
const P4 = 0x27d4eb2f
const P5 = 0x165667b1

/** XXH32 with seed 0 of fewer than 16 bytes, as a header has (xxhash_spec.md). */
function shortXxh32(bytes: Buffer): number {
  const rotated = (value: number, by: number): number => (value << by) | (value >>> (32 - by))
  let hash = (P5 + bytes.length) | 0
  let at = 0
  for (; at + 4 <= bytes.length; at += 4)
    hash = Math.imul(rotated((hash + Math.imul(bytes.readInt32LE(at), P3)) | 0, 17), P4)
  for (; at < bytes.length; at += 1) hash = Math.imul(rotated((hash + Math.imul(bytes[at] as number, P5)) | 0, 11), P1)
  hash = Math.imul(hash ^ (hash >>> 15), P2)
  hash = Math.imul(hash ^ (hash >>> 13), P3)
  return (hash ^ (hash >>> 16)) >>> 0
}
