import { getEventListeners } from 'node:events'
import { deadLetterEncoder, sink, source } from 'headgate/log'
import { describe, expect, it } from 'vitest'
import type { DeadLetter, Sink } from '../../../src/model/connector.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'
import { NO_HEADERS, type RecordInfo } from '../../../src/model/record.ts'
import { afterThis, contents, freshDirectory, freshLog, never, opened, refusal, text } from './fresh-log.ts'

const origin = (rest: Partial<RecordInfo> = {}): RecordInfo => ({
  key: null,
  partition: 'in/0',
  offset: 7,
  timestampMs: 1,
  headers: NO_HEADERS,
  bytes: 1,
  ...rest,
})

async function ready<T>(made: Sink<T>): Promise<Sink<T>> {
  await made.open({ log: SILENT_LOGGER }, never)
  afterThis(() => made.close(never))
  return made
}

const write = <T>(to: Sink<T>, values: T[], from: RecordInfo = origin()) =>
  to.write({ values, origins: values.map(() => from) }, never)

const letter = (value: unknown, rest: Partial<DeadLetter> = {}): DeadLetter => ({
  value,
  reason: { code: 'HG_RECORD_REJECTED', message: 'no such\r\nx-evil: account' },
  stage: 'fraud',
  attempts: 3,
  failedAtMs: 5,
  origin: { ...origin({ key: 'k' }), source: 'log:t' },
  ...rest,
})

