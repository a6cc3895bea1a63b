import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { optionRows, optionsReference, SECTIONS } from '../../src/builder/options.ts'
import { pipeline } from '../../src/builder/pipeline.ts'
import { deadLetter, exponential, fixed, perMinute, perSecond } from '../../src/builder/policies.ts'
import { editDistance, suggestOption } from '../../src/builder/suggest.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { suggestNumber } from '../../src/model/option.ts'
import { sinkOf, sourceOf } from './doubles.ts'

// biome-ignore lint/suspicious/noExplicitAny: junk is given on purpose
const given = (value: unknown): any => value

describe('the reference of options', () => {
  const rows = SECTIONS.flatMap(({ title, schema }) => optionRows(schema).map((row) => ({ title, ...row })))

  it.each(rows)('says what $title $path does, takes and defaults to', (row) => {
    expect(row.about).toMatch(/^[A-Z`].*\.$/)
    expect(row.expected).not.toBe('')
    expect(row.fallback).not.toBe('')
  })

  it.each(rows.filter((row) => row.unit !== ''))('says when to raise and lower $title $path', (row) => {
    expect(row.raise.length).toBeGreaterThan(10)
    expect(row.lower.length).toBeGreaterThan(10)
  })

  it.each(rows.filter((row) => /Ms$|Bytes$|Records$/.test(row.path)))('gives $title $path its unit', (row) => {
    const unit = { Ms: 'milliseconds', Bytes: 'bytes', Records: 'records' }[/(Ms|Bytes|Records)$/.exec(row.path)![1]!]
    expect(row.unit).toBe(unit)
  })

  it('is one markdown table a place, one row an option', () => {
    const text = optionsReference()
    expect(text.match(/^## /gm)).toHaveLength(SECTIONS.length)
    const lines = text.split('\n').filter((line) => line.startsWith('| `'))
    expect(lines).toHaveLength(rows.length)
    for (const line of lines) expect(line.split(/(?<!\\)\|/)).toHaveLength(9)
    expect(text).toContain(
      '| `retry.attempts` | an integer from 1 to 1,000,000 | attempts | 5 | Attempts in all, the first included.',
    )
  })
})

const thrower = (): never => {
  throw new Error('no')
}

describe('whatever options are given', () => {
  const names = [
    ...new Set(SECTIONS.flatMap(({ schema }) => optionRows(schema).map((row) => row.path.split('.').at(-1)!))),
  ]
  const junk = fc.anything({
    key: fc.oneof(fc.constantFrom(...names), fc.string()),
    withBigInt: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withTypedArray: true,
    withSparseArray: true,
    maxDepth: 4,
  })
  const hostile = fc.constantFrom<unknown>(
    new Proxy({}, { ownKeys: thrower }),
    Object.defineProperty({}, 'timeoutMs', { get: thrower, enumerable: true }),
    { timeoutMs: Object.create(null) },
    { timeoutMs: Symbol('no') },
    { toString: 1, [Symbol.toPrimitive]: 1 },
    () => {},
  )
  const anything = fc.oneof({ weight: 9, arbitrary: junk }, hostile)
  const base = pipeline('p').from(sourceOf())
  const builds: Readonly<Record<string, (value: unknown) => unknown>> = {
    pipeline: (value) => pipeline('p', given(value)),
    name: (value) => pipeline(given(value)),
    from: (value) => pipeline('p').from(given(value)),
    source: (value) => pipeline('p').from({ source: sourceOf(), ...given(value) }),
    map: (value) => base.map('m', () => 1, given(value)),
    mapFirst: (value) => base.map(given(value)),
    call: (value) => base.call('c', () => 1, given(value)),
    retry: (value) => base.call('c', () => 1, { retry: given(value) }),
    batch: (value) => base.batch(given(value)),
    route: (value) => base.route('r', () => 'a', { a: (flow) => flow.to(sinkOf()) }, given(value)),
    branches: (value) =>
      base.route(
        'r',
        given(() => 'a'),
        given(value),
      ),
    to: (value) => base.to(sinkOf(), given(value)),
    sink: (value) => base.to(given(value)),
    perSecond: (value) => perSecond(given(value)),
    burst: (value) => perMinute(5, given(value)),
    exponential: (value) => exponential(given(value)),
    fixed: (value) => fixed(given(value)),
    deadLetter: (value) => deadLetter(given(value)),
  }

  it.each(Object.entries(builds))('%s accepts them or throws HG_OPTION_INVALID', (name, build) => {
    fc.assert(
      fc.property(name === 'source' ? junk : anything, (value) => {
        try {
          build(value)
        } catch (error) {
          expect(error).toBeInstanceOf(HeadgateError)
          expect(error).toMatchObject({ code: 'HG_OPTION_INVALID' })
          expect((error as HeadgateError).message.length).toBeLessThan(20_000)
        }
      }),
      { numRuns: 60 },
    )
  })
})

describe('guesses', () => {
  it('measure distance in letters', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3)
    expect(editDistance('', 'abc')).toBe(3)
    expect(editDistance('same', 'same')).toBe(0)
  })

  it('are not made when unsure', () => {
    expect(suggestOption('xyz', ['timeoutMs', 'order'])).toBeNull()
    expect(suggestOption('', ['timeoutMs'])).toBeNull()
    expect(suggestOption('ms', ['timeoutMs'])).toBeNull()
    expect(suggestOption('constructor', ['order'])).toBeNull()
  })

  it('read units out of text', () => {
    expect(suggestNumber('1m30s', 'milliseconds')).toBe(90_000)
    expect(suggestNumber('10 KB', 'bytes')).toBe(10_000)
    expect(suggestNumber('10_000', 'records')).toBe(10_000)
    expect(suggestNumber('many', 'records')).toBeNull()
    expect(suggestNumber(5, 'records')).toBeNull()
  })
})
