/**
 * The stored form of record headers: text and bytes keep their kind, order and exact content. `batch.ts` calls it.
 * Invariant: decoded headers have no prototype, so a header named `__proto__` is only a header.
 */
import type { RecordHeaders } from '../../model/record.ts'

const TEXT = 0
const BYTES = 1
const PREFIX = 9

/** Rows of { name length u32, value length u32, kind u8, name, value }; null for no headers. */
export function encodeHeaders(headers: RecordHeaders): Buffer | null {
  const parts: Buffer[] = []
  for (const [name, value] of Object.entries(headers)) {
    const nameBytes = Buffer.from(name)
    const valueBytes = Buffer.from(value as string)
    const prefix = Buffer.alloc(PREFIX)
    prefix.writeUInt32LE(nameBytes.length, 0)
    prefix.writeUInt32LE(valueBytes.length, 4)
    prefix[8] = typeof value === 'string' ? TEXT : BYTES
    parts.push(prefix, nameBytes, valueBytes)
  }
  return parts.length === 0 ? null : Buffer.concat(parts)
}

export function decodeHeaders(bytes: Buffer, from: number, to: number): RecordHeaders {
  const headers = Object.create(null) as Record<string, string | Uint8Array>
  for (let at = from; at < to; ) {
    const nameEnd = at + PREFIX + bytes.readUInt32LE(at)
    const end = nameEnd + bytes.readUInt32LE(at + 4)
    const name = bytes.toString('utf8', at + PREFIX, nameEnd)
    headers[name] = bytes[at + 8] === BYTES ? bytes.subarray(nameEnd, end) : bytes.toString('utf8', nameEnd, end)
    at = end
  }
  return headers
}
