import { openLog, source } from 'headgate/log'
import { describe, expect, it } from 'vitest'
import { afterThis, freshDirectory, freshLog, never, opened, refusal, text } from './fresh-log.ts'

const values = (count: number, partition: number, bytes = 10) =>
  Array.from({ length: count }, (_, at) => ({ value: `${partition}:${at}`.padEnd(bytes, ' '), partition }))

describe('a pull', () => {
  it('takes no more than its credit, and the bytes are exceeded by a first record only', async () => {
    const log = await freshLog(3)
    for (const partition of [0, 1, 2]) await log.append('t', values(20, partition, 100))
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    let total = 0
    for (const records of [1, 2, 3, 7, 10]) {
      const got = await reader.records({ credit: { records, bytes: 1e6 } })
      expect(got.length).toBe(records)
      total += got.length
    }
    expect(await reader.records({ credit: { records: 50, bytes: 250 } })).toHaveLength(2)
    expect(await reader.records({ credit: { records: 50, bytes: 0 } })).toHaveLength(1)
    expect(await reader.records({ credit: { records: 50, bytes: 1 } })).toHaveLength(1)
    expect(await reader.records()).toHaveLength(60 - total - 4)
    expect(reader.source.held()).toEqual({ records: 0, bytes: 0 })
  })

  it('shares its credit among partitions, and what one leaves goes to the others', async () => {
    const log = await freshLog(4)
    for (const partition of [0, 1, 2]) await log.append('t', values(100, partition))
    await log.append('t', values(2, 3))
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const { batches } = await reader.pull({ credit: { records: 40, bytes: 1e6 } })
    const counts = Object.fromEntries(batches.map(({ partition, records }) => [partition, records.length]))
    expect(Object.values(counts).reduce((sum, each) => sum + each, 0)).toBe(40)
    expect(counts['t/3']).toBe(2)
    for (const partition of ['t/0', 't/1', 't/2']) expect(counts[partition]).toBeGreaterThanOrEqual(10)
  })

  it('serves every partition in turn when the credit is for one record', async () => {
    const log = await freshLog(5)
    for (const partition of [0, 1, 2, 3, 4]) await log.append('t', values(50, partition))
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const turns: string[] = []
    for (let pull = 0; pull < 10; pull += 1) {
      turns.push((await reader.pull({ credit: { records: 1, bytes: 1e6 } })).batches[0]!.partition)
    }
    expect(new Set(turns.slice(0, 5)).size).toBe(5)
    expect(turns.slice(5)).toEqual(turns.slice(0, 5))
  })

  it('leaves paused partitions alone while the others flow', async () => {
    const log = await freshLog(2)
    for (const partition of [0, 1]) await log.append('t', values(3, partition))
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const paused = new Set(['t/0'])
    expect((await reader.records({ paused })).map(({ partition }) => partition)).toEqual(['t/1', 't/1', 't/1'])
    expect(await reader.records({ paused })).toEqual([])
    expect((await reader.records()).map(({ offset }) => offset)).toEqual([0, 1, 2])
  })

  it('returns empty after its wait, and not before', async () => {
    const log = await freshLog()
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const started = performance.now()
    expect(await reader.pull({ waitMs: 30 })).toEqual({ batches: [], ended: false })
    expect(performance.now() - started).toBeGreaterThan(25)
  })

  it('is woken by an append of this process, though not by one to a paused partition', async () => {
    const log = await freshLog(2)
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const pull = reader.records({ waitMs: 60_000, paused: new Set(['t/1']) })
    await log.append('t', [{ value: 'paused', partition: 1 }])
    await log.append('t', [{ value: 'flowing', partition: 0 }])
    expect((await pull).map(text)).toEqual(['flowing'])
  })

  it('ends when it is aborted, and loses nothing', async () => {
    const log = await freshLog()
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const abort = new AbortController()
    const pull = reader.pull({ waitMs: 60_000, signal: abort.signal })
    abort.abort()
    expect((await pull).batches).toEqual([])
    await log.append('t', [{ value: 'a' }])
    expect((await reader.pull({ signal: abort.signal })).batches).toEqual([])
    expect((await reader.records()).map(text)).toEqual(['a'])
  })

  it('ends when the source is closed or quiesced, and a closed one stays closed', async () => {
    const log = await freshLog()
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const waiting = reader.pull({ waitMs: 60_000 })
    await reader.source.quiesce(never)
    expect((await waiting).batches).toEqual([])
    await Promise.all([reader.source.close(never), reader.source.close(never)])
    expect((await reader.pull()).batches).toEqual([])
  })

  it('gives records with their value as stored bytes, key, time and headers', async () => {
    const log = await freshLog()
    await log.append('t', [{ key: 'k', value: 'v', timestampMs: 7, headers: { a: 'b' } }])
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const [record] = await reader.records()
    expect(record).toMatchObject({ key: 'k', partition: 't/0', offset: 0, timestampMs: 7 })
    expect(record?.value).toBeInstanceOf(Uint8Array)
    expect(record?.headers).toEqual(Object.assign(Object.create(null), { a: 'b' }))
    expect(record?.bytes).toBeGreaterThanOrEqual(2)
  })
})

