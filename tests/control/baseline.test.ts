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
    const moved = baseline.probed(4 - 2 * ERROR, CALLS, ERROR)
    expect(moved).toBeLessThan(0)
    expect(moved).toBeGreaterThan(-ERROR)
  })

  test('counts the more the fewer calls the baseline rests on', () => {
    const few = known(CALLS).probed(4 - 2 * ERROR, CALLS, ERROR)
    expect(few).toBeLessThan(known(400).probed(4 - 2 * ERROR, CALLS, ERROR))
  })

  test('that is faster by more than that, or slower, becomes the baseline', () => {
    for (const value of [4 - 5 * ERROR, 4 + 2 * ERROR]) {
      const baseline = known(400)
      baseline.probed(value, CALLS, ERROR)
      expect(baseline.value).toBeCloseTo(value)
      expect(baseline.n).toBe(CALLS)
    }
  })
})
