/** Counts by duration: quantiles of a window, and how many were below a bound, against the plain sorted list. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Histogram } from '../../src/engine/histogram.ts'

const durations = fc.array(fc.double({ min: 0, max: 100_000, noNaN: true }), { minLength: 1, maxLength: 300 })
const BOUNDS = Array.from({ length: 17 }, (_, power) => 2 ** power)

function histogramOf(values: readonly number[]): Histogram {
  const histogram = new Histogram()
  for (const value of values) histogram.record(value)
  return histogram
}

test('counts what was below each bound, to a sixteenth of a millisecond', () => {
  fc.assert(
    fc.property(durations, (values) => {
      const counts = histogramOf(values).copy()
      const sixteenths = values.map((value) => Math.floor(value * 16) / 16)
      expect(counts.below(BOUNDS)).toEqual(BOUNDS.map((bound) => sixteenths.filter((value) => value < bound).length))
      expect(counts.total).toBe(values.length)
      expect(counts.sumMs).toBeCloseTo(
        values.reduce((sum, value) => sum + value, 0),
        4,
      )
    }),
  )
})

test('a window knows only what was recorded in it', () => {
  fc.assert(
    fc.property(durations, durations, (before, after) => {
      const histogram = histogramOf(before)
      const then = histogram.copy()
      for (const value of after) histogram.record(value)
      const window = histogram.copy().since(then)
      expect(window.total).toBe(after.length)
      const sorted = after.toSorted((one, other) => one - other)
      for (const q of [0.5, 0.99, 1]) {
        const exact = sorted[Math.ceil(sorted.length * q) - 1] as number
        const found = window.quantile(q) as number
        expect(found).toBeGreaterThanOrEqual(exact)
        expect(found).toBeLessThanOrEqual(exact * 1.0626 + 0.0626)
      }
    }),
  )
})

test('a window without anything has no quantile', () => {
  const counts = histogramOf([5]).copy()
  expect(counts.since(counts).quantile(0.5)).toBeNull()
})

test('counts on beyond 32 bits, as a pipeline does within hours', () => {
  const histogram = new Histogram()
  histogram.record(1, 2 ** 32)
  histogram.record(1, 3)
  histogram.record(100, 2)
  expect(histogram.quantile(0.999)).toBeLessThan(2)
  expect(histogram.copy().below([2])).toEqual([2 ** 32 + 3])
})
