import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_RETRY_AFTER_MS } from '../../src/model/errors.ts'
import { retryAfterMs } from '../../src/model/http.ts'

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)
const MOST = MAX_RETRY_AFTER_MS

describe('retryAfterMs', () => {
  it.each<[string | null | undefined, number | null]>([
    ['0', 0],
    ['1', 1000],
    [' 30 ', 30_000],
    ['1.5', 1500],
    ['60', MOST],
    ['61', MOST],
    ['1000000000000000000', MOST],
    ['9'.repeat(64), MOST],
    ['9'.repeat(65), null],
    ['1e18', null],
    ['-1', null],
    ['+5', null],
    ['', null],
    [null, null],
    [undefined, null],
    ['soon', null],
    ['5 seconds', null],
    ['NaN', null],
    ['Infinity', null],
    ['2026-01-05T12:00:30Z', null],
    ['Mon, 05 Jan 2026 12:00:30 GMT', 30_000],
    ['Monday, 05-Jan-26 12:00:30 GMT', 30_000],
    ['Mon Jan  5 12:00:30 2026', 30_000],
    ['Mon, 05 Jan 2026 11:59:00 GMT', 0],
    ['Tue, 05 Jan 2027 12:00:00 GMT', MOST],
    ['Mon, 99 Jan 2026 12:00:00 GMT', null],
    ['Mon, 05 Foo 2026 12:00:00 GMT', null],
  ])('reads %j as %j', (header, expected) => {
    expect(retryAfterMs(header, NOW)).toBe(expected)
  })

  it('is null or between zero and the longest that is believed, whatever comes', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.double().map(String), fc.date().map(String)), fc.double(), (header, now) => {
        const ms = retryAfterMs(header, now)
        expect(ms === null || (ms >= 0 && ms <= MOST)).toBe(true)
      }),
    )
  })
})
