import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AsciiText, MOST_BYTES } from '../../../../src/connectors/kafka/batch/ascii-text.ts'

/** Mostly ASCII, so that both answers occur at every place within a word. */
const bytes = fc.array(
  fc.oneof({ weight: 60, arbitrary: fc.integer({ min: 0, max: 127 }) }, fc.integer({ max: 255 })),
  {
    maxLength: 3_000,
  },
)

test('gives what UTF-8 makes of short ASCII and nothing of anything else, wherever it lies', () => {
  const places = fc.array(fc.tuple(fc.nat(3_000), fc.nat(MOST_BYTES + 50)), { maxLength: 30 })
  fc.assert(
    fc.property(bytes, fc.nat(9), places, (content, before, wanted) => {
      // Part of a larger memory, at any place in it.
      const memory = new ArrayBuffer(before + content.length + (content.length % 5))
      const data = Buffer.from(memory, before, content.length)
      data.set(content)
      const text = new AsciiText(data, data.length)
      for (const [at, length] of wanted.toSorted(([a], [b]) => a - b)) {
        const from = Math.min(at, data.length)
        const to = Math.min(from + length, data.length)
        const value = data.subarray(from, to)
        const isShortAscii = value.length <= MOST_BYTES && value.every((byte) => byte < 128)
        expect(text.read(from, to)).toBe(isShortAscii ? value.toString() : null)
      }
    }),
    { numRuns: 300 },
  )
})

test('reads on behind what one string is made of', () => {
  const data = Buffer.from(Array.from({ length: 5_000 }, (_, at) => String(at).padStart(10, ' ')).join(''))
  const text = new AsciiText(data, data.length)
  const all = Array.from({ length: 5_000 }, (_, at) => Number(text.read(at * 10, at * 10 + 10)))
  expect(all).toEqual(Array.from({ length: 5_000 }, (_, at) => at))
})
