import { describe, expect, expectTypeOf, it } from 'vitest'
import { expectOk, type HttpListener } from '../../src/builder/expect-ok.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import type { CallContext } from '../../src/model/plan.ts'
import type { RateLimitFigures } from '../../src/model/rate-limit.ts'

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)

const responseOf = (status: number, headers: Record<string, string> = {}) =>
  new Response(status === 204 ? null : 'body', { status, headers })

function thrown(status: number, headers?: Record<string, string>, nowMs?: number): HeadgateError {
  try {
    expectOk(responseOf(status, headers), nowMs === undefined ? {} : { nowMs })
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

  it('says the status, and what RateLimit headers said, in every error', () => {
    const headers = { ratelimit: '"default";r=0;t=9' }
    const rateLimit = { remaining: 0, resetMs: 9000 }
    expect(thrown(429, headers)).toMatchObject({ status: 429, rateLimit })
    expect(thrown(503, { ...headers, 'retry-after': '1' })).toMatchObject({
      status: 503,
      rateLimit,
      retryAfterMs: 1000,
    })
    expect(thrown(500, headers)).toMatchObject({ status: 500, rateLimit })
    expect(thrown(404, headers)).toMatchObject({ status: 404, rateLimit })
    expect(thrown(404)).toMatchObject({ status: 404, rateLimit: undefined })
  })

  it('tells what RateLimit headers say, whatever the status', () => {
    const heard: RateLimitFigures[] = []
    const listener = { nowMs: NOW, heard: (figures: RateLimitFigures) => heard.push(figures) }
    const reset = String(NOW / 1000 + 30)
    expectOk(responseOf(200, { 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': reset }), listener)
    expect(() => expectOk(responseOf(500, { 'x-ratelimit-remaining': '4' }), listener)).toThrow('answered 500')
    expectOk(responseOf(200), listener)
    expect(heard).toEqual([{ remaining: 5, resetMs: 30_000 }, { remaining: 4 }])
  })

  it('may be handed the context of the call', () => {
    expectTypeOf<CallContext>().toExtend<HttpListener>()
  })

  it('discards the body of what it refuses, and only tries', () => {
    const response = responseOf(500)
    expect(() => expectOk(response)).toThrow('answered 500')
    expect(response.bodyUsed).toBe(true)
    const body = { cancel: () => Promise.reject(new Error('already gone')) }
    expect(() => expectOk({ ok: false, status: 500, headers: new Headers(), body })).toThrow('answered 500')
  })
})
