import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { formatCount, formatNumber } from '../../src/model/units.ts'

const intl = new Intl.NumberFormat('en-US', { maximumFractionDigits: 6 })

test('numbers are grouped as Intl groups them', () => {
  const numbers = fc.oneof(
    fc.integer(),
    fc.maxSafeInteger(),
    fc.double(),
    fc.double({ min: -1e6, max: 1e6 }),
    fc.tuple(fc.integer(), fc.integer({ min: 0, max: 8 })).map(([whole, places]) => whole / 10 ** places),
  )
  fc.assert(
    fc.property(numbers, (value) => {
      expect(formatNumber(value)).toBe(intl.format(value))
    }),
    {
      numRuns: 2_000,
      examples: [[-0], [0.1], [999], [1000], [1e21], [0.0000005], [Number.NaN], [Number.POSITIVE_INFINITY]],
    },
  )
})

test('a count is a number and its noun', () => {
  expect([0, 1, 18_204].map((count) => formatCount(count, 'record'))).toEqual([
    '0 records',
    '1 record',
    '18,204 records',
  ])
})

// Its tables are a large part of the memory of a process that does little else.
test('the numbers of options, statuses and messages are written without Intl', () => {
  const prototype: { readonly format: object } = Intl.NumberFormat.prototype
  const format = vi.spyOn(prototype, 'format', 'get')
  try {
    for (const value of [0, 7, 1_000, -12_345, 10_000_000, 2 ** 40, 0.0001, 0.95, 1234.5]) formatNumber(value)
    expect(format).not.toHaveBeenCalled()
    formatNumber(1 / 3)
    expect(format).toHaveBeenCalledOnce()
  } finally {
    format.mockRestore()
  }
})
