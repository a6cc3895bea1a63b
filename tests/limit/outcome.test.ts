/** What is understood of how a call ended, without `classify` and with it. */
import fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { expectOk } from '../../src/builder/expect-ok.ts'
import type { AttemptOutcome } from '../../src/control/limiter.ts'
import { Judge } from '../../src/limit/judge.ts'
import { limiterIn } from '../../src/limit/limiter.ts'
import { outcomeOf } from '../../src/limit/outcome.ts'
import { overloaded, reject } from '../../src/model/errors.ts'
import { FakeDownstream, FakeWorld, settle } from './world.ts'

const NOW = Date.UTC(2026, 0, 5, 12, 0, 0)

const returned = (result: unknown): AttemptOutcome => outcomeOf({ threw: false, result }, NOW)
const threw = (error: unknown): AttemptOutcome => outcomeOf({ threw: true, error }, NOW)
const responseOf = (status: number, headers: Record<string, string> = {}) => new Response(null, { status, headers })
const errorOf = (properties: object, text = 'no'): Error => Object.assign(new Error(text), properties)
const caught = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error
  }
}

describe('an answer', () => {
  it.each<[number, AttemptOutcome['kind']]>([
    [200, 'success'], [204, 'success'], [304, 'success'], [302, 'success'], [404, 'success'], [409, 'success'],
    [400, 'ignored'], [401, 'ignored'], [403, 'ignored'], [422, 'ignored'],
    [408, 'failed'], [500, 'failed'], [501, 'failed'], [502, 'failed'], [504, 'failed'], [599, 'failed'],
    [429, 'overloaded'], [503, 'overloaded'], [529, 'overloaded'],
  ])('of %d is %s, returned or thrown', (status, kind) => {
    expect(returned(responseOf(status))).toMatchObject({ kind, status })
    expect(threw(errorOf({ status }))).toMatchObject({ kind, status })
    expect(threw(errorOf({ response: { status, headers: {} } }))).toMatchObject({ kind, status })
    const byHeadgate = caught(() => expectOk(responseOf(status)))
    if (byHeadgate instanceof Error && status < 510 && ![302, 304].includes(status)) {
      expect(threw(byHeadgate)).toMatchObject({ kind, status })
    }
  }) // biome-ignore format: a table

  it.each<[string, unknown]>([
    ['fetch', responseOf(429, { 'retry-after': '7' })],
    ['a client with statusCode', { statusCode: 429, headers: { 'Retry-After': '7' } }],
    ['a client with a Map', { status: 429, headers: new Map([['Retry-After', '7']]) }],
    ['a client with the response inside', { response: { status: 429, headers: { 'retry-after': ['7'] } } }],
    ['an SDK with metadata', { $metadata: { httpStatusCode: 429 }, $response: { headers: { 'retry-after': 7 } } }],
  ])('is read as %s gives it', (_, answer) => {
    const outcome = { kind: 'overloaded', status: 429, retryAfterMs: 7000 }
    expect(returned(answer)).toEqual(outcome)
    expect(threw(errorOf(answer as object))).toEqual(
      typeof answer === 'object' && !(answer instanceof Response) ? outcome : expect.anything(),
    )
  })

  it('has a date for Retry-After read by the clock of the server that gave it', () => {
    const date = 'Mon, 05 Jan 2015 12:00:00 GMT'
    const at = (headers: Record<string, string>) => returned(responseOf(503, headers)).retryAfterMs
    expect(at({ 'retry-after': 'Mon, 05 Jan 2015 12:00:09 GMT', date })).toBe(9000)
    expect(at({ 'retry-after': 'Mon, 05 Jan 2026 12:00:09 GMT' })).toBe(9000)
    expect(at({ 'retry-after': 'Tue, 05 Jan 2027 12:00:00 GMT' })).toBe(60_000)
    expect(at({ 'retry-after': date })).toBe(0)
    expect(at({ 'retry-after': '-1' })).toBeUndefined()
    expect(at({ 'retry-after': `1${'0'.repeat(18)}` })).toBe(60_000)
  })

  it('says what its RateLimit headers say, whatever its status', () => {
    const headers = { ratelimit: '"d";r=5;t=2' }
    for (const status of [200, 400, 429, 500, 503]) {
      expect(returned(responseOf(status, headers)).rateLimit).toEqual({ remaining: 5, resetMs: 2000 })
    }
  })

  it('says so too when `expectOk` has made an error of it, and another error has wrapped that', () => {
    const error = caught(() => expectOk(responseOf(500, { ratelimit: '"d";r=5;t=2' })))
    const outcome = { kind: 'failed', status: 500, rateLimit: { remaining: 5, resetMs: 2000 } }
    expect(threw(error)).toEqual(outcome)
    expect(threw(new Error('outer', { cause: error }))).toEqual(outcome)
  })

  it('that is refused shows that the downstream is there, and so does one that broke off in time', () => {
    expect(returned(responseOf(401)).answered).toBe(true)
    expect(threw(errorOf({ code: 'UND_ERR_BODY_TIMEOUT', status: 200 }))).toEqual({ kind: 'timeout', answered: true })
    expect(threw(errorOf({ code: 'UND_ERR_BODY_TIMEOUT' })).answered).toBeUndefined()
    expect(threw(new Error('no')).answered).toBeUndefined()
  })

  it('of 403 is a quota when its headers say so', () => {
    const quota = { kind: 'overloaded', status: 429 }
    expect(returned(responseOf(403, { 'retry-after': '5' }))).toMatchObject({ ...quota, retryAfterMs: 5000 })
    expect(returned(responseOf(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '9' }))).toMatchObject(quota)
    expect(returned(responseOf(403, { 'x-ratelimit-remaining': '8' })).kind).toBe('ignored')
  })

  it('of an SDK that throttles under another status is a quota', () => {
    const $metadata = { httpStatusCode: 400 }
    const quota = { kind: 'overloaded', status: 429 }
    expect(threw(errorOf({ name: 'ThrottlingException', $metadata }))).toMatchObject(quota)
    expect(threw(errorOf({ name: 'Odd', $metadata, $retryable: { throttling: true } }))).toMatchObject(quota)
    expect(threw(errorOf({ name: 'ValidationException', $metadata })).kind).toBe('ignored')
  })

  it.each([undefined, null, 5, 'x', [], {}, { status: 'ok' }, { status: 5 }, { status: 4290 }, { rows: [] }])(
    'that is none of HTTP is a success: %j',
    (result) => expect(returned(result)).toEqual({ kind: 'success' }),
  )
})

