/** Many keys: each has its own limit, there are never more than allowed, and what was learned outlives a key's lane. */
import { describe, expect, it } from 'vitest'
import { limiterIn } from '../../src/limit/limiter.ts'
import type { LimiterOptions, LimitLearned } from '../../src/limit/options.ts'
import { FakeDownstream, FakeWorld } from './world.ts'

function keyed(options: LimiterOptions) {
  const world = new FakeWorld()
  const downstream = new FakeDownstream()
  return { world, downstream, limit: limiterIn(world, options) }
}

const keysOf = ({ snapshot }: { snapshot: () => { keys: readonly { key: string | null }[] } }) =>
  snapshot().keys.map(({ key }) => key)

describe('keys', () => {
  it('stay bounded when thousands pass by', async () => {
    const { limit } = keyed({ maxKeys: 100 })
    for (let at = 0; at < 5000; at += 1) await limit(() => at, { key: `tenant ${at}` })
    expect(limit.snapshot().keys.length).toBe(100)
    expect(keysOf(limit).at(-1)).toBe('tenant 4999')
    expect(limit.learned().keys.length).toBe(200)
  })

  it('are forgotten in the order of their last use', async () => {
    const { limit } = keyed({ maxKeys: 3 })
    for (const key of ['a', 'b', undefined, 'a', 'c']) await limit(() => 1, { key })
    expect(keysOf(limit)).toEqual([null, 'a', 'c'])
  })

  it('are never forgotten while a call is in flight or waits', async () => {
    const { downstream, limit } = keyed({ maxKeys: 3, max: 1 })
    void limit(downstream.call('a1'), { key: 'a' })
    void limit(downstream.call('a2'), { key: 'a' })
    for (const key of ['b', 'c', 'd', 'e']) await limit(() => 1, { key })
    expect(keysOf(limit)).toEqual(['a', 'd', 'e'])
    await downstream.answer('a1')
    expect(downstream.made).toEqual(['a1', 'a2'])
  })

  it('are not forgotten while a call waits for the end of a pause', async () => {
    const { world, downstream, limit } = keyed({ maxKeys: 1 })
    await limit(() => ({ status: 429, headers: { 'retry-after': '1' } }), { key: 'a' })
    void limit(downstream.call('a'), { key: 'a' })
    await expect(limit(() => 1, { key: 'b' })).rejects.toMatchObject({ code: 'HG_OVERLOADED' })
    await world.pass(2000)
    expect(downstream.made).toEqual(['a'])
  })

  it('are refused while all are in use, with what to do, and taken again when one is free', async () => {
    const { downstream, limit } = keyed({ maxKeys: 2 })
    void limit(downstream.call('a'), { key: 'a' })
    void limit(downstream.call('b'), { key: 'b' })
    await expect(limit(downstream.call('c'), { key: 'c' })).rejects.toMatchObject({
      code: 'HG_OVERLOADED',
      message:
        'limiter: 2 keys have calls in flight or waiting, and each needs a limit of its own. ' +
        'Use fewer keys at a time (one a tenant or host, not one a call), or raise `maxKeys`',
    })
    await downstream.answer('a')
    void limit(downstream.call('c'), { key: 'c' })
    expect(downstream.made).toEqual(['a', 'b', 'c'])
  })

  it('do not stay in use through a call that never ends', async () => {
    const { world, downstream, limit } = keyed({ maxKeys: 1, lostAfterMs: 1000 })
    void limit(downstream.call('hangs'), { key: 'a' })
    await world.pass(1001)
    expect(await limit(() => 'b', { key: 'b' })).toBe('b')
    // Its late end finds nobody, and harms nothing.
    await downstream.answer('hangs')
    expect(limit.snapshot()).toMatchObject({ inFlight: 0, keys: [{ key: 'b' }] })
  })

  it('may be any text', async () => {
    const { limit } = keyed({})
    const keys = ['', '__proto__', 'constructor', 'null', '🌊', 'x'.repeat(10_000)]
    for (const key of keys) await limit(() => 1, { key })
    await limit(() => 1)
    expect(keysOf(limit)).toEqual([...keys, null])
    const learned = JSON.parse(JSON.stringify(limit.learned())) as LimitLearned
    expect(learned.keys.map(({ key }) => key)).toEqual([...keys, null])
  })
})

describe('what was learned', () => {
  /** 40 calls in flight that last 10 ms each, for a while. */
  async function warm() {
    const { world, limit } = keyed({ seed: 7 })
    const wanted = Array.from({ length: 40 }, async () => {
      for (let at = 0; at < 200; at += 1) {
        await limit(() => new Promise<void>((resolve) => void world.setTimer(10, resolve)), { key: 'x' })
      }
    })
    await world.pass(60_000)
    await Promise.all(wanted)
    return limit
  }

  it('goes through JSON into another limiter, which begins there', async () => {
    const before = await warm()
    const learned = JSON.parse(JSON.stringify(before.learned())) as LimitLearned
    expect(learned).toEqual(before.learned())
    expect(learned.keys[0]?.limit).toBeGreaterThan(10)
    const { downstream, limit } = keyed({ learned })
    for (let at = 0; at < 500; at += 1) void limit(downstream.call(`${at}`), { key: 'x' })
    expect(limit.snapshot()).toMatchObject({ inFlight: learned.keys[0]?.limit, keys: [{ baselineMs: expect.closeTo(10, 0) }] })
    void limit(downstream.call('y1'), { key: 'y' })
    void limit(downstream.call('y2'), { key: 'y' })
    expect(downstream.made.filter((name) => name.startsWith('y'))).toEqual(['y1'])
  })

  it('is kept for a key that was forgotten, and comes with it', async () => {
    const { downstream, limit } = keyed({ maxKeys: 1, learned: { version: 1, keys: [{ key: 'a', limit: 30, baselineMs: 5, ratePerSecond: null }] } })
    expect(limit.learned().keys).toEqual([{ key: 'a', limit: 30, baselineMs: 5, ratePerSecond: null }])
    await limit(() => 1, { key: 'b' })
    void limit(downstream.call('a'), { key: 'a' })
    expect(limit.snapshot().keys).toMatchObject([{ key: 'a', limit: 30 }])
    expect(limit.learned().keys.map(({ key }) => key)).toEqual(['b', 'a'])
  })

  it.each<[string, unknown]>([
    ['null', null],
    ['a text', 'x'],
    ['another version', { version: 2, keys: [{ key: 'x', limit: 50, baselineMs: 1, ratePerSecond: null }] }],
    ['no list', { version: 1, keys: {} }],
    ['nobody', { version: 1, keys: [null, 5, {}, { key: 5, limit: 50 }, { key: 'x', limit: '50' }] }],
    ['impossible figures', { version: 1, keys: [{ key: 'x', limit: 1e18, baselineMs: -1, ratePerSecond: Number.NaN }] }],
  ])('is passed over when it is %s', async (_, learned) => {
    const { downstream, limit } = keyed({ learned: learned as LimitLearned })
    void limit(downstream.call('a'), { key: 'x' })
    expect(downstream.made).toEqual(['a'])
    expect(limit.snapshot().keys[0]).toMatchObject({ limit: 1, baselineMs: null, ratePerSecond: null })
  })

  it('is read for as many keys as there may be, and no more', () => {
    const keys = Array.from({ length: 5000 }, (_, at) => ({ key: `${at}`, limit: 5, baselineMs: null, ratePerSecond: null }))
    expect(keyed({ maxKeys: 10, learned: { version: 1, keys } }).limit.learned().keys.length).toBe(10)
  })
}) // biome-ignore format: figures in rows
