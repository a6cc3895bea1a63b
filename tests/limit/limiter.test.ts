/** `limiter()` by what its callers see: whose turn it is, what comes back, what ends a wait, and what it costs when idle. */
import { AsyncLocalStorage } from 'node:async_hooks'
import { getEventListeners } from 'node:events'
import { describe, expect, it } from 'vitest'
import { limiterIn } from '../../src/limit/limiter.ts'
import type { LimiterOptions } from '../../src/limit/options.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { FakeDownstream, FakeWorld, settle } from './world.ts'

/** A limiter that lets `calls` through at a time, so that a test knows whose turn it is. */
function fixed(calls: number, options: LimiterOptions = {}) {
  const world = new FakeWorld()
  const downstream = new FakeDownstream()
  const limit = limiterIn(world, { min: calls, max: calls, ...options })
  return { world, downstream, limit }
}

const refused = async (promise: Promise<unknown>): Promise<HeadgateError> => {
  const error: unknown = await promise.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  expect(error).toBeInstanceOf(HeadgateError)
  return error as HeadgateError
}

describe('a call', () => {
  it('is made at once, in the same turn, while there is room', () => {
    const { downstream, limit } = fixed(2)
    void limit(downstream.call('a'))
    void limit(downstream.call('b'))
    void limit(downstream.call('c'))
    expect(downstream.made).toEqual(['a', 'b'])
  })

  it('ends with the very thing that it returned', async () => {
    const { limit } = fixed(1)
    const result = { status: 503, headers: new Headers({ 'retry-after': '0' }) }
    expect(await limit(() => Promise.resolve(result))).toBe(result)
  })

  it.each<[string, unknown]>([
    ['an error', new Error('no')],
    ['nothing', undefined],
    ['a text', 'no'],
    ['an error that cannot be looked at', new Proxy(new Error('no'), { get: () => { throw new Error('getter') } })],
  ])('ends with %s that it rejected with', async (_, thrown) => {
    const { limit } = fixed(1)
    const seen: unknown[] = []
    await limit(() => Promise.reject(thrown as Error)).catch((error: unknown) => seen.push(error))
    expect(Object.is(seen[0], thrown) && seen.length === 1).toBe(true)
    expect(limit.snapshot().inFlight).toBe(0)
  }) // biome-ignore format: a table

  it('may throw instead of rejecting, return a value instead of a promise, or return a thenable', async () => {
    const { limit } = fixed(1)
    const error = new Error('at once')
    const thrown = limit(() => {
      throw error
    })
    await expect(thrown).rejects.toBe(error)
    expect(await limit(() => 5)).toBe(5)
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    expect(await limit(() => ({ then: (done: (value: number) => void) => done(6) }) as PromiseLike<number>)).toBe(6)
    expect(limit.snapshot()).toMatchObject({ inFlight: 0, waiting: 0 })
  })

  it('sees the AsyncLocalStorage of its caller, whoever made room for it', async () => {
    const { downstream, limit } = fixed(1)
    const caller = new AsyncLocalStorage<string>()
    const seen: unknown[] = []
    void caller.run('first', () => limit(downstream.call('a')))
    const second = caller.run('second', () => limit(() => seen.push(caller.getStore())))
    await downstream.answer('a')
    await second
    expect(seen).toEqual(['second'])
  })
})

