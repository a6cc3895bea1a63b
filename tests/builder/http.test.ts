import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { expectOk } from '../../src/builder/expect-ok.ts'
import { retryAfterMs } from '../../src/builder/http.ts'
import { HeadgateError, MAX_RETRY_AFTER_MS } from '../../src/model/errors.ts'

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

const responseOf = (status: number, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : 'body', { status, headers })

function thrown(status: number, headers?: Record<string, string>, nowMs?: number): HeadgateError {
  try {
    expectOk(responseOf(status, headers), nowMs)
  } catch (error) {
    if (error instanceof HeadgateError) return error
  }
  throw new Error('no HeadgateError was thrown')
}

describe('expectOk', () => {
  it('returns a success as it is', async () => {
    const response = responseOf(200)
    expect(expectOk(response)).toBe(response)
    expect(await response.text()).toBe('body')
  })

  it.each([429, 503])('takes %d for overload, with the time it asks for', (status) => {
    expect(thrown(status)).toMatchObject({ code: 'HG_OVERLOADED', retryAfterMs: undefined })
    expect(thrown(status, { 'retry-after': '7' })).toMatchObject({ code: 'HG_OVERLOADED', retryAfterMs: 7000 })
    expect(thrown(status, { 'retry-after': 'nonsense' }).retryAfterMs).toBeUndefined()
    expect(thrown(status, { 'retry-after': 'Mon, 05 Jan 2026 12:00:09 GMT' }, NOW).retryAfterMs).toBe(9000)
  })

  it("reads a date by the server's clock", () => {
    const headers = { date: 'Mon, 05 Jan 2015 12:00:00 GMT', 'retry-after': 'Mon, 05 Jan 2015 12:00:09 GMT' }
    expect(thrown(429, headers).retryAfterMs).toBe(9000)
  })

  it.each([408, 500, 502, 504, 599])('has %d retried', (status) => {
    expect(thrown(status)).toMatchObject({ code: 'HG_HANDLER_FAILED', retryable: true, scope: 'record' })
  })

  it.each([301, 400, 401, 403, 404, 422])('leaves %d to onFailure', (status) => {
    expect(thrown(status)).toMatchObject({ code: 'HG_RECORD_REJECTED', retryable: false })
    expect(thrown(status).message).toContain(String(status))
  })

  it('discards the body of what it refuses, and only tries', () => {
    const response = responseOf(500)
    expect(() => expectOk(response)).toThrow('answered 500')
    expect(response.bodyUsed).toBe(true)
    const body = { cancel: () => Promise.reject(new Error('already gone')) }
    expect(() => expectOk({ ok: false, status: 500, headers: new Headers(), body })).toThrow('answered 500')
  })
})
