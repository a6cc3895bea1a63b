import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openLog } from 'headgate/log'
import { open } from 'lmdb'
import { describe, expect, it } from 'vitest'
import { hashKey, partitionOf } from '../../../src/connectors/log/partitioner.ts'
import { afterThis, contents, freshDirectory, freshLog, refusal, text } from './fresh-log.ts'

describe('appending', () => {
  it('stores many appends under way at once, each as it was given', async () => {
    const log = await freshLog(1)
    const wanted: string[] = []
    for (let round = 0; round < 4; round += 1) {
      const appends = Array.from({ length: 12 }, (_, at) =>
        Array.from({ length: 3 }, (_, part) => `${round}.${at}.${part}`.padEnd(at * 900, '-')),
      )
      await Promise.all(
        appends.map((values) =>
          log.append(
            't',
            values.map((value) => ({ value })),
          ),
        ),
      )
      wanted.push(...appends.flat())
    }
    expect(contents(log)).toEqual(wanted)
  })

  it('gives offsets in order and reads back what was stored', async () => {
    const log = await freshLog()
    expect(await log.append('t', [{ value: 'a' }, { value: 'b' }])).toEqual([
      { partition: 0, firstOffset: 0, count: 2 },
    ])
    expect(await log.append('t', [{ value: 'c' }])).toEqual([{ partition: 0, firstOffset: 2, count: 1 }])
    const { records, nextOffset } = log.read('t', 0, 1)
    expect(records.map((record) => [record.offset, text(record)])).toEqual([
      [1, 'b'],
      [2, 'c'],
    ])
    expect(nextOffset).toBe(3)
    expect(log.bounds('t', 0)).toEqual({ firstOffset: 0, nextOffset: 3 })
  })

  it('keeps keys, headers, timestamps, empty values and bytes as they were', async () => {
    const log = await freshLog()
    const headers = JSON.parse('{"__proto__":"inert","trace":"a\\r\\nb"}') as Record<string, string>
    const bytes = Uint8Array.of(0, 255, 128)
    await log.append('t', [
      { key: 'schlüssel-🔑', value: '', headers: { ...headers, raw: bytes }, timestampMs: 1_700_000_000_123 },
      { value: bytes },
      { value: { a: [1, null] } },
    ])
    const [first, second, third] = log.read('t', 0, 0).records
    expect(first?.key).toBe('schlüssel-🔑')
    expect(first?.timestampMs).toBe(1_700_000_000_123)
    expect(first?.value.length).toBe(0)
    expect(Object.entries(first?.headers ?? {})).toEqual(Object.entries({ ...headers, raw: Buffer.from(bytes) }))
    expect(({} as Record<string, unknown>)['inert']).toBeUndefined()
    expect(second?.key).toBeNull()
    expect(Uint8Array.from(second?.value ?? [])).toEqual(bytes)
    expect(second?.bytes).toBe(3)
    expect(JSON.parse(text(third as never))).toEqual({ a: [1, null] })
  })

  it('keeps a key in one partition, and spreads records without a key', async () => {
    const log = await freshLog(4)
    for (let round = 0; round < 4; round += 1) {
      await log.append('t', [{ key: 'k', value: `k${round}` }, { value: `n${round}` }])
    }
    const home = partitionOf('k', 4)
    expect(contents(log, 't', home).filter((value) => value.startsWith('k'))).toEqual(['k0', 'k1', 'k2', 'k3'])
    const used = [0, 1, 2, 3].filter((each) => contents(log, 't', each).some((value) => value.startsWith('n')))
    expect(used).toEqual([0, 1, 2, 3])
  })

  it('hashes keys as it always did, since stored records depend on it', () => {
    expect(['', 'a', 'account-7', 'schlüssel-🔑'].map(hashKey)).toEqual([
      2_872_998_923, 444_641_715, 939_175_998, 307_737_739,
    ])
  })

  it('stores appends that are not awaited in their order, many in one transaction', async () => {
    let transactions = 0
    const directory = freshDirectory()
    const log = await openLog(directory, { onWritePoint: (point) => point === 'begin' && (transactions += 1) })
    afterThis(() => log.close())
    await log.createTopic('t', { partitions: 1 })
    const before = transactions
    const appends = Array.from({ length: 50 }, (_, at) => log.append('t', [{ value: String(at) }]))
    expect((await Promise.all(appends)).map(([each]) => each?.firstOffset)).toEqual(
      Array.from({ length: 50 }, (_, at) => at),
    )
    expect(contents(log)).toEqual(Array.from({ length: 50 }, (_, at) => String(at)))
    expect(transactions - before).toBe(1)
  })

  it('splits a large append into batches and reads across them', async () => {
    const log = await freshLog()
    const values = Array.from({ length: 2_500 }, (_, at) => `${at}`.padEnd(300, '.'))
    expect(
      await log.append(
        't',
        values.map((value) => ({ value })),
      ),
    ).toEqual([{ partition: 0, firstOffset: 0, count: 2_500 }])
    expect(contents(log)).toEqual(values)
  })

  it('refuses more than may wait for the disk as overload, and takes it later', async () => {
    const log = await freshLog()
    const value = Buffer.alloc(24 * 1024 * 1024)
    const first = [log.append('t', [{ value }]), log.append('t', [{ value }])]
    expect((await refusal(log.append('t', [{ value }]))).code).toBe('HG_OVERLOADED')
    await Promise.all(first)
    await log.append('t', [{ value: 'later' }])
    expect(log.bounds('t', 0).nextOffset).toBe(3)
  })

  it('refuses what no record can hold, and stores nothing of that append', async () => {
    const log = await freshLog()
    const circular: Record<string, unknown> = {}
    circular['self'] = circular
    for (const value of [undefined, circular, () => 1, Buffer.alloc(64 * 1024 * 1024 + 1)]) {
      expect((await refusal(log.append('t', [{ value: 'fine' }, { value }]))).code).toBe('HG_RECORD_REJECTED')
    }
    expect((await refusal(log.append('t', [{ value: 1, timestampMs: Number.NaN }]))).code).toBe('HG_RECORD_REJECTED')
    expect((await refusal(log.append('t', [{ value: 1, partition: 1 }]))).message).toContain('partitions 0 to 0')
    expect(contents(log)).toEqual([])
  })
})

