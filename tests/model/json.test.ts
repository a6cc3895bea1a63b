import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { HeadgateError } from '../../src/model/errors.ts'
import { parseJson } from '../../src/model/json.ts'
import { runs } from '../fixtures/long.ts'

function refusal(raw: string | Uint8Array, maxDepth?: number): string {
  try {
    parseJson(raw, maxDepth === undefined ? {} : { maxDepth })
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(HeadgateError)
    expect((thrown as HeadgateError).code).toBe('HG_RECORD_REJECTED')
    return (thrown as HeadgateError).message
  }
  throw new Error('it was accepted')
}

test('whatever JSON can say comes back, from text and from bytes', () => {
  const json = fc.jsonValue({ maxDepth: 8 }).filter((value) => !/proto/.test(JSON.stringify(value)))
  fc.assert(
    fc.property(json, (value) => {
      const text = JSON.stringify(value)
      expect(parseJson(text)).toEqual(JSON.parse(text))
      expect(parseJson(Buffer.from(text))).toEqual(JSON.parse(text))
    }),
    { numRuns: runs(200) },
  )
})

test('any text is either what JSON.parse makes of it or refused', () => {
  const fragment = fc.constantFrom(
    '{',
    '}',
    '[',
    ']',
    '"',
    '\\',
    ',',
    ':',
    '1',
    '-',
    '.',
    'e',
    'true',
    ' ',
    '"a"',
    '\n',
  )
  const text = fc.array(fragment, { maxLength: 12 }).map((parts) => parts.join(''))
  fc.assert(
    fc.property(text, (raw) => {
      let expected: unknown
      try {
        expected = JSON.parse(raw)
      } catch {
        expect(refusal(raw)).toMatch(/position \d+|it is empty/)
        return
      }
      expect(parseJson(raw)).toEqual(expected)
    }),
    { numRuns: runs(2_000) },
  )
})

test('a byte order mark is skipped', () => {
  expect(parseJson('\ufeff{"a":1}')).toEqual({ a: 1 })
  expect(parseJson(Buffer.from('\ufeff{"a":1}'))).toEqual({ a: 1 })
})

test('bytes are the text that they encode, whatever kind of array they are in', () => {
  const value = ['größer', '\u{1f642}', '\ufffd', '\ufeff']
  const bytes = Buffer.from(`  ${JSON.stringify(value)}`).subarray(2)
  expect(parseJson(bytes)).toEqual(value)
  expect(parseJson(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length))).toEqual(value)
})

test('bytes that are not UTF-8 are refused, also beside the character that stands for such', () => {
  expect(refusal(Buffer.concat([Buffer.from('"\ufffd'), Buffer.of(0xc3), Buffer.from('"')]))).toBe(
    'not valid JSON: the bytes are not valid UTF-8',
  )
  expect(refusal(Uint8Array.of(0x22, 0xff, 0x22))).toBe('not valid JSON: the bytes are not valid UTF-8')
})

describe('prototype keys are inert', () => {
  test.each([
    '{"__proto__":{"admin":true},"a":1}',
    '{"\\u005f_proto__":{"admin":true},"a":1}',
    '{"__pr\\u006fto__":{"admin":true},"a":1}',
    '{"constructor":{"prototype":{"admin":true}},"a":1}',
    '{"constructor":{"\\u0070rototype":{"admin":true}},"a":1}',
    '{"a":1,"__proto__":null}',
  ])('%s', (text) => {
    const value = parseJson(text)
    expect(Object.keys(value as object)).toEqual(['a'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.assign({}, value)).not.toHaveProperty('admin')
  })

  test('also deep inside', () => {
    expect(JSON.stringify(parseJson('[{"a":{"__proto__":{"x":1},"b":2}}]'))).toBe('[{"a":{"b":2}}]')
  })

  test('a value that only mentions them stays as it is', () => {
    const text = '{"note":"__proto__","constructor":"prototype","prototype":1}'
    expect(JSON.stringify(parseJson(text))).toBe(text)
  })
})

describe('nesting', () => {
  const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)

  test('of 64 levels is accepted, of 65 refused with the position', () => {
    expect(JSON.stringify(parseJson(nested(64)))).toBe(nested(64))
    expect(refusal(nested(65))).toBe('JSON is nested deeper than 64 levels at position 64')
  })

  test('of a million levels is refused like any other', () => {
    expect(refusal('{"a":'.repeat(1_000_000))).toBe('JSON is nested deeper than 64 levels at position 320')
  })

  test('counts no brackets inside strings', () => {
    const text = JSON.stringify({ a: '['.repeat(100), b: `"\\${'{'.repeat(100)}` })
    expect(JSON.stringify(parseJson(text))).toBe(text)
  })

  test('has the bound that is asked for', () => {
    expect(refusal('[[[]]]', 2)).toBe('JSON is nested deeper than 2 levels at position 2')
  })
})

test.each([
  ['', 'it is empty'],
  ['{"a":1,}', 'unexpected character at position 7'],
  ['[1 2]', 'unexpected character at position 3'],
  ['{"a"', 'it ends too early, at position 4'],
  ['["abc', 'the string that starts at position 1 is not closed'],
  ['["a\nb"]', 'bad character in a string at position 3'],
  ['["a\\x"]', 'bad character in a string at position 3'],
  ['{"secret":"hunter2"}}', 'unexpected character at position 20'],
])('%j is refused: %s', (text, reason) => {
  expect(refusal(text)).toBe(`not valid JSON: ${reason}`)
})