describe('a sink', () => {
  it('creates its topic and writes JSON, bytes as they are, under the key of the origin', async () => {
    const log = await freshLog()
    const to = await ready(sink<unknown>({ log, topic: 'out', partitions: 1 }))
    expect(await write(to, [{ a: 1 }, 'text', Uint8Array.of(1, 2)], origin({ key: 'k' }))).toBe('written')
    const { records } = log.read('out', 0, 0)
    expect(records.map(({ key }) => key)).toEqual(['k', 'k', 'k'])
    expect(records.map((record) => [...record.value])).toEqual([
      [...Buffer.from('{"a":1}')],
      [...Buffer.from('"text"')],
      [1, 2],
    ])
    expect(records[0]?.headers).toBe(NO_HEADERS)
  })

  it('takes key, encoding and headers from its options', async () => {
    const log = await freshLog()
    const to = await ready(
      sink<number>({
        log,
        topic: 't',
        key: (value, from) => `${from.offset}-${value}`,
        encode: (value) => `#${value}`,
        headers: (value) => ({ n: `${value}` }),
      }),
    )
    await write(to, [4])
    const [record] = log.read('t', 0, 0).records
    expect([record?.key, text(record!), record?.headers['n']]).toEqual(['7-4', '#4', '4'])
  })

  it('stores all of a write or none: what cannot be encoded is rejected, the others are to be written again', async () => {
    const log = await freshLog()
    const to = await ready(sink<unknown>({ log, topic: 't' }))
    const outcomes = await write(to, [1, 2n, undefined, 4])
    expect(outcomes).toMatchObject([
      { kind: 'failed', error: { code: 'HG_OVERLOADED' } },
      { kind: 'rejected', error: { code: 'HG_RECORD_REJECTED' } },
      { kind: 'rejected', error: { code: 'HG_RECORD_REJECTED' } },
      { kind: 'failed', error: { code: 'HG_OVERLOADED' } },
    ])
    expect(contents(log)).toEqual([])
  })

  it('keeps the order of writes that are in flight together', async () => {
    const log = await freshLog()
    const to = await ready(sink<number>({ log, topic: 't' }))
    await Promise.all([0, 1, 2, 3].map((each) => write(to, [each * 2, each * 2 + 1])))
    expect(contents(log)).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  it('leaves nothing behind on the signal of a write that is done', async () => {
    const to = await ready(sink<string>({ log: await freshLog(), topic: 't' }))
    const { signal } = new AbortController()
    for (let round = 0; round < 3; round += 1) await to.write({ values: ['x'], origins: [origin()] }, signal)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  it('takes an aborted write back that has not begun', async () => {
    const log = await freshLog()
    const to = await ready(sink<string>({ log, topic: 't' }))
    const abort = new AbortController()
    const aborted = to.write({ values: ['x'], origins: [origin()] }, abort.signal)
    abort.abort(new Error('stop'))
    await expect(aborted).rejects.toThrow('stop')
    await write(to, ['y'])
    expect(contents(log)).toEqual(['"y"'])
  })

  it('feeds a source of the same process', async () => {
    const path = freshDirectory()
    const to = await ready(sink<string>({ path, topic: 't', partitions: 2 }))
    const reader = await opened(source({ path, topic: 't', group: 'g' }))
    const pull = reader.records({ waitMs: 60_000 })
    await write(to, ['x'])
    expect((await pull).map(text)).toEqual(['"x"'])
  })

  it('is closed once and then refuses', async () => {
    const to = await ready(sink<string>({ path: freshDirectory(), topic: 't' }))
    await Promise.all([to.close(never), to.close(never)])
    expect((await refusal(write(to, ['x']))).code).toBe('HG_STORAGE')
  })

  it('refuses a topic that has other partitions', async () => {
    const log = await freshLog(2)
    expect((await refusal(ready(sink({ log, topic: 't', partitions: 3 })))).message).toContain('has 2 partitions')
  })

  it.each([
    [{ topic: 't' }, /given either `path` or `log`/],
    [{ path: 'p', topic: 'a b' }, /topic must be .* got 'a b'/],
    [{ path: 'p', topic: 't', maxBatchRecords: 0 }, /maxBatchRecords must be an integer from 1 to 10000, got 0/],
    [{ path: 'p', topic: 't', maxInFlightWrites: 1.5 }, /maxInFlightWrites must be an integer from 1 to 64, got 1.5/],
    [{ path: 'p', topic: 't', key: 'id' }, /key must be a function, got 'id'/],
    [{ path: 'p', topic: 't', retention: { bytes: 0 } }, /retention\.bytes must be .* got 0/],
  ])('refuses the options %o', (options, sentence) => {
    expect(() => sink(options as never)).toThrow(sentence)
  })
})

describe('dead letters', () => {
  it('are stored as JSON that can be read, with headers to search by', async () => {
    const log = await freshLog()
    const to = await ready(sink<DeadLetter>({ log, topic: 't' }))
    await write(to, [letter(Buffer.from('{"amount":-1}'))], origin({ key: 'k' }))
    const [record] = log.read('t', 0, 0).records
    expect(JSON.parse(text(record!))).toMatchObject({
      value: '{"amount":-1}',
      encoding: 'utf-8',
      reason: { code: 'HG_RECORD_REJECTED' },
      stage: 'fraud',
      attempts: 3,
      failedAtMs: 5,
      origin: { partition: 'in/0', offset: 7, key: 'k', source: 'log:t' },
    })
    expect(record?.key).toBe('k')
    expect(record?.headers).toEqual(
      Object.assign(Object.create(null), {
        'hg-reason-code': 'HG_RECORD_REJECTED',
        'hg-reason': 'no such x-evil: account',
        'hg-stage': 'fraud',
        'hg-attempts': '3',
        'hg-origin': 'in/0@7',
      }),
    )
  })

  const circular: Record<string, unknown> = { name: 'round' }
  circular['self'] = circular

  it.each([
    ['bytes that are text', Buffer.from('ümlaut'), { value: 'ümlaut', encoding: 'utf-8' }],
    ['bytes with a byte order mark', Buffer.from('\ufeffa'), { value: '\ufeffa', encoding: 'utf-8' }],
    ['other bytes', Uint8Array.of(0xff, 0xfe), { value: '//4=', encoding: 'base64' }],
    ['a value', { a: 1 }, { value: { a: 1 }, encoding: 'json' }],
    ['text', 'line', { value: 'line', encoding: 'json' }],
    ['a bigint', { n: 2n }, { value: { n: '2' }, encoding: 'json' }],
    ['nothing', undefined, { value: 'undefined', encoding: 'inspect' }],
    ['what JSON cannot hold', circular, { value: expect.stringContaining('round'), encoding: 'inspect' }],
  ])('hold %s', (_, value, expected) => {
    expect(JSON.parse(deadLetterEncoder(letter(value)).value)).toMatchObject(expected)
  })

  it('keep the headers of their origin, bytes included, and bound their own', () => {
    const headers = { trace: 't', raw: Uint8Array.of(0xff) }
    const encoded = deadLetterEncoder(
      letter('x', {
        reason: { code: 'C', message: 'm'.repeat(5_000) },
        origin: { ...origin({ headers }), source: 's' },
      }),
    )
    expect(JSON.parse(encoded.value).origin.headers).toEqual({ trace: 't', raw: { value: '/w==', encoding: 'base64' } })
    expect(String(encoded.headers['hg-reason']).length).toBe(1_000)
  })
})
