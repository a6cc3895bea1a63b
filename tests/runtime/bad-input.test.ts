/**
 * Handlers and sinks that misbehave, through the public API: whatever they do, each record has one fate, the reason is
 * said in words, and a record that fails leaves the others alone.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, deadLetter, exponential, json, pipeline, type Sink, type Status, skip, stop } from 'headgate'
import { memory } from 'headgate/memory'
import { describe, expect, it } from 'vitest'

const RECORDS = 20
const BAD = 7
const numbers = Array.from({ length: RECORDS }, (_, value) => value)
const others = numbers.filter((n) => n !== BAD)
const writtenAgain = { attempts: 2, backoff: exponential({ baseMs: 1, maxMs: 2 }) }
const retry = { ...writtenAgain, budget: 1 }

function expectBalanced({ records }: Status): void {
  const { out, filtered, deadLettered, skipped, returned, inFlight } = records
  expect(out + filtered + deadLettered + skipped + returned + inFlight).toBe(records.in)
  expect(inFlight).toBe(0)
}

const rising = (values: readonly number[]): number[] => values.toSorted((a, b) => a - b)

describe('a call handler for one record', () => {
  const never = new Promise<number>(() => {})
  it.each<[string, () => unknown, string, RegExp]>([
    ['throws', () => { throw new TypeError('no such field') }, 'HG_HANDLER_FAILED', /^no such field$/],
    ['throws a text', () => { throw 'out of stock' }, 'HG_HANDLER_FAILED', /^out of stock$/],
    ['rejects', () => Promise.reject(new Error('later')), 'HG_HANDLER_FAILED', /^later$/],
    ['rejects with nothing', () => Promise.reject(), 'HG_HANDLER_FAILED', /^undefined was thrown, which is no Error$/],
    ['rejects with null', () => Promise.reject(null), 'HG_HANDLER_FAILED', /^null was thrown, which is no Error$/],
    ['rejects with an object', () => Promise.reject({ status: 404 }), 'HG_HANDLER_FAILED', /^\{"status":404\} was thrown/],
    ['rejects with what cannot be shown', () => Promise.reject(new Proxy({}, { get: () => { throw new Error('x') } })), 'HG_HANDLER_FAILED', /was thrown/],
    ['returns undefined', () => undefined, 'HG_RECORD_REJECTED', /^call 'api' returned undefined\. Return a value/],
    ['resolves with undefined', () => Promise.resolve(), 'HG_RECORD_REJECTED', /^call 'api' returned undefined\. Return a value/],
    ['returns a thenable that throws', () => new Proxy({}, { get: () => () => { throw new Error('no promise') } }), 'HG_HANDLER_FAILED', /^no promise$/],
    ['never settles', () => never, 'HG_TIMEOUT', /^no result within 20 ms$/],
  ])('%s: it is dead-lettered as it came, with the reason, and the others go on', async (_, misbehave, code, message) => {
    const dead = memory.sink<DeadLetter>({ name: 'dead' })
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(memory.source(numbers))
      .call('api', (n): number | Promise<number> => (n === BAD ? (misbehave() as number) : n), {
        concurrency: 4,
        timeoutMs: 20,
        retry,
        onFailure: deadLetter(dead),
      })
      .to(sink)
      .run()
    expect(dead.values).toMatchObject([{ value: BAD, stage: 'api', reason: { code }, origin: { offset: BAD } }])
    expect(dead.values[0]?.reason.message).toMatch(message)
    expect(rising(sink.values)).toEqual(others)
    expectBalanced(status)
  }) // biome-ignore format: a table

  it('settles twice: what comes second is nobody’s', async () => {
    const sink = memory.sink<number>()
    const twice = (n: number): Promise<number> =>
      new Proxy({} as Promise<number>, {
        get: () => (resolve: (value: number) => void) => {
          resolve(n)
          resolve(-1)
        },
      })
    const status = await pipeline('p')
      .from(memory.source(numbers))
      .call('api', twice, { concurrency: 4 })
      .to(sink)
      .run()
    expect(rising(sink.values)).toEqual(numbers)
    expectBalanced(status)
  })

  it('answers after it was given up: the dead letter stands, and nothing is written for it', async () => {
    const dead = memory.sink<DeadLetter>({ name: 'dead' })
    const sink = memory.sink<number>()
    let answer: (value: number) => void = () => {}
    const topic = memory.topic<number>('numbers')
    topic.append(numbers.map((value) => ({ value })))
    const running = await pipeline('p')
      .from(topic.source({ group: 'g' }))
      .call('api', (n) => (n === BAD ? new Promise<number>((resolve) => (answer = resolve)) : n), {
        timeoutMs: 10,
        retry: { ...retry, attempts: 1 },
        onFailure: deadLetter(dead),
      })
      .to(sink)
      .start()
    while (dead.values.length === 0) await sleep(5)
    answer(BAD)
    await sleep(5)
    expectBalanced(await running.drain())
    expect(rising(sink.values)).toEqual(others)
  })
})

describe('a synchronous stage for one record', () => {
  it.each<[string, (n: number) => unknown, RegExp]>([
    ['throws', () => { throw new RangeError('too large') }, /^too large$/],
    ['returns undefined', () => undefined, /^map 'bad' returned undefined\. Return a value/],
  ])('%s: it is dead-lettered with the reason', async (_, misbehave, message) => {
    const dead = memory.sink<DeadLetter>({ name: 'dead' })
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(memory.source(numbers))
      .map('bad', (n): number => (n === BAD ? (misbehave(n) as number) : n), { onFailure: deadLetter(dead) })
      .to(sink)
      .run()
    expect(dead.values.map(({ value }) => value)).toEqual([BAD])
    expect(dead.values[0]?.reason.message).toMatch(message)
    expect(sink.values).toEqual(others)
    expectBalanced(status)
  }) // biome-ignore format: a table

  it('returns a promise: that is a mistake in the pipeline, which stops and says what to use', async () => {
    const failing = pipeline('p')
      .from(memory.source(numbers))
      .map('bad', (n): number => (n === BAD ? (Promise.reject(new Error('late')) as unknown as number) : n), {
        onFailure: skip(),
      })
      .to(memory.sink())
    const thrown = await failing.run().catch((error: Error) => error)
    expect(thrown).toMatchObject({
      message: expect.stringMatching(/map 'bad' returned a promise\. It runs synchronously: use call/),
    })
    // Another policy would not help, so none is advised.
    expect(thrown).not.toMatchObject({ message: expect.stringContaining('onFailure') })
  })

  it.each<[string, () => unknown, RegExp]>([
    ['no iterable', () => 5, /^flatMap 'bad' /],
    ['an iterable that throws halfway', function* () { yield 1; throw new Error('halfway') }, /^halfway$/],
  ])('a flatMap that returns %s fails the record and no other', async (_, misbehave, message) => {
    const dead = memory.sink<DeadLetter>({ name: 'dead' })
    const status = await pipeline('p')
      .from(memory.source(numbers))
      .flatMap('bad', (n): Iterable<number> => (n === BAD ? (misbehave() as number[]) : [n]), { onFailure: deadLetter(dead) })
      .to(memory.sink())
      .run()
    expect(dead.values[0]?.reason.message).toMatch(message)
    expect(status.records.deadLettered).toBe(1)
    expectBalanced(status)
  }) // biome-ignore format: a table

  it('a route to a branch that is not there names those that are', async () => {
    const dead = memory.sink<DeadLetter>({ name: 'dead' })
    const status = await pipeline('p')
      .from(memory.source(numbers))
      .route(
        'where',
        (n) => (n === BAD ? ('nowhere' as 'here') : 'here'),
        { here: (flow) => flow.to(memory.sink()) },
        {
          onFailure: deadLetter(dead),
        },
      )
      .run()
    expect(dead.values[0]?.reason.message).toBe(`route 'where' chose "nowhere", but its branches are 'here'`)
    expectBalanced(status)
  })
})

describe('a sink for one record of a batch', () => {
  const refusing = (kind: 'rejected' | 'failed', maxInFlightWrites = 1) =>
    memory.sink<number>({
      maxInFlightWrites,
      fail: (n) => (n === BAD ? { kind, error: new Error('bad row') } : undefined),
    })

  it.each(['rejected', 'failed'] as const)(
    'says %s: that one is dead-lettered, the others are written once',
    async (kind) => {
      const dead = memory.sink<DeadLetter>({ name: 'dead' })
      const sink = refusing(kind, 4)
      const status = await pipeline('p')
        .from(memory.source(numbers))
        .batch({ records: 10 })
        .to(sink, { retry: writtenAgain, onFailure: deadLetter(dead) })
        .run()
      expect(dead.values).toMatchObject([
        { value: BAD, reason: { message: 'bad row' }, attempts: kind === 'failed' ? 2 : 1 },
      ])
      expect(rising(sink.values)).toEqual(others)
      expectBalanced(status)
    },
  )

  it('stops the pipeline when it is told to; nothing beyond the record is committed', async () => {
    const topic = memory.topic<number>('numbers')
    topic.append(numbers.map((value) => ({ value })))
    topic.end()
    const failing = pipeline('p', { onFailure: stop() })
      .from(topic.source({ group: 'g' }))
      .batch({ records: 10 })
      .to(refusing('rejected'))
    await expect(failing.run()).rejects.toThrow(/stage 'memory' failed for the record at numbers\/0@7: bad row/)
    expect(Math.max(0, ...topic.commits('g').map(({ nextOffset }) => nextOffset))).toBe(BAD)
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(topic.source({ group: 'g' }))
      .to(sink)
      .run()
    expect(sink.values).toContain(BAD)
    expectBalanced(status)
  })

  it('tells too few outcomes: the sink is named, and nothing counts as written', async () => {
    const short: Sink<number> = {
      name: 'short',
      capabilities: { maxBatchRecords: 100, maxInFlightWrites: 1, idempotent: false, atomic: false },
      open: async () => {},
      write: async () => [{ kind: 'written' }],
      close: async () => {},
    }
    const topic = memory.topic<number>('numbers')
    topic.append(numbers.map((value) => ({ value })))
    topic.end()
    const failing = pipeline('p')
      .from(topic.source({ group: 'g' }))
      .batch({ records: 10 })
      .to(short)
    await expect(failing.run()).rejects.toThrow(
      /sink 'short' gave 1 outcomes for 10 records; it must give one for each/,
    )
    expect(topic.commits('g')).toEqual([])
  })
})

it('a record over the limit is not even decoded', async () => {
  const dead = memory.sink<DeadLetter>({ name: 'dead' })
  let decoded = 0
  const source = memory.source(['{"a":1}', `{"a":"${'x'.repeat(200)}"}`], {
    bytes: (text) => text.length,
    decode: (raw, record) => {
      decoded += 1
      return json()(raw, record)
    },
  })
  const status = await pipeline('p', { admission: { maxRecordBytes: 100 }, onFailure: deadLetter(dead) })
    .from(source)
    .to(memory.sink())
    .run()
  expect(decoded).toBe(1)
  expect(dead.values).toMatchObject([{ stage: 'decode', reason: { code: 'HG_RECORD_REJECTED' } }])
  expect(dead.values[0]?.reason.message).toBe('the record has 208 B, more than admission.maxRecordBytes (100 B)')
  expectBalanced(status)
})
