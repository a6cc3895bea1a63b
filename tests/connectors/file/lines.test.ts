import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Line, Lines } from '../../../src/connectors/file/lines.ts'
import { runs } from '../../fixtures/long.ts'

function feedAll(lines: Lines, bytes: Uint8Array, chunkBytes: readonly number[]): Line[] {
  const taken: Line[] = []
  let at = lines.position
  for (let turn = 0; at < bytes.length; turn += 1) {
    const size = chunkBytes[turn % chunkBytes.length] as number
    lines.feed(bytes.subarray(at, at + size))
    at += size
    for (let line = lines.take(); line; line = lines.take()) taken.push(line)
  }
  lines.finish()
  for (let line = lines.take(); line; line = lines.take()) taken.push(line)
  return taken
}

/** The same, line by line: blank lines are none, one carriage return before the line end belongs to it. */
function expected(text: string, from: number, limit: number): { offset: number; bytes: number; value: string }[] {
  let offset = 0
  return text
    .split('\n')
    .map((whole) => {
      const line = whole.endsWith('\r') ? whole.slice(0, -1) : whole
      const found = { offset, bytes: line.length, value: line.slice(0, limit) }
      offset += whole.length + 1
      return found
    })
    .filter((line) => line.bytes > 0 && line.offset >= from)
}

const LIMIT = 8
const text = fc
  .array(fc.constantFrom('a', 'b', 'cd', 'efghijk', '\n', '\r\n', '\r', '\n\n'), { maxLength: 40 })
  .map((parts) => parts.join(''))
const chunks = fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 5 })

test('lines are the same however the bytes are cut into chunks, and wherever reading begins', () => {
  fc.assert(
    fc.property(text, chunks, fc.nat({ max: 60 }), (input, sizes, begin) => {
      const from = Math.min(begin, input.length)
      const lines = feedAll(new Lines(from, LIMIT), Buffer.from(input), sizes)
      const found = lines.map(({ offset, bytes, value }) => ({ offset, bytes, value: Buffer.from(value).toString() }))
      expect(found).toEqual(expected(input, from, LIMIT))
    }),
    { numRuns: runs(2_000) },
  )
})

test('a line keeps no chunk alive', () => {
  const chunk = Buffer.from('{"a":1}\n{"b":2}\n')
  const lines = new Lines(0, 1024)
  lines.feed(chunk)
  const { value } = lines.take() as Line
  expect(value.buffer.byteLength).toBe(value.length)
  chunk.fill(0)
  expect(Buffer.from(value).toString()).toBe('{"a":1}')
})

test('of a line without end no more is kept than the limit', () => {
  const lines = new Lines(0, 100)
  for (let turn = 0; turn < 1_000; turn += 1) lines.feed(new Uint8Array(1_000).fill(0x61))
  lines.feed(Buffer.from('\nnext\n'))
  const long = lines.take() as Line
  expect(long).toMatchObject({ offset: 0, bytes: 1_000_000 })
  expect(long.value.length).toBe(100)
  expect(lines.take()).toMatchObject({ offset: 1_000_001, bytes: 4 })
})

test('lines that wait are counted with their bytes', () => {
  const lines = new Lines(0, 100)
  lines.feed(Buffer.from('one\nthree\nhal'))
  expect([lines.count, lines.bytes, lines.peekBytes()]).toEqual([2, 8, 3])
  lines.take()
  expect([lines.count, lines.bytes, lines.peekBytes()]).toEqual([1, 5, 5])
  lines.take()
  expect([lines.count, lines.bytes, lines.peekBytes(), lines.take()]).toEqual([0, 0, null, null])
})
