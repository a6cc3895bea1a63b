import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checksum, scriptChecksum, wasmChecksum } from '../../../src/connectors/log/checksum.ts'

const script = scriptChecksum()
const wasm = wasmChecksum()

/** Bytes that differ from word to word, the same every time. */
function bytesOf(length: number, seed = 1): Buffer {
  const bytes = Buffer.alloc(length)
  for (let at = 0, word = seed; at < length; at += 1) {
    word = (Math.imul(word, 1_664_525) + 1_013_904_223) | 0
    bytes[at] = word >>> 24
  }
  return bytes
}

describe('the checksum', () => {
  it('is by WebAssembly here, and the same as in script at every length and place', () => {
    expect(wasm).not.toBeNull()
    for (const length of [0, 1, 3, 4, 127, 128, 129, 65_407, 65_408, 65_409, 131_072, 200_001]) {
      const bytes = bytesOf(length + 3).subarray(3)
      expect(wasm?.(bytes), `${length} bytes`).toBe(script(bytes))
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 600 }), (bytes) => wasm?.(bytes) === script(bytes)))
  })

  it('never changes from version to version', () => {
    expect([0, 1, 128, 1_000, 100_000].map((length) => checksum(bytesOf(length)))).toMatchInlineSnapshot(`
      [
        1453127818,
        1480863883,
        3218082124,
        1174906544,
        483382257,
      ]
    `)
  })

  it('does not remember what it was asked before', () => {
    const [a, b] = [bytesOf(300, 1), bytesOf(1_000, 2)]
    const first = checksum(a)
    checksum(b)
    expect(checksum(a)).toBe(first)
  })

  it('tells every flipped bit, every lost end and every zero put behind the end', () => {
    const bytes = bytesOf(700)
    const sums = new Set([checksum(bytes)])
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      bytes[bit >> 3]! ^= 1 << (bit & 7)
      sums.add(checksum(bytes))
      bytes[bit >> 3]! ^= 1 << (bit & 7)
    }
    for (let length = 0; length < bytes.length; length += 1) sums.add(checksum(bytes.subarray(0, length)))
    for (let more = 1; more < 300; more += 1) sums.add(checksum(Buffer.concat([bytes, Buffer.alloc(more)])))
    expect(sums.size).toBe(1 + 700 * 8 + 700 + 299)
  })

  it('tells pages that were lost, put elsewhere or taken from an older state of the disk', () => {
    const page = 4_096
    const [bytes, older] = [bytesOf(16 * page, 1), bytesOf(16 * page, 2)]
    const sum = checksum(bytes)
    for (let at = 0; at < bytes.length; at += page) {
      const change = (how: (changed: Buffer) => unknown): void => {
        const changed = Buffer.from(bytes)
        how(changed)
        expect(checksum(changed)).not.toBe(sum)
      }
      change((changed) => changed.fill(0, at, at + page))
      change((changed) => older.copy(changed, at, at, at + page))
      const other = (at + page) % bytes.length
      change((changed) => {
        bytes.copy(changed, at, other, other + page)
        bytes.copy(changed, other, at, at + page)
      })
    }
  })
})