describe('calls that wait', () => {
  it('are made in the order asked, each as soon as there is room', async () => {
    const { downstream, limit } = fixed(2)
    for (const name of ['a', 'b', 'c', 'd', 'e']) void limit(downstream.call(name))
    expect(limit.snapshot()).toMatchObject({ waiting: 3, inFlight: 2 })
    await downstream.answer('b')
    expect(downstream.made).toEqual(['a', 'b', 'c'])
    await downstream.answer('a')
    await downstream.answer('c')
    expect(downstream.made).toEqual(['a', 'b', 'c', 'd', 'e'])
    expect(limit.snapshot()).toMatchObject({ waiting: 0, inFlight: 2 })
  })

  it('are not overtaken by a call that is asked for while room is made', async () => {
    const { downstream, limit } = fixed(1)
    const late = limit(downstream.call('a')).then(() => limit(downstream.call('late')))
    void limit(downstream.call('b'))
    await downstream.answer('a')
    expect(downstream.made).toEqual(['a', 'b'])
    await downstream.answer('b')
    await downstream.answer('late')
    expect(await late).toBe('late')
  })

  it('are not overtaken at the end of a pause, before the timer has rung', async () => {
    const { world, downstream, limit } = fixed(1)
    void limit(downstream.call('a'))
    await downstream.answer('a', { status: 503, headers: { 'retry-after': '1' } })
    void limit(downstream.call('b'))
    world.atMs += 2000
    void limit(downstream.call('c'))
    await settle()
    expect(downstream.made).toEqual(['a', 'b'])
  })

  it('do not wait for those of another key', async () => {
    const { downstream, limit } = fixed(1)
    for (const key of ['x', 'x', 'y', undefined])
      void limit(downstream.call(`${key} ${downstream.made.length}`), { key })
    expect(downstream.made).toEqual(['x 0', 'y 1', 'undefined 2'])
  })

  it('stay for as long as the downstream asked, and for a minute at most', async () => {
    for (const [retryAfter, leastMs, mostMs] of [
      ['2', 2000, 2100],
      ['1000000000000000000', 60_000, 63_000],
    ] as const) {
      const { world, downstream, limit } = fixed(4)
      void limit(downstream.call('a'), { key: 'x' })
      await downstream.answer('a', new Response(null, { status: 429, headers: { 'retry-after': retryAfter } }))
      void limit(downstream.call('b'), { key: 'x' })
      void limit(downstream.call('c'), { key: 'y' })
      expect(downstream.made).toEqual(['a', 'c'])
      expect(limit.snapshot().keys[0]).toMatchObject({ key: 'x', waiting: 1, gate: 'retry-after' })
      await world.pass(leastMs - 1)
      expect(downstream.made).toEqual(['a', 'c'])
      await world.pass(mostMs - leastMs + 2)
      expect(downstream.made).toEqual(['a', 'c', 'b'])
    }
  })

  it.each(['-1', 'Mon, 05 Jan 2015 12:00:00 GMT', 'soon', '', '1e18', 'NaN'])(
    'do not stay for a Retry-After of %j',
    async (retryAfter) => {
      const { downstream, limit } = fixed(4)
      void limit(downstream.call('a'))
      await downstream.answer('a', { status: 503, headers: { 'retry-after': retryAfter } })
      void limit(downstream.call('b'))
      expect(downstream.made).toEqual(['a', 'b'])
    },
  )

  it('spend what RateLimit headers say is left, and no more', async () => {
    const { world, downstream, limit } = fixed(50)
    void limit(downstream.call('a'))
    await downstream.answer('a', { status: 200, headers: { ratelimit: '"default";r=4;t=10' } })
    for (let at = 0; at < 20; at += 1) void limit(downstream.call(`b${at}`))
    await world.pass(9900)
    expect(downstream.made.length - 1).toBeGreaterThanOrEqual(3)
    expect(downstream.made.length - 1).toBeLessThanOrEqual(4)
    await world.pass(5000)
    expect(downstream.made.length - 1).toBeGreaterThan(4)
  })

  it('get the place of a call that never ends', async () => {
    const { world, downstream, limit } = fixed(1, { lostAfterMs: 1000 })
    void limit(downstream.call('hangs'))
    void limit(downstream.call('b'))
    await world.pass(990)
    expect(downstream.made).toEqual(['hangs'])
    await world.pass(20)
    expect(downstream.made).toEqual(['hangs', 'b'])
    await downstream.answer('hangs')
    expect(limit.snapshot()).toMatchObject({ inFlight: 1, waiting: 0 })
  })

  it('are made although the clock jumps back by an hour', async () => {
    const { world, downstream, limit } = fixed(4)
    void limit(downstream.call('a'))
    await downstream.answer('a', { status: 429, headers: { 'retry-after': '5' } })
    void limit(downstream.call('b'))
    world.atMs -= 3_600_000
    void limit(downstream.call('c'))
    await world.pass(20_000)
    expect(downstream.made).toEqual(['a', 'b', 'c'])
  })

  it('are refused from `maxWaiting` on, over all keys, with what to do', async () => {
    const { downstream, limit } = fixed(1, { maxWaiting: 2 })
    void limit(downstream.call('a'), { key: 'x' })
    void limit(downstream.call('b'), { key: 'x' })
    void limit(downstream.call('c'), { key: 'x' })
    void limit(downstream.call('d'), { key: 'y' })
    const error = await refused(limit(downstream.call('e'), { key: 'y' }))
    expect(error).toMatchObject({ code: 'HG_OVERLOADED', retryable: true })
    expect(error.message).toBe(
      'limiter: 2 calls wait already, and the downstream takes no more at this moment. Make calls only as fast as they ' +
        'end (await some before making more), shed this one, or raise `maxWaiting`',
    )
    await downstream.answer('a')
    void limit(downstream.call('f'), { key: 'y' })
    await downstream.answer('d')
    expect(downstream.made).toEqual(['a', 'd', 'b', 'f'])
  })

  it('need no room to wait in while there is room to go', async () => {
    const { downstream, limit } = fixed(1, { maxWaiting: 0 })
    void limit(downstream.call('a'))
    await refused(limit(downstream.call('b')))
    await downstream.answer('a')
    void limit(downstream.call('c'))
    expect(downstream.made).toEqual(['a', 'c'])
  })
})