describe('reading', () => {
  it('stops at the records and at the bytes; only the first record may exceed the bytes', async () => {
    const log = await freshLog()
    await log.append(
      't',
      Array.from({ length: 10 }, () => ({ value: Buffer.alloc(100) })),
    )
    expect(log.read('t', 0, 0, { maxRecords: 3 }).records).toHaveLength(3)
    expect(log.read('t', 0, 0, { maxBytes: 250 }).records).toHaveLength(2)
    expect(log.read('t', 0, 4, { maxBytes: 1 }).records.map((record) => record.offset)).toEqual([4])
    expect(log.read('t', 0, 99)).toEqual({ records: [], nextOffset: 99 })
  })

  it('gives records that outlive later writes, trims and the log itself', async () => {
    const log = await freshLog()
    await log.append('t', [{ key: 'k', value: 'kept' }])
    const [record] = log.read('t', 0, 0).records
    await log.trim('t', { beforeOffset: 1 })
    for (let round = 0; round < 20; round += 1) await log.append('t', [{ value: Buffer.alloc(5_000, round) }])
    await log.close()
    expect(text(record as never)).toBe('kept')
  })

  it('finds what was stored before it was closed', async () => {
    const directory = freshDirectory()
    const first = await freshLog(2, directory)
    await first.append('t', [{ value: 'a', partition: 1 }])
    await first.close()
    const again = await openLog(directory)
    afterThis(() => again.close())
    expect(contents(again, 't', 1)).toEqual(['a'])
    expect(await again.append('t', [{ value: 'b', partition: 1 }])).toEqual([
      { partition: 1, firstOffset: 1, count: 1 },
    ])
  })
})

