import { describe, expect, it } from 'vitest'
import { checksum } from '../../../src/connectors/log/checksum.ts'

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
  it('is XXH64, whatever the version of the library', () => {
    const known = (text: string): string => checksum(Buffer.from(text)).toString(16)
    expect(['', 'a', 'abc'].map(known)).toEqual(['ef46db3751d8e999', 'd24ec4f1a98c6e5b', '44bc2cf5ad770999'])
    const sums = [31, 32, 1_000, 65_536, 65_537, 200_001].map((length) => checksum(bytesOf(length)))
    expect(sums.map((sum) => sum.toString(16))).toMatchInlineSnapshot(`
      [
        "bba9bb8f08be8004",
        "6731790492a9ab1d",
        "f6603b6e7395f667",
        "885e4e621632038e",
        "636f886c188f47e8",
        "e49da78c04f13a73",
      ]
    `)
  })

  it('does not remember what it was asked before', () => {
    const [a, b] = [bytesOf(300, 1), bytesOf(70_000, 2)]
    const first = checksum(a)
    const second = checksum(b)
    expect(checksum(a)).toBe(first)
    expect(checksum(b)).toBe(second)
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
    const size = 65 * 4_096
    const page = 4_096
    const [bytes, older] = [bytesOf(size, 1), bytesOf(size, 2)]
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
