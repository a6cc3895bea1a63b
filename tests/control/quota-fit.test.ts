import { describe, expect, it } from 'vitest'
import { fitQuota } from '../../src/control/quota-fit.ts'
import { Stretch } from '../../src/control/stretch.ts'

const PER_SECOND = 876
const BURST = 209
const CLOSED_MS = 1000
const OFFERED = 1100
const HIGHEST = 1117
const LOWEST = HIGHEST / 6

/** Calls at a pace that grows by this share a second, until the bucket, full at first, has nothing left. */
function untilRefused(startMs: number, burst: number, pace: number, growth = 0): Stretch {
  const stretch = new Stretch(startMs, CLOSED_MS)
  let nowMs = startMs
  let left = burst
  for (;;) {
    const perSecond = pace * Math.exp((growth * (nowMs - startMs)) / 1000)
    const everyMs = 1000 / perSecond
    nowMs += everyMs
    left = Math.min(burst, left + (PER_SECOND * everyMs) / 1000) - 1
    stretch.granted(nowMs)
    if (left < 0) break
  }
  stretch.end(nowMs, 1)
  return stretch
}

/** Three quarters of a minute without a quota, then one begins; the call that finds the bucket empty ends it. */
function withoutQuota(): Stretch {
  const stretch = new Stretch(0, Number.POSITIVE_INFINITY)
  for (let nowMs = 0; nowMs < 45_800; nowMs += 1000 / OFFERED) stretch.granted(nowMs)
  stretch.end(45_800, 1)
  return stretch
}

describe('what refusals say of a quota', () => {
  it('takes a pace in the upper half of what was offered when a quota has just begun', () => {
    const { perSecond, apart } = fitQuota([withoutQuota()], LOWEST, HIGHEST)
    expect(perSecond).toBeGreaterThan(HIGHEST / 2)
    expect(perSecond).toBeLessThan(HIGHEST)
    expect(apart).toBeGreaterThan(1.5)
  })

  it('does not put down to a change of the quota what a much lower one could not have granted', () => {
    const tried = untilRefused(46_800, BURST, 0.6 * PER_SECOND, 0.25)
    const { perSecond, apart } = fitQuota([withoutQuota(), tried], LOWEST, HIGHEST)
    expect(Math.abs(perSecond / PER_SECOND - 1)).toBeLessThan(0.12)
    expect(apart).toBeLessThan(2)
  })

  it('tells rate and size from two stretches of different pace', () => {
    const burst = PER_SECOND
    const slow = untilRefused(1000, burst, 1.1 * PER_SECOND)
    const fast = untilRefused(60_000, burst, 1.6 * PER_SECOND)
    const highest = 1.6 * PER_SECOND
    const [both, ...each] = [[slow, fast], [slow], [fast]].map((one) => fitQuota(one, LOWEST, highest))
    expect(Math.abs((both?.perSecond ?? 0) / PER_SECOND - 1)).toBeLessThan(0.05)
    for (const { apart } of each) expect(both?.apart).toBeLessThan(apart)
  })

  it('believes in rates between the bounds when more calls were refused than granted', () => {
    const none = new Stretch(0, CLOSED_MS)
    none.granted(10)
    none.end(20, 4)
    const { perSecond, apart } = fitQuota([none], LOWEST, HIGHEST)
    expect(perSecond).toBeGreaterThan(LOWEST)
    expect(perSecond).toBeLessThan(HIGHEST)
    expect(apart).toBeGreaterThan(1)
  })
})