describe('topics', () => {
  it('are created once, with 8 partitions unless told otherwise', async () => {
    const log = await freshLog(3)
    expect((await log.createTopic('u')).partitions).toHaveLength(8)
    expect((await log.createTopic('t')).partitions).toHaveLength(3)
    expect(log.topics().map(({ name }) => name)).toEqual(['t', 'u'])
    const error = await refusal(log.createTopic('t', { partitions: 4 }))
    expect(error.code).toBe('HG_OPTION_INVALID')
    expect(error.message).toContain("'t' has 3 partitions and 4 were asked for")
  })

  it('tell their records, bytes and oldest record', async () => {
    const log = await freshLog(2)
    await log.append('t', [
      { value: 'x', partition: 1, timestampMs: 500 },
      { value: 'y', partition: 1, timestampMs: 400 },
    ])
    const [topic] = log.topics()
    expect(topic).toMatchObject({ name: 't', records: 2, oldestTimestampMs: 500, retention: {} })
    expect(topic?.bytes).toBeGreaterThan(2)
    expect(topic?.partitions.map(({ nextOffset }) => nextOffset)).toEqual([0, 2])
  })

  it('that are missing are named, with those that exist', async () => {
    const log = await freshLog()
    const error = await refusal(log.append('paymets', [{ value: 1 }]))
    expect(error.message).toMatch(/no topic 'paymets' \(it has t\)/)
  })

  it.each([
    [
      'a wrong name',
      (log: Awaited<ReturnType<typeof freshLog>>) => log.createTopic('a/b'),
      /topic must be .* got 'a\/b'/,
    ],
    [
      'no partitions',
      (log) => log.createTopic('x', { partitions: 0 }),
      /partitions must be an integer from 1 to 256, got 0/,
    ],
    ['a misspelt option', (log) => log.createTopic('x', { partition: 2 } as never), /unknown option 'partition'/],
    [
      'a wrong retention',
      (log) => log.createTopic('x', { retention: { ageMs: -1 } }),
      /retention\.ageMs must be .* got -1/,
    ],
    ['a wrong trim', (log) => log.trim('t', { beforeOffset: -1 }), /beforeOffset must be .* got -1/],
    ['a wrong seek', (log) => log.seek('g', 't', 'end' as never), /to must be an offset.* got 'end'/],
  ] satisfies [string, (log: Awaited<ReturnType<typeof freshLog>>) => Promise<unknown>, RegExp][])(
    'refuse %s',
    async (_, act, sentence) => {
      const error = await refusal(act(await freshLog()))
      expect(error.code).toBe('HG_OPTION_INVALID')
      expect(error.message).toMatch(sentence)
    },
  )
})

describe('opening', () => {
  it('shares one environment within a process, until the last one closes', async () => {
    const directory = freshDirectory()
    const first = await freshLog(1, directory)
    const second = await openLog(directory)
    await first.append('t', [{ value: 'a' }])
    await first.close()
    await first.close()
    expect(contents(second)).toEqual(['a'])
    expect((await refusal(first.append('t', [{ value: 'b' }]))).message).toContain('was closed')
    await second.close()
    const third = await openLog(directory)
    expect(contents(third)).toEqual(['a'])
    await third.close()
  })

  it('takes a directory whose name has a dot', async () => {
    const directory = join(freshDirectory(), 'payments.v1')
    const log = await freshLog(1, directory)
    await log.append('t', [{ value: 'a' }])
    expect(readdirSync(directory)).toContain('data.mdb')
  })

  it('says what to do when the path is a file, or lies below one', async () => {
    const file = join(freshDirectory(), 'file')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'below')]) {
      const error = await refusal(openLog(path))
      expect(error.code).toBe('HG_STORAGE')
      expect(error.message).toMatch(/must be a directory/)
    }
  })

  it.runIf(process.platform === 'linux')('says what to do where it may not write', async () => {
    const error = await refusal(openLog('/proc/headgate'))
    expect(error.code).toBe('HG_STORAGE')
    expect(error.message).toContain('/proc/headgate')
  })

  it('refuses a file that is no log', async () => {
    const directory = freshDirectory()
    writeFileSync(join(directory, 'data.mdb'), Buffer.alloc(20_000, 'no log'))
    const error = await refusal(openLog(directory))
    expect(error.code).toBe('HG_STORAGE')
    expect(error.message).toMatch(/holds a data\.mdb that is no log/)
  })

  it('refuses another format and leaves it as it is', async () => {
    const directory = freshDirectory()
    await (await freshLog(1, directory)).close()
    const format = async (value?: string): Promise<string> => {
      const root = open({ path: directory, noSubdir: false, overlappingSync: false, maxDbs: 10 })
      const meta = root.openDB({ name: 'meta', encoding: 'binary' })
      if (value) await meta.put('format', Buffer.from(value))
      const stored = String(meta.get('format'))
      await root.close()
      return stored
    }
    for (const [other, way] of [
      ['3', 'upgrade headgate, or'],
      ['1', 'read it with the version that wrote it, or'],
    ] as const) {
      await format(other)
      const error = await refusal(openLog(directory))
      expect(error.code).toBe('HG_STORAGE')
      expect(error.message).toContain(`has format ${other}, this version of headgate reads format 2: ${way} choose`)
      expect(await format()).toBe(other)
    }
    await format('2')
    await (await openLog(directory)).close()
  })

  it('makes the directories above', async () => {
    const directory = join(freshDirectory(), 'a', 'b')
    mkdirSync(join(directory, '..'), { recursive: true })
    await (await openLog(directory)).close()
    expect(readdirSync(directory)).toContain('data.mdb')
  })
})