describe('an error', () => {
  const fetchFailed = (code: string, more: object = {}) =>
    new TypeError('fetch failed', { cause: errorOf({ code, ...more }) })

  it.each<[string, unknown, AttemptOutcome['kind']]>([
    ['a cancelled call', new DOMException('x', 'AbortError'), 'ignored'],
    ['a cancelled call of a client', errorOf({ code: 'ERR_CANCELED' }), 'ignored'],
    ['a time-out', new DOMException('x', 'TimeoutError'), 'timeout'],
    ['no answer in time', fetchFailed('UND_ERR_HEADERS_TIMEOUT'), 'timeout'],
    ['no answer in time from the system', errorOf({ code: 'ETIMEDOUT', errno: -110, syscall: 'read' }), 'timeout'],
    ['no answer in time from a client', errorOf({ code: 'ECONNABORTED' }, 'timeout of 100ms exceeded'), 'timeout'],
    ['no connection in time', fetchFailed('ETIMEDOUT', { errno: -110, syscall: 'connect' }), 'failed'],
    ['no connection in time, from undici', fetchFailed('UND_ERR_CONNECT_TIMEOUT'), 'failed'],
    ['a reset', fetchFailed('ECONNRESET'), 'failed'],
    ['a refusal', errorOf({ code: 'ECONNREFUSED' }), 'failed'],
    ['a name that is not found', fetchFailed('ENOTFOUND'), 'failed'],
    ['a socket that closed', fetchFailed('UND_ERR_SOCKET'), 'failed'],
    ['a fetch that failed for no reason given', new TypeError('fetch failed'), 'failed'],
    ['an odd error of the system', errorOf({ code: 'EPROTO', errno: -71, syscall: 'write' }), 'failed'],
    ['an answer that broke off', errorOf({ code: 'ECONNRESET', response: { status: 200 } }), 'failed'],
    ['an answer that did not come to its end', errorOf({ code: 'ETIMEDOUT', status: 200 }), 'timeout'],
    ['an answer that was not as expected', errorOf({ status: 200 }), 'success'],
    ['overload as a handler says it', overloaded('busy', { retryAfterMs: 5 }), 'overloaded'],
    ['a rejected record', reject('no such account'), 'ignored'],
    ['a fault in the code', new TypeError('x is not a function'), 'ignored'],
    ['text that does not parse', new SyntaxError('x'), 'ignored'],
    ['an error of the application', new Error('no such account'), 'ignored'],
    ['a text', 'no', 'ignored'],
    ['nothing', undefined, 'ignored'],
    ['what cannot be looked at', new Proxy(new Error('no'), { get: () => { throw new Error('getter') } }), 'ignored'],
    ['a circle of causes', (() => { const error = new Error('x'); error.cause = error; return error })(), 'ignored'],
  ])('%s', (_, error, kind) => {
    expect(threw(error).kind).toBe(kind)
  }) // biome-ignore format: a table

  it('never stops it, whatever it is', () => {
    const kinds = ['success', 'overloaded', 'timeout', 'failed', 'ignored']
    fc.assert(
      fc.property(
        fc.anything({ withNullPrototype: true, withMap: true, withBigInt: true }),
        fc.boolean(),
        (value, thrown) => {
          expect(kinds).toContain(outcomeOf({ threw: thrown, error: value, result: value }, NOW).kind)
        },
      ),
    )
  })
})

