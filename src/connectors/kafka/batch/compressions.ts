/**
 * Compression and decompression as Kafka's clients have it: gzip and zstd by Node.js, snappy and lz4 by functions of
 * the wire library, with Java's framing of snappy undone here. `wire/` calls `batchCodec` once. Invariant: nothing is
 * decompressed that says, or shows, that it becomes larger than allowed.
 */
import zlib from 'node:zlib'
import { type BatchCodec, type Compression, TooLarge } from './codec.ts'
import { lz4Bound } from './lz4-frame.ts'

/** What the wire library contributes. `snappy` is the raw format, `lz4` that of frames. */
export interface CompressionLibrary {
  crc32c(bytes: Uint8Array): number
  snappyCompress(bytes: Buffer): Buffer
  snappyDecompress(bytes: Buffer): Buffer
  lz4Compress(bytes: Buffer): Buffer
  lz4Decompress(bytes: Buffer): Buffer
}

interface Way {
  compress(bytes: Buffer): Buffer
  decompress(bytes: Buffer, maxBytes: number): Buffer
}

/** Node.js has zstd from 22.15 on; the types are those of the oldest version. */
interface Zstd {
  readonly zstdCompressSync?: (bytes: Buffer) => Buffer
  readonly zstdDecompressSync?: (bytes: Buffer, options: { maxOutputLength: number }) => Buffer
}

export function batchCodec(library: CompressionLibrary): BatchCodec {
  const ways: Record<Compression, Way | null> = {
    none: { compress: (bytes) => bytes, decompress: (bytes) => bytes },
    gzip: {
      compress: (bytes) => zlib.gzipSync(bytes),
      decompress: (bytes, maxBytes) => limited(() => zlib.gunzipSync(bytes, { maxOutputLength: maxBytes })),
    },
    snappy: {
      compress: (bytes) => library.snappyCompress(bytes),
      decompress: (bytes, maxBytes) => unsnapped(library, bytes, maxBytes),
    },
    lz4: {
      compress: (bytes) => library.lz4Compress(bytes),
      decompress(bytes, maxBytes) {
        if (lz4Bound(bytes) > maxBytes) throw new TooLarge()
        return library.lz4Decompress(bytes)
      },
    },
    zstd: zstd(zlib as Zstd),
  }
  const way = (compression: Compression): Way => {
    const found = ways[compression]
    if (!found) throw new Error(`no ${compression} here`)
    return found
  }
  return {
    crc32c: (bytes) => library.crc32c(bytes),
    refusal: (compression) =>
      ways[compression]
        ? null
        : `Node.js ${process.version} has no ${compression}: run Node.js 22.15 or newer, or have the records ` +
          'compressed with gzip, snappy or lz4',
    compress: (compression, bytes) => way(compression).compress(bytes),
    decompress: (compression, bytes, maxBytes) => way(compression).decompress(bytes, maxBytes),
  }
}

function zstd({ zstdCompressSync, zstdDecompressSync }: Zstd): Way | null {
  if (!zstdCompressSync || !zstdDecompressSync) return null
  return {
    compress: zstdCompressSync,
    decompress: (bytes, maxBytes) => limited(() => zstdDecompressSync(bytes, { maxOutputLength: maxBytes })),
  }
}

function limited(decompress: () => Buffer): Buffer {
  try {
    return decompress()
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw new TooLarge()
    throw error
  }
}

/** How the Java client starts its snappy: then a version and a compatible version i32, then blocks, each with its length i32. */
const XERIAL = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0])
const XERIAL_HEADER_BYTES = 16

function unsnapped(library: CompressionLibrary, bytes: Buffer, maxBytes: number): Buffer {
  const blocks = bytes.subarray(0, XERIAL.length).equals(XERIAL) ? xerialBlocks(bytes) : [bytes]
  let total = 0
  for (const block of blocks) if ((total += snappyBytes(block)) > maxBytes) throw new TooLarge()
  const parts = blocks.map((block) => library.snappyDecompress(block))
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

function xerialBlocks(bytes: Buffer): Buffer[] {
  const blocks: Buffer[] = []
  for (let at = XERIAL_HEADER_BYTES; at < bytes.length; ) {
    const end = at + 4 + (at + 4 <= bytes.length ? bytes.readInt32BE(at) : Infinity)
    if (!(end >= at + 4 && end <= bytes.length)) throw new Error('a block of it is cut off')
    blocks.push(bytes.subarray(at + 4, end))
    at = end
  }
  return blocks
}

/** Raw snappy starts with how long it becomes. */
function snappyBytes(block: Buffer): number {
  let bytes = 0
  for (let index = 0, weight = 1; index < 5; index += 1, weight *= 128) {
    const byte = block[index] ?? 0
    bytes += (byte & 127) * weight
    if (byte < 128) return bytes
  }
  throw new Error('it does not say how long it is')
}
