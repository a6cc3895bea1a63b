/**
 * The inner loop of the checksum as a WebAssembly module of half a kilobyte, assembled here so that it can be read.
 * `checksum.ts` calls it. Eight vectors of four lanes each take in 128 bytes a turn, at 13 GB/s where zlib's CRC-32 does
 * 4: a chain of a single vector would wait for its multiplications. Invariant: it touches nothing but its own memory.
 */

/** The compiler's libraries know WebAssembly only together with the browser. */
declare const WebAssembly:
  | undefined
  | {
      readonly Module: new (bytes: Uint8Array) => object
      readonly Instance: new (
        module: object,
      ) => { readonly exports: { readonly memory: { readonly buffer: ArrayBuffer }; readonly run: Run } }
    }

/** Takes in the memory from `from` to before `to`: at least one whole block, and only whole ones. */
type Run = (from: number, to: number) => void

/** The lanes lie at the start of `memory`, which is one page. Null where this cannot be run. */
export function assembleRounds(lanes: number, p1: number, p2: number): { memory: ArrayBuffer; run: Run } | null {
  try {
    if (typeof WebAssembly === 'undefined') return null
    const { memory, run } = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(lanes / 4, p1, p2))).exports
    return { memory: memory.buffer, run }
  } catch {
    return null // A processor without the instructions, or a process that may not compile.
  }
}

type Code = readonly number[]

const VECTOR_BYTES = 16
const FROM = 0
const TO = 1

const I32 = 0x7f
const V128 = 0x7b
const LOOP: Code = [0x03, 0x40]
const BRANCH_IF: Code = [0x0d, 0]
const END: Code = [0x0b]
const I32_LESS_UNSIGNED: Code = [0x49]
const I32_ADD: Code = [0x6a]

const get = (local: number): Code => [0x20, ...unsigned(local)]
const set = (local: number): Code => [0x21, ...unsigned(local)]
const tee = (local: number): Code => [0x22, ...unsigned(local)]
const number = (value: number): Code => [0x41, ...signed(value)]

const simd = (operation: number, ...rest: number[]): Code => [0xfd, ...unsigned(operation), ...rest]
const ALIGNED = 4
const load = (offset: number): Code => simd(0x00, ALIGNED, ...unsigned(offset))
const store = (offset: number): Code => simd(0x0b, ALIGNED, ...unsigned(offset))
const SPLAT = simd(0x11)
const OR = simd(0x50)
const SHIFT_LEFT = simd(0xab)
const SHIFT_RIGHT = simd(0xad)
const ADD = simd(0xae)
const MULTIPLY = simd(0xb5)

function moduleOf(vectors: number, p1: number, p2: number): Uint8Array {
  const code = rounds(vectors, p1, p2)
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0],
    ...section(1, [1, 0x60, 2, I32, I32, 0]), // one type: two numbers, nothing returned
    ...section(3, [1, 0]), // one function of that type
    ...section(5, [1, 0, 1]), // one page of memory
    ...section(7, [2, ...name('memory'), 2, 0, ...name('run'), 0, 0]), // both exported
    ...section(10, [1, ...unsigned(code.length), ...code]),
  ])
}

/** For each vector: lane = rotate(lane + word × p2, 13) × p1. */
function rounds(vectors: number, p1: number, p2: number): Code {
  const lanes = (vector: number): number => 2 + vector
  const sum = lanes(vectors)
  const multiplier1 = sum + 1
  const multiplier2 = sum + 2
  const each = (of: (vector: number) => Code[]): Code =>
    Array.from({ length: vectors }, (_, vector) => of(vector).flat()).flat()
  const locals = [1, ...unsigned(vectors + 3), V128]
  return [
    ...locals,
    ...[number(p1), SPLAT, set(multiplier1), number(p2), SPLAT, set(multiplier2)].flat(),
    ...each((vector) => [number(0), load(vector * VECTOR_BYTES), set(lanes(vector))]),
    ...LOOP,
    ...each((vector) => [
      ...[get(lanes(vector)), get(FROM), load(vector * VECTOR_BYTES), get(multiplier2), MULTIPLY, ADD, tee(sum)],
      ...[number(13), SHIFT_LEFT, get(sum), number(19), SHIFT_RIGHT, OR],
      ...[get(multiplier1), MULTIPLY, set(lanes(vector))],
    ]),
    ...[get(FROM), number(vectors * VECTOR_BYTES), I32_ADD, tee(FROM), get(TO), I32_LESS_UNSIGNED, BRANCH_IF].flat(),
    ...END,
    ...each((vector) => [number(0), get(lanes(vector)), store(vector * VECTOR_BYTES)]),
    ...END,
  ]
}

function section(id: number, body: Code): Code {
  return [id, ...unsigned(body.length), ...body]
}

function name(text: string): Code {
  return [text.length, ...Buffer.from(text)]
}

/** Seven bits a byte, the last without the highest bit. */
function unsigned(value: number): Code {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...unsigned(value >>> 7)]
}

function signed(value: number): Code {
  const byte = value & 0x7f
  const rest = (value | 0) >> 7
  const isLast = (rest === 0 && byte < 0x40) || (rest === -1 && byte >= 0x40)
  return isLast ? [byte] : [byte | 0x80, ...signed(rest)]
}
