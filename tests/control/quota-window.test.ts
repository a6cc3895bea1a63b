import { describe, expect, it } from 'vitest'
import { QuotaWindow } from '../../src/control/quota-window.ts'

const LAG_MS = 1

/** 80 calls, one more that is refused, and what the window makes of it. */
function refused(window: QuotaWindow, startMs: number, everyMs: number): boolean {
  let nowMs = startMs
  for (let call = 0; call <= 80; call += 1) {
    nowMs = startMs + call * everyMs
    window.sent(nowMs)
  }
  window.refused(nowMs, nowMs + 2 * LAG_MS)
  return window.concluded(nowMs, 0, 0)
}

describe('a quota of so many calls in every second', () => {
  it('is what refuses the same call of two seconds after different times', () => {
    const window = new QuotaWindow()
    expect(refused(window, 10_100, 5)).toBe(false)
    expect(refused(window, 12_100, 8)).toBe(true)
    expect(window.count).toBe(79)
  })

  it('is not told from a bucket by the same call after the same time', () => {
    const window = new QuotaWindow()
    expect(refused(window, 10_100, 5)).toBe(false)
    expect(refused(window, 12_100, 5)).toBe(false)
    expect(refused(window, 14_100, 8)).toBe(true)
  })
})