describe('the backlog', () => {
  it('counts exactly what was not delivered, with the time of the oldest', async () => {
    const log = await freshLog(2)
    await log.append(
      't',
      [100, 200, 300].map((timestampMs) => ({ value: 'x', partition: 0, timestampMs })),
    )
    const reader = await opened(source({ log, topic: 't', group: 'g' }))
    const backlog = async () =>
      (await reader.source.backlog(never)).map(({ records, oldestTimestampMs }) => [records, oldestTimestampMs])
    expect(await backlog()).toEqual([
      [3, 100],
      [0, null],
    ])
    await reader.pull({ credit: { records: 2, bytes: 1e6 } })
    expect(await backlog()).toEqual([
      [1, 300],
      [0, null],
    ])
    await log.trim('t', { beforeOffset: 3 })
    expect(await backlog()).toEqual([
      [0, null],
      [0, null],
    ])
  })
})

describe('opening a source', () => {
  it('by path shares the log of this process and closes its own use of it', async () => {
    const path = freshDirectory()
    const log = await freshLog(1, path)
    const reader = await opened(source({ path, topic: 't', group: 'g' }))
    await log.append('t', [{ value: 'a' }])
    await log.close()
    expect((await reader.records()).map(text)).toEqual(['a'])
    await reader.source.close(never)
    const again = await openLog(path)
    afterThis(() => again.close())
    expect(again.groups()[0]?.owner).toBeNull()
  })

  it('puts the prefix before partition names, and takes it off in commits', async () => {
    const log = await freshLog()
    await log.append('t', [{ value: 'a' }])
    const reader = await opened(source({ log, topic: 't', group: 'g', partitionPrefix: 'eu:' }))
    expect((await reader.records()).map(({ partition }) => partition)).toEqual(['eu:t/0'])
    await reader.source.commit([{ partition: 'eu:t/0', epoch: reader.epoch(), nextOffset: 1, doneAhead: null }])
    expect(log.groups()[0]?.lag).toBe(0)
  })

  it('fails for a missing topic, and leaves nothing open; with partitions it is created', async () => {
    const path = freshDirectory()
    const error = await refusal(opened(source({ path, topic: 'none', group: 'g' })))
    expect(error.message).toMatch(/no topic 'none' \(it has none yet\)/)
    const reader = await opened(source({ path, topic: 'none', group: 'g', partitions: 3 }))
    expect(reader.assigned[0]?.map(({ partition }) => partition)).toEqual(['none/0', 'none/1', 'none/2'])
  })

  it.each([
    [{ topic: 't', group: 'g' }, /given either `path` or `log`/],
    [{ path: 'p', group: 'g' }, /topic must be .* got nothing/],
    [{ path: 'p', topic: 't', group: '' }, /group must be .* got ''/],
    [{ path: 'p', topic: 't', group: 'g', from: 'start' }, /from must be 'earliest' or 'latest', got 'start'/],
    [{ path: 'p', topic: 't', group: 'g', decode: 'json' }, /decode must be a function, got 'json'/],
    [{ path: 'p', topic: 't', group: 'g', grup: 1 }, /unknown option 'grup'/],
    [{ log: {}, topic: 't', group: 'g' }, /log must be what openLog resolved with, got an object/],
  ])('refuses the options %o', (options, sentence) => {
    expect(() => source(options as never)).toThrow(sentence)
    expect(() => source(options as never)).toThrow(expect.objectContaining({ code: 'HG_OPTION_INVALID' }))
  })
})
