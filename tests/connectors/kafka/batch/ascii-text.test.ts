import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AsciiText, LOOKED_AT_BYTES, STRING_BYTES } from '../../../../src/connectors/kafka/batch/ascii-text.ts'

type Value = readonly number[] | null

const STEP = 3
const FIRST = 1

/** The values one after the other, each behind the bytes that lie before it, in part of a larger memory. */
function laidOut(records: readonly { readonly before: readonly number[]; readonly value: Value }[], offset: number) {
  const content = records.flatMap(({ before, value }) => [...before, ...(value ?? [])])
  const data = Buffer.from(new ArrayBuffer(offset + content.length + (content.length % 5)), offset, content.length)
  data.set(content)
  const places = new Int32Array(records.length * STEP)
  let at = 0
  for (const [index, { before, value }] of records.entries()) {
    at += before.length
    places.set([at, value === null ? -1 : value.length], index * STEP + FIRST)
    at += value?.length ?? 0
  }
  const text = new AsciiText(data, { places, step: STEP, first: FIRST, end: records.length })
  return records.map((_, index) => text.read(index))
}

function bytes(ofAscii: number, maxLength: number): fc.Arbitrary<number[]> {
  const ascii = fc.integer({ min: 0, max: 127 })
  return fc.array(fc.oneof({ weight: ofAscii, arbitrary: ascii }, fc.integer({ min: 128, max: 255 })), {
    maxLength,
    size: 'max',
  })
}

test('gives exactly what UTF-8 makes of a value, and text for all that is short and ASCII, wherever it lies', () => {
  const value: fc.Arbitrary<Value> = fc.option(bytes(500, LOOKED_AT_BYTES + 300), { freq: 8 })
  const records = fc.array(fc.record({ before: bytes(1, 90), value }), { maxLength: 30 })
  fc.assert(
    fc.property(records, fc.nat(9), (given, offset) => {
      for (const [index, text] of laidOut(given, offset).entries()) {
        const value = given[index]?.value ?? null
        const right = value?.every((byte) => byte < 128) ? Buffer.from(value).toString() : null
        // A long value beside one that is not ASCII may be left to be read as bytes.
        if (text !== null || right === null || right.length <= LOOKED_AT_BYTES) expect(text).toBe(right)
      }
    }),
    { numRuns: 200 },
  )
})

test('gives text for long values where all around them is ASCII, whatever lies between', () => {
  const record = fc.record({ before: bytes(1, 90), length: fc.nat(STRING_BYTES) })
  fc.assert(
    fc.property(fc.array(record, { maxLength: 12 }), (given) => {
      const values = given.map(({ length }) => Array.from({ length }, (_, at) => 32 + (at % 90)))
      const texts = laidOut(
        given.map(({ before }, index) => ({ before, value: values[index] ?? [] })),
        0,
      )
      expect(texts).toEqual(values.map((value) => Buffer.from(value).toString()))
    }),
    { numRuns: 30 },
  )
})

test('leaves values to be read as bytes that are longer than what one string is made of', () => {
  const value = Array.from({ length: STRING_BYTES + 1 }, () => 65)
  expect(laidOut([{ before: [], value }], 0)).toEqual([null])
})

test('reads on behind what one string is made of', () => {
  const given = Array.from({ length: 5_000 }, (_, at) => String(at).padStart(10, ' '))
  const texts = laidOut(
    given.map((text) => ({ before: [200], value: [...Buffer.from(text)] })),
    0,
  )
  expect(texts).toEqual(given)
})
