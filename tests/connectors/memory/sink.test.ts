import { memory } from 'headgate/memory'
import { expect, test } from 'vitest'
import { overloaded, reject } from '../../../src/model/errors.ts'
import { NO_HEADERS, type RecordInfo } from '../../../src/model/record.ts'

const live = new AbortController().signal

const origins = (count: number): RecordInfo[] =>
  Array.from({ length: count }, (_, offset) => ({
    key: null,
    partition: 'p',
    offset,
    timestampMs: 0,
    headers: NO_HEADERS,
    bytes: 1,
  }))

const batch = <T>(values: T[]): { values: T[]; origins: RecordInfo[] } => ({ values, origins: origins(values.length) })

test('keeps what is written, and where it came from', async () => {
  const sink = memory.sink<string>()
  await sink.open()
  expect(await sink.write(batch(['a', 'b']), live)).toBe('written')
  expect([sink.values, sink.origins.map((origin) => origin.offset), sink.count]).toEqual([['a', 'b'], [0, 1], 2])
})

test('counts without keeping', async () => {
  const sink = memory.sink<string>({ keep: false })
  await sink.open()
  expect(await sink.write(batch(['a', 'b']), live)).toBe('written')
  expect([sink.values, sink.origins, sink.count, sink.writes]).toEqual([[], [], 2, 1])
  await sink.close()
  await expect(sink.write(batch(['c']), live)).rejects.toMatchObject({ code: 'HG_INVARIANT' })
})

test('fails what it is told to, and keeps the rest', async () => {
  const slowDown = { kind: 'failed', error: overloaded('slow down') } as const
  const refused = { kind: 'rejected', error: reject('no') } as const
  const sink = memory.sink<string>({
    fail: (value, index) => (value === 'bad' ? refused : index === 3 ? slowDown : undefined),
  })
  await sink.open()
  const written = { kind: 'written' }
  expect(await sink.write(batch(['a', 'bad', 'c', 'd']), live)).toEqual([written, refused, written, slowDown])
  expect(sink.values).toEqual(['a', 'c'])
  // A retry has a new index.
  expect(await sink.write(batch(['d']), live)).toBe('written')
})

test('an atomic sink keeps nothing of a write in which one fails', async () => {
  const sink = memory.sink<string>({
    atomic: true,
    fail: (value) => (value === 'bad' ? { kind: 'rejected', error: reject('no') } : undefined),
  })
  await sink.open()
  const outcomes = await sink.write(batch(['a', 'bad']), live)
  expect(outcomes).toMatchObject([{ kind: 'failed' }, { kind: 'rejected' }])
  expect(sink.values).toEqual([])
})

test('one write more than it allows breaks an invariant', async () => {
  const sink = memory.sink<string>({ maxInFlightWrites: 2, maxBatchRecords: 2, latencyMs: 5 })
  await sink.open()
  const allowed = [sink.write(batch(['a']), live), sink.write(batch(['b']), live)]
  await expect(sink.write(batch(['c']), live)).rejects.toMatchObject({ code: 'HG_INVARIANT' })
  await expect(sink.write(batch(['d', 'e', 'f']), live)).rejects.toMatchObject({ code: 'HG_INVARIANT' })
  await Promise.all(allowed)
  expect([sink.values, sink.maxInFlightSeen]).toEqual([['a', 'b'], 2])
})

test('an abort and a close end a slow write, of which nothing is kept', async () => {
  const sink = memory.sink<string>({ latencyMs: 600_000, maxInFlightWrites: 2 })
  await sink.open()
  const abort = new AbortController()
  const aborted = sink.write(batch(['a']), abort.signal)
  const closed = sink.write(batch(['b']), live)
  abort.abort(new Error('given up'))
  await expect(aborted).rejects.toThrow('given up')
  await sink.close()
  await expect(closed).rejects.toMatchObject({ code: 'HG_CONNECTION_LOST' })
  expect(sink.values).toEqual([])
})

test.each([
  [
    { latencyMs: '5s' as never },
    /latencyMs: expected an integer .* \(milliseconds\), got "5s" .*; did you mean 5000\?/,
  ],
  [{ maxBatchRecords: 0 }, /maxBatchRecords: expected an integer from 1/],
  [{ maxInFlightWrites: 0.5 }, /maxInFlightWrites: expected an integer from 1 .*, got 0.5/],
  [{ fail: 'often' as never }, /memory.sink › fail: expected a function, got "often"/],
  [{ keep: 0 as never }, /memory.sink › keep: expected true or false, got 0/],
  [{ latency: 5 } as never, /memory.sink: unknown option `latency`; the options here are `name`/],
])('a wrong option is refused: %j', (options, message) => {
  expect(() => memory.sink(options)).toThrow(message)
})