describe('a limiter inside another', () => {
  it('that refuses a call says nothing about the downstream of the outer one', async () => {
    const inner = limiterIn(new FakeWorld(), { maxWaiting: 0 })
    void inner(() => new Promise(() => {}))
    const refusal = await inner(() => 1).catch((error: unknown) => error)
    expect(refusal).toMatchObject({ code: 'HG_OVERLOADED' })
    expect(threw(refusal)).toEqual({ kind: 'ignored' })
  })
})

describe('classify', () => {
  const emitWarning = process.emitWarning.bind(process)
  const at = { signal: undefined, waitedMs: 0, tookMs: 1, wallMs: NOW }
  const warnings: unknown[] = []
  afterEach(() => {
    process.emitWarning = emitWarning
    warnings.length = 0
  })
  const listen = (): void => {
    process.emitWarning = ((warning: unknown) => warnings.push(warning)) as typeof process.emitWarning
  }

  it('goes ahead of what is understood without it, and leaves to it what it does not know', () => {
    const judge = new Judge(({ error, result }) =>
      (error as { code?: unknown } | undefined)?.code === 8 || result === 'busy'
        ? { kind: 'overloaded', status: 429 }
        : undefined,
    )
    expect(judge.outcome({ threw: true, error: errorOf({ code: 8 }) }, at)).toEqual({ kind: 'overloaded', status: 429 })
    expect(judge.outcome({ threw: false, result: 'busy' }, at)).toEqual({ kind: 'overloaded', status: 429 })
    expect(judge.outcome({ threw: false, result: { status: 500 } }, at).kind).toBe('failed')
  })

  it('that throws costs the caller nothing: the call is ignored, with one warning', async () => {
    listen()
    const limit = limiterIn(new FakeWorld(), {
      classify: () => {
        throw new Error('broken')
      },
    })
    expect(await limit(() => 5)).toBe(5)
    expect(await limit(() => 6)).toBe(6)
    expect(warnings).toEqual([expect.stringContaining('limiter: `classify` threw: broken. Such calls are ignored')])
  })

  it.each<[unknown, string]>([
    [null, 'null'],
    ['overloaded', '"overloaded" (string)'],
    [{ kind: 'busy' }, 'an object'],
    [Promise.resolve({ kind: 'success' }), 'a Promise'],
  ])('that returns %s has the call ignored, with a warning', (given, shown) => {
    listen()
    const judge = new Judge(() => given as AttemptOutcome)
    expect(judge.outcome({ threw: false, result: 1 }, at)).toEqual({ kind: 'ignored' })
    expect(warnings).toEqual([expect.stringContaining(`returned ${shown}, expected undefined or an outcome`)])
  })
})

describe('a signal that the call was given', () => {
  const reason = new Error('the user left')
  const judge = new Judge(() => undefined)
  const timeout = AbortSignal.abort(new DOMException('late', 'TimeoutError'))
  const by = (signal: AbortSignal, error: unknown, waitedMs: number, tookMs: number) =>
    judge.outcome({ threw: true, error }, { signal, waitedMs, tookMs, wallMs: NOW }).kind

  it('makes its own reason say nothing about the downstream', () => {
    expect(by(AbortSignal.abort(reason), reason, 0, 50)).toBe('ignored')
    const busy = errorOf({ status: 503 })
    expect(by(AbortSignal.abort(reason), busy, 0, 50)).toBe('overloaded')
    expect(by(AbortSignal.abort(busy), busy, 0, 50)).toBe('ignored')
  })

  it('makes a deadline count only when most of it was spent in the call', () => {
    expect(by(timeout, timeout.reason, 10, 1990)).toBe('timeout')
    expect(by(timeout, timeout.reason, 1990, 10)).toBe('ignored')
    expect(by(new AbortController().signal, timeout.reason, 1990, 10)).toBe('timeout')
  })

  it('is seen by the limiter', async () => {
    const world = new FakeWorld()
    const downstream = new FakeDownstream()
    const limit = limiterIn(world, { max: 1 })
    void limit(downstream.call('a'))
    const stop = new AbortController()
    const outcome = limit(downstream.call('b'), { signal: stop.signal }).catch((error: unknown) => error)
    await world.pass(1000)
    await downstream.answer('a')
    stop.abort(timeout.reason)
    await downstream.fail('b', timeout.reason)
    expect(await outcome).toBe(timeout.reason)
    await settle()
    // Its 0 ms are no measure of a call: the only one is that of `a`.
    expect(limit.snapshot().keys[0]?.breaker).toBe('closed')
  })
})
