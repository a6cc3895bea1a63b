/**
 * The integers of Kafka's wire format: big-endian 64-bit numbers, and zigzag varints as Protocol Buffers have them.
 * `decode.ts`, `old-format.ts`, `records.ts` and `encode.ts` read and write with it. Invariant: reading never throws and
 * always ends; `varintEnd` is Infinity behind a varint that is too long, which no bounds check lets pass.
 */

const HIGH = 2 ** 32

/** A signed 64-bit integer; exact as far as it is a safe integer. */
export function readInt64(bytes: Buffer, at: number): number {
  return bytes.readInt32BE(at) * HIGH + bytes.readUInt32BE(at + 4)
}

export function writeInt64(bytes: Buffer, value: number, at: number): void {
  bytes.writeInt32BE(Math.floor(value / HIGH), at)
  bytes.writeUInt32BE(value - Math.floor(value / HIGH) * HIGH, at + 4)
}

const MAX_VARINT_BYTES = 5
const MAX_VARLONG_BYTES = 10

/** Where the varint that was read last ends. JavaScript returns one number, and an object a varint would be dear. */
export let varintEnd = 0

/** A signed 32-bit varint. */
export function readVarint(bytes: Uint8Array, from: number): number {
  let value = 0
  for (let length = 0; length < MAX_VARINT_BYTES; length += 1) {
    const byte = bytes[from + length] ?? 0
    value |= (byte & 127) << (length * 7)
    if (byte < 128) {
      varintEnd = from + length + 1
      return (value >>> 1) ^ -(value & 1)
    }
  }
  varintEnd = Infinity
  return -1
}

/** A signed 64-bit varint; exact as far as it is a safe integer. */
export function readVarlong(bytes: Uint8Array, from: number): number {
  let value = 0
  let weight = 1
  for (let length = 0; length < MAX_VARLONG_BYTES; length += 1) {
    const byte = bytes[from + length] ?? 0
    value += (byte & 127) * weight
    weight *= 128
    if (byte < 128) {
      varintEnd = from + length + 1
      return value % 2 === 0 ? value / 2 : -(value + 1) / 2
    }
  }
  varintEnd = Infinity
  return -1
}

/** Bytes that `value`, a safe integer, takes as a varint. */
export function varintBytes(value: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  let bytes = 1
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes += 1
  return bytes
}

/** Returns where it ends. */
export function writeVarint(bytes: Uint8Array, value: number, from: number): number {
  let rest = value >= 0 ? value * 2 : -value * 2 - 1
  let at = from
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes[at++] = (rest % 128) | 128
  bytes[at++] = rest
  return at
}
