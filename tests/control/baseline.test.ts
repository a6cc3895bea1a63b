/** What a probe changes in what is known of the latency without a queue. */
import { describe, expect, test } from 'vitest'
import { Baseline } from '../../src/control/baseline.ts'

const ERROR = 0.1
const CALLS = 10

function known(n: number): Baseline {
  const baseline = new Baseline()
  baseline.set(4, n)
  return baseline
}

describe('a probe', () => {
  test('that is faster by no more than chance explains counts beside what is known', () => {
    const baseline = known(400)
    const moved = baseline.probed(4 - 1.5 * ERROR, CALLS, ERROR)
    expect(moved).toBeLessThan(0)
    expect(moved).toBeGreaterThan(-ERROR)
  })

  test('counts the more the fewer calls the baseline rests on', () => {
    const few = known(CALLS).probed(4 - 1.5 * ERROR, CALLS, ERROR)
    expect(few).toBeLessThan(known(400).probed(4 - 1.5 * ERROR, CALLS, ERROR))
  })

  test('that is faster by more than that, or slower, becomes the baseline', () => {
    for (const value of [4 - 5 * ERROR, 4 + 2 * ERROR]) {
      const baseline = known(400)
      baseline.probed(value, CALLS, ERROR)
      expect(baseline.value).toBeCloseTo(value)
      expect(baseline.n).toBe(CALLS)
    }
  })

  test('counts as one of three, unless it is further off than chance explains: then it begins a new mean', () => {
    const baseline = known(CALLS)
    for (const value of [5, 5.1, 4.9, 5.15]) baseline.probed(value, CALLS, ERROR)
    expect(baseline.value).toBeCloseTo((5.1 + 4.9 + 5.15) / 3)
    expect(baseline.n).toBe(3 * CALLS)
    baseline.probed(5.4, CALLS, ERROR)
    expect(baseline.value).toBeCloseTo(5.4)
    expect(baseline.n).toBe(CALLS)
  })

  test('that is faster by two to four errors counts for half, from there on alone', () => {
    for (const isProbed of [false, true]) {
      const baseline = known(CALLS)
      if (isProbed) baseline.probed(4 + ERROR, CALLS, ERROR)
      const before = baseline.value
      baseline.probed(before - 3 * ERROR, CALLS, ERROR)
      expect(baseline.value).toBeCloseTo(before - 1.5 * ERROR)
      baseline.probed(baseline.value - 5 * ERROR, CALLS, ERROR)
      expect(baseline.n).toBe(CALLS)
      expect(baseline.value).toBeCloseTo(before - 6.5 * ERROR)
    }
  })

  test('that is faster by two to four errors becomes the baseline where that rests on fewer calls', () => {
    const baseline = known(CALLS - 1)
    baseline.probed(4 - 3 * ERROR, CALLS, ERROR)
    expect(baseline.value).toBeCloseTo(4 - 3 * ERROR)
  })
})
