/**
 * The set of offsets completed ahead of the committed one, as it travels in a commit: the smaller of run lengths and
 * a bitset, with a version and a checksum, so that foreign or torn bytes are recognised and ignored (which is safe:
 * the records are merely done again). Layout: 'H' 'G', version, kind, Fletcher-16 of the body, body.
 * Runs: varint pairs (gap since the previous run's end, length). Bitset: bit i is offset `nextOffset + i`.
 */
const MAGIC_0 = 0x48
const MAGIC_1 = 0x47
const VERSION = 1
const KIND_RUNS = 0
const KIND_BITSET = 1
const HEADER_BYTES = 6

/** Half-open runs of offsets, rising and disjoint: [start, end) pairs in one flat array. */
export type Runs = number[]

/** Encodes `runs`, all at or above `nextOffset`. Where the space is too small, the furthest runs are left out. */
export function encodeDoneSet(nextOffset: number, runs: Runs, maxBytes: number): Uint8Array | null {
  if (runs.length === 0 || maxBytes <= HEADER_BYTES) return null
  const body = smallest(nextOffset, runs, maxBytes - HEADER_BYTES)
  if (body.bytes.length === 0) return null
  const encoded = new Uint8Array(HEADER_BYTES + body.bytes.length)
  const sum = fletcher16(body.bytes)
  encoded.set([MAGIC_0, MAGIC_1, VERSION, body.kind, sum >>> 8, sum & 0xff])
  encoded.set(body.bytes, HEADER_BYTES)
  return encoded
}

/** The runs that `encodeDoneSet` wrote, or null when the bytes are not ours, newer than this version, or damaged. */
export function decodeDoneSet(nextOffset: number, encoded: Uint8Array): Runs | null {
  if (encoded.length < HEADER_BYTES || encoded[0] !== MAGIC_0 || encoded[1] !== MAGIC_1) return null
  if (encoded[2] !== VERSION) return null
  const body = encoded.subarray(HEADER_BYTES)
  if (fletcher16(body) !== (((encoded[4] as number) << 8) | (encoded[5] as number))) return null
  if (encoded[3] === KIND_RUNS) return decodeRuns(nextOffset, body)
  return encoded[3] === KIND_BITSET ? decodeBitset(nextOffset, body) : null
}

/** An upper bound of the encoded size, from figures that the ledger keeps up to date: no scan is needed. */
export function doneSetBytesBound(runCount: number, spanOffsets: number): number {
  if (runCount === 0) return 0
  const perRun = 2 * varintBytes(spanOffsets)
  return HEADER_BYTES + Math.min(runCount * perRun, Math.ceil(spanOffsets / 8))
}

function smallest(nextOffset: number, runs: Runs, space: number): { kind: number; bytes: Uint8Array } {
  const span = (runs[runs.length - 1] as number) - nextOffset
  const bitsetBytes = Math.ceil(span / 8)
  // A run takes two bytes at the least.
  const bitsetIsSmaller = bitsetBytes <= Math.min(runs.length, space)
  if (bitsetIsSmaller) return { kind: KIND_BITSET, bytes: encodeBitset(nextOffset, runs, bitsetBytes) }
  const runBytes = encodeRuns(nextOffset, runs, space)
  if (bitsetBytes <= space && (runBytes.cut || bitsetBytes < runBytes.bytes.length)) {
    return { kind: KIND_BITSET, bytes: encodeBitset(nextOffset, runs, bitsetBytes) }
  }
  return { kind: KIND_RUNS, bytes: runBytes.bytes }
}

function encodeRuns(nextOffset: number, runs: Runs, space: number): { bytes: Uint8Array; cut: boolean } {
  const bytes: number[] = []
  let position = nextOffset
  for (let index = 0; index < runs.length; index += 2) {
    const start = runs[index] as number
    const end = runs[index + 1] as number
    const before = bytes.length
    pushVarint(bytes, start - position)
    pushVarint(bytes, end - start)
    if (bytes.length > space) return { bytes: Uint8Array.from(bytes.slice(0, before)), cut: true }
    position = end
  }
  return { bytes: Uint8Array.from(bytes), cut: false }
}

function encodeBitset(nextOffset: number, runs: Runs, length: number): Uint8Array {
  const bits = new Uint8Array(length)
  for (let index = 0; index < runs.length; index += 2) {
    for (
      let offset = (runs[index] as number) - nextOffset;
      offset < (runs[index + 1] as number) - nextOffset;
      offset += 1
    ) {
      bits[offset >>> 3] = (bits[offset >>> 3] as number) | (1 << (offset & 7))
    }
  }
  return bits
}

function decodeRuns(nextOffset: number, body: Uint8Array): Runs | null {
  const runs: Runs = []
  let position = nextOffset
  let at = 0
  const varint = (): number => {
    let value = 0
    let factor = 1
    for (;;) {
      const byte = body[at]
      if (byte === undefined || factor > Number.MAX_SAFE_INTEGER) return Number.NaN
      at += 1
      value += (byte & 0x7f) * factor
      if (byte < 0x80) return value
      factor *= 128
    }
  }
  while (at < body.length) {
    const start = position + varint()
    const end = start + varint()
    if (!Number.isSafeInteger(end) || end <= start) return null
    runs.push(start, end)
    position = end
  }
  return runs
}

function decodeBitset(nextOffset: number, body: Uint8Array): Runs {
  const runs: Runs = []
  let start = -1
  for (let bit = 0; bit <= body.length * 8; bit += 1) {
    const set = ((body[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0
    if (set && start < 0) start = bit
    if (!set && start >= 0) {
      runs.push(nextOffset + start, nextOffset + bit)
      start = -1
    }
  }
  return runs
}

function pushVarint(bytes: number[], value: number): void {
  let rest = value
  while (rest >= 128) {
    bytes.push((rest % 128) | 128)
    rest = Math.floor(rest / 128)
  }
  bytes.push(rest)
}

function varintBytes(value: number): number {
  let bytes = 1
  for (let rest = value; rest >= 128; rest /= 128) bytes += 1
  return bytes
}

/** Fletcher's checksum over bytes, 16 bits (J. Fletcher, 1982). */
function fletcher16(bytes: Uint8Array): number {
  let a = 0
  let b = 0
  for (const byte of bytes) {
    a = (a + byte) % 255
    b = (b + a) % 255
  }
  return (b << 8) | a
}