describe('a signal', () => {
  it('that is aborted already has the call not made', async () => {
    const { downstream, limit } = fixed(1)
    const reason = new Error('stop')
    await expect(limit(downstream.call('a'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(downstream.made).toEqual([])
    expect(limit.snapshot().inFlight).toBe(0)
    void limit(downstream.call('b'))
    await expect(limit(downstream.call('c'), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    expect(limit.snapshot()).toMatchObject({ inFlight: 1, waiting: 0 })
  })

  it('ends the wait with its reason, and the next in line moves up', async () => {
    const { downstream, limit } = fixed(1)
    const stop = new AbortController()
    void limit(downstream.call('a'))
    const waited = limit(downstream.call('b'), { signal: stop.signal })
    void limit(downstream.call('c'))
    const reason = new Error('stop')
    stop.abort(reason)
    await expect(waited).rejects.toBe(reason)
    expect(limit.snapshot().waiting).toBe(1)
    await downstream.answer('a')
    expect(downstream.made).toEqual(['a', 'c'])
  })

  it('that is aborted between the turn and the call has it not made, and gives the turn on', async () => {
    const { downstream, limit } = fixed(1)
    const stop = new AbortController()
    void limit(downstream.call('a'))
    const waited = limit(downstream.call('b'), { signal: stop.signal })
    void limit(downstream.call('c'))
    const answered = downstream.answer('a')
    // After the end of the first call, which grants the turn, and before the second hears of it.
    queueMicrotask(() => stop.abort())
    await expect(waited).rejects.toThrow('aborted')
    await answered
    expect(downstream.made).toEqual(['a', 'c'])
  })

  it('has one listener however many wait under it, and none afterwards', async () => {
    const { downstream, limit } = fixed(1)
    const stop = new AbortController()
    const listeners = () => getEventListeners(stop.signal, 'abort').length
    const warnings: Error[] = []
    const warned = (warning: Error): void => {
      if (warning.name === 'MaxListenersExceededWarning') warnings.push(warning)
    }
    process.on('warning', warned)
    void limit(downstream.call('a'))
    const some = Array.from({ length: 100 }, (_, at) =>
      limit(downstream.call(`b${at}`), { signal: stop.signal, key: at % 2 ? 'x' : undefined }).catch(() => 'stopped'),
    )
    expect(listeners()).toBe(1)
    await downstream.answer('a')
    expect(listeners()).toBe(1)
    stop.abort()
    expect(listeners()).toBe(0)
    await settle()
    expect(limit.snapshot().waiting).toBe(0)
    await downstream.answer('b0')
    await downstream.answer('b1')
    expect((await Promise.all(some)).filter((ended) => ended === 'stopped').length).toBe(98)
    process.off('warning', warned)
    expect(warnings).toEqual([])
  })

  it('leaves no listener once the turn has come', async () => {
    const { downstream, limit } = fixed(1)
    const stop = new AbortController()
    void limit(downstream.call('a'))
    void limit(downstream.call('b'), { signal: stop.signal })
    await downstream.answer('a')
    expect(downstream.made).toEqual(['a', 'b'])
    expect(getEventListeners(stop.signal, 'abort')).toEqual([])
  })
})

describe('retries', () => {
  it('wait for the retry budget, and hold up nothing else', async () => {
    const { world, downstream, limit } = fixed(50, { retryBudget: 0 })
    const retried = Array.from({ length: 15 }, (_, at) => limit(downstream.call(`r${at}`), { retry: true }))
    expect(downstream.made.length).toBe(10)
    void limit(downstream.call('first'))
    expect(downstream.made.at(-1)).toBe('first')
    await world.pass(1100)
    expect(downstream.made.filter((name) => name.startsWith('r')).length).toBe(11)
    await world.pass(10_000)
    for (const name of downstream.open) await downstream.answer(name)
    expect(await Promise.all(retried)).toEqual(Array.from({ length: 15 }, (_, at) => `r${at}`))
    expect(world.timers.size).toBe(0)
  })

  it('go ahead of first calls', async () => {
    const { downstream, limit } = fixed(1)
    void limit(downstream.call('a'))
    void limit(downstream.call('b'))
    void limit(downstream.call('again'), { retry: true })
    await downstream.answer('a')
    expect(downstream.made).toEqual(['a', 'again'])
  })
})

describe('what it costs', () => {
  it('is no timer while nothing waits, and one a key while something does', async () => {
    const { world, downstream, limit } = fixed(1)
    void limit(downstream.call('a'))
    expect(world.timers.size).toBe(0)
    const stop = new AbortController()
    const waits = ['b', 'c'].map((name) => limit(downstream.call(name), { signal: stop.signal }).catch(() => null))
    expect(world.timers.size).toBe(1)
    stop.abort()
    await Promise.all(waits)
    expect(world.timers.size).toBe(0)
    void limit(downstream.call('d'))
    await downstream.answer('a')
    expect(world.timers.size).toBe(0)
  })
})

describe('what makes no sense', () => {
  const { limit } = fixed(1)
  const loosely = limit as unknown as (call: unknown, options?: unknown) => Promise<unknown>

  it.each<[string, LimiterOptions, string]>([
    ['min above max', { min: 5, max: 2 }, 'limiter: expected `min` ≤ `max`, got min 5 (number) and max 2 (number)'],
    ['a text for a number', { max: '512' as never }, 'limiter › max: expected an integer from 1 to 50,000 (calls), got "512" (string); did you mean 512?'],
    ['no integer', { maxKeys: 1.5 }, 'limiter › maxKeys: expected an integer from 1 to 100,000 (keys), got 1.5 (number)'],
    ['less than nothing', { maxWaiting: -1 }, 'limiter › maxWaiting: expected an integer from 0 to 10,000,000 (calls), got -1 (number)'],
    ['no function', { classify: {} as never }, 'limiter › classify: expected a function, got an object'],
    ['an unknown option', { maxQueue: 5 } as LimiterOptions, 'limiter: unknown option `maxQueue`; the options here are'],
    ['no options', 5 as never, 'limiter: expected an object of options, got 5 (number)'],
  ])('is refused: %s', (_, options, text) => {
    expect(() => limiterIn(new FakeWorld(), options)).toThrow(text)
  }) // biome-ignore format: a table

  it.each<[string, unknown, unknown, string]>([
    ['no call', undefined, undefined, 'limit(…): expected a function that makes the call, got undefined'],
    ['a promise', Promise.resolve(1), undefined, 'got a Promise, a call that is made already: write `limit(() => …)`'],
    ['a number for a key', () => 1, { key: 5 }, 'limit(…): key: expected a text, got 5 (number)'],
    ['no signal', () => 1, { signal: {} }, 'limit(…): signal: expected an AbortSignal, got an object'],
    [
      'a text for the options',
      () => 1,
      'tenant',
      'limit(…): expected options such as { key, signal }, got "tenant" (string)',
    ],
    [
      'an option that is misspelt',
      () => 1,
      { keys: 'a' },
      'limit(…): unknown option `keys`; the options of a call are `key`',
    ],
    ['a number for retry', () => 1, { retry: 1 }, 'limit(…): retry: expected true or false, got 1 (number)'],
  ])('is rejected: %s', async (_, call, options, text) => {
    const error = await refused(loosely(call, options))
    expect(error.code).toBe('HG_OPTION_INVALID')
    expect(error.message).toContain(text)
  })
})
