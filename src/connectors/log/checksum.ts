/**
 * The checksum of stored batches, 32 bits: the rounds of XXH32, 32 lanes wide instead of 4. `batch.ts` computes it at
 * every append and every read, where CRC-32 would be the largest cost of all. WebAssembly does the rounds, and a loop in
 * script where there is none. Invariant: it is the same on every machine, because it is stored; and a change within one
 * word, a flipped bit among them, always changes it, since every round can be undone.
 */
import { assembleRounds } from './checksum-rounds.ts'

/** XXH32's multipliers. */
const P1 = 0x9e3779b1
const P2 = 0x85ebca77
const P3 = 0xc2b2ae3d
const P4 = 0x27d4eb2f

export const LANES = 32
const BLOCK = LANES * 4
/** The module has one page of memory: the lanes, then as many whole blocks as fit. */
const PAGE = 65_536
const INPUT = BLOCK
const INPUT_BYTES = PAGE - INPUT

/** Reads little endian words of `bytes` into the lanes, block after block; the end is filled up with zeros. */
interface Rounds {
  readonly lanes: DataView
  run(bytes: Uint8Array): void
}

export type Checksum = (bytes: Uint8Array) => number

function checksumBy({ lanes, run }: Rounds): Checksum {
  return (bytes) => {
    for (let lane = 0; lane < LANES; lane += 1) lanes.setInt32(lane * 4, Math.imul(lane + 1, P1), true)
    run(bytes)
    let hash = bytes.length | 0
    for (let lane = 0; lane < LANES; lane += 1) {
      const sum = (hash + Math.imul(lanes.getInt32(lane * 4, true), P3)) | 0
      hash = Math.imul((sum << 17) | (sum >>> 15), P4)
    }
    hash = Math.imul(hash ^ (hash >>> 15), P2)
    hash = Math.imul(hash ^ (hash >>> 13), P3)
    return (hash ^ (hash >>> 16)) >>> 0
  }
}

/** In script: several times slower than CRC-32, and what the other is checked against. */
export function scriptChecksum(): Checksum {
  const lanes = new DataView(new ArrayBuffer(BLOCK))
  const round = (lane: number, word: number): void => {
    const sum = (lanes.getInt32(lane * 4, true) + Math.imul(word, P2)) | 0
    lanes.setInt32(lane * 4, Math.imul((sum << 13) | (sum >>> 19), P1), true)
  }
  return checksumBy({
    lanes,
    run(bytes) {
      const whole = bytes.length - (bytes.length % BLOCK)
      const end = new Uint8Array(whole === bytes.length ? 0 : BLOCK)
      end.set(bytes.subarray(whole))
      for (const part of [bytes.subarray(0, whole), end]) {
        const words = new DataView(part.buffer, part.byteOffset, part.length)
        for (let at = 0; at < part.length; at += 4) round((at >> 2) % LANES, words.getInt32(at, true))
      }
    },
  })
}

/** Null where WebAssembly or its SIMD is missing. */
export function wasmChecksum(): Checksum | null {
  const rounds = assembleRounds(LANES, P1, P2)
  if (!rounds) return null
  const { memory, run } = rounds
  const page = new Uint8Array(memory)
  return checksumBy({
    lanes: new DataView(memory, 0, BLOCK),
    run(bytes) {
      for (let from = 0; from < bytes.length; from += INPUT_BYTES) {
        const to = Math.min(bytes.length, from + INPUT_BYTES)
        page.set(to - from === bytes.length ? bytes : bytes.subarray(from, to), INPUT)
        let end = INPUT + to - from
        if (end % BLOCK !== 0) page.fill(0, end, (end += BLOCK - (end % BLOCK)))
        run(INPUT, end)
      }
    },
  })
}

export const checksum: Checksum = wasmChecksum() ?? scriptChecksum()
