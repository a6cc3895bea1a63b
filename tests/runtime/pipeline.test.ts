/**
 * Whole pipelines in memory, through the public API: what users see when handlers, sinks and records misbehave.
 * Every test ends by asking whether each record had exactly one fate.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  type CallContext,
  type DeadLetter,
  deadLetter,
  exponential,
  overloaded,
  perSecond,
  pipeline,
  reject,
  type Status,
  skip,
} from 'headgate'
import { memory } from 'headgate/memory'
import { describe, expect, it } from 'vitest'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const quickly = { attempts: 3, backoff: exponential({ baseMs: 1, maxMs: 4 }), budget: 1 }

function expectBalanced({ records }: Status): void {
  const { out, filtered, deadLettered, skipped, returned, inFlight } = records
  expect(out + filtered + deadLettered + skipped + returned + inFlight).toBe(records.in)
  expect(inFlight).toBe(0)
}

describe('a pipeline', () => {
  it('a context that is kept after its attempt still speaks of its own record', async () => {
    const contexts: CallContext[] = []
    const read = async (value: number, context: CallContext): Promise<number> => {
      contexts.push(context)
      return value
    }
    const values = numbers(300)
    await pipeline('kept').from(memory.source(values)).call('read', read, { concurrency: 2 }).to(memory.sink()).run()
    expect(contexts.map(({ record }) => record.offset).sort((a, b) => a - b)).toEqual(values)
    expect(new Set(contexts.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(values.length)
  })

  it('hands every record through its stages, in order', async () => {
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(memory.source(numbers(3000)))
      .map((n) => n + 1)
      .filter((n) => n % 2 === 0)
      .map((n) => n * 10)
      .to(sink)
      .run()
    expect(sink.values).toEqual(numbers(1500).map((n) => (n + 1) * 20))
    expect(status.records).toMatchObject({ in: 3000, out: 1500, filtered: 1500 })
    expectBalanced(status)
  })

  it('merges several sources', async () => {
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(memory.source(numbers(100), { name: 'a' }), memory.source(numbers(50), { name: 'b' }))
      .to(sink)
      .run()
    expect(sink.values).toHaveLength(150)
    expectBalanced(status)
  })

  it('settles a record once when flatMap makes many outputs of it, or none', async () => {
    const sink = memory.sink<number>()
    const status = await pipeline('p')
      .from(memory.source(numbers(40)))
      .flatMap((n) => numbers(n))
      .to(sink)
      .run()
    expect(sink.values).toHaveLength((40 * 39) / 2)
    expect(status.records).toMatchObject({ in: 40, out: 39, filtered: 1 })
    expectBalanced(status)
  })

  it('routes records to branches, each with a sink of its own', async () => {
    const even = memory.sink<number>()
    const odd = memory.sink<string>()
    const status = await pipeline('p')
      .from(memory.source(numbers(100)))
      .route('parity', (n) => (n % 2 === 0 ? 'even' : 'odd'), {
        even: (branch) => branch.to(even),
        odd: (branch) => branch.map((n) => `${n}`).to(odd),
      })
      .run()
    expect(even.values).toHaveLength(50)
    expect(odd.values).toContain('99')
    expectBalanced(status)
  })

  it('lets a fast branch go on while a slow one has room in its line', async () => {
    const slow = memory.topic<number>('slow')
    let release = (): void => {}
    const gate = new Promise<void>((resolve) => {
      release = resolve
    })
    const fast = memory.sink<number>()
    const running = await pipeline('p')
      .from(memory.source(numbers(200)))
      .route(
        'speed',
        (n) => (n % 2 === 0 ? 'fast' : 'slow'),
        {
          fast: (branch) => branch.to(fast),
          slow: (branch) =>
            branch.call('wait', (n) => gate.then(() => n), { concurrency: 1, queueRecords: 1 }).to(slow.sink()),
        },
        { queueRecords: 150 },
      )
      .start()
    while (fast.values.length < 100) await sleep(1)
    release()
    expectBalanced(await running.done)
  })

  it('keeps the order of a key and never runs two of its records at once', async () => {
    const active = new Set<string>()
    const last = new Map<string, number>()
    let overlaps = 0
    let inversions = 0
    const status = await pipeline('p')
      .from(memory.source(numbers(2000), { key: (n) => `key-${n % 37}` }))
      .call(
        'work',
        async (n, { record, attempt }) => {
          const key = record.key as string
          if (active.has(key)) overlaps += 1
          active.add(key)
          if (n % 5 === 0) await sleep(0)
          active.delete(key)
          if (n % 11 === 0 && attempt === 1) throw new Error('once')
          if ((last.get(key) ?? -1) > n) inversions += 1
          last.set(key, n)
          return n
        },
        { order: 'key', concurrency: 32, retry: quickly },
      )
      .to(memory.sink())
      .run()
    expect({ overlaps, inversions }).toEqual({ overlaps: 0, inversions: 0 })
    expectBalanced(status)
  })

  it('never has more calls in progress than the concurrency, nor starts more than the rate', async () => {
    let inCall = 0
    let most = 0
    const startedMs = performance.now()
    await pipeline('p')
      .from(memory.source(numbers(120)))
      .call(
        'work',
        async (n) => {
          inCall += 1
          most = Math.max(most, inCall)
          await sleep(2)
          inCall -= 1
          return n
        },
        { concurrency: 5, rate: perSecond(400, { burst: 4 }) },
      )
      .to(memory.sink())
      .run()
    expect(most).toBeLessThanOrEqual(5)
    // However late handlers are, all but the burst had to wait for their turn.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(((120 - 4) / 400) * 1000)
  })

  it('waits out an overloaded downstream without using up attempts', async () => {
    let refusals = 0
    const status = await pipeline('p')
      .from(memory.source(numbers(20)))
      .call(
        'api',
        async (n, { attempt }) => {
          if (attempt < 6) {
            refusals += 1
            throw overloaded('busy', { retryAfterMs: 1 })
          }
          return n
        },
        { retry: { ...quickly, attempts: 2 }, concurrency: 20 },
      )
      .to(memory.sink())
      .run()
    expect(refusals).toBe(100)
    expect(status.records.out).toBe(20)
    expect(status.stages.find(({ name }) => name === 'api')?.rejected429).toBe(100)
    expectBalanced(status)
  })

  it('sends what cannot be completed to the dead-letter sink, with its reason', async () => {
    const dead = memory.sink<DeadLetter>()
    const status = await pipeline('p', { onFailure: deadLetter(dead) })
      .from(memory.source(numbers(10)))
      .map('halve', (n) => {
        if (n === 3) throw new TypeError('odd one')
        return n
      })
      .call(
        'api',
        async (n) => {
          if (n === 4) throw reject('not acceptable')
          // A handler may throw anything.
          if (n === 5) throw 'a string'
          return n
        },
        { retry: quickly },
      )
      .to(memory.sink())
      .run()
    const seen = dead.values.map(({ value, stage, attempts, reason }) => ({
      value,
      stage,
      attempts,
      code: reason.code,
    }))
    expect(seen.sort((a, b) => (a.value as number) - (b.value as number))).toEqual([
      { value: 3, stage: 'halve', attempts: 1, code: 'HG_HANDLER_FAILED' },
      { value: 4, stage: 'api', attempts: 1, code: 'HG_RECORD_REJECTED' },
      { value: 5, stage: 'api', attempts: 3, code: 'HG_HANDLER_FAILED' },
    ])
    expect(status.records).toMatchObject({ out: 7, deadLettered: 3 })
    expectBalanced(status)
  })

  it('stalls while the dead-letter sink is down, and drops nothing (promise 15)', async () => {
    let down = 20
    const dead = memory.sink<DeadLetter>({
      fail: () => (down-- > 0 ? { kind: 'failed', error: new Error('down') } : undefined),
    })
    const topic = memory.topic<number>('numbers')
    topic.append(numbers(30).map((value) => ({ value })))
    topic.end()
    const status = await pipeline('p', { onFailure: deadLetter(dead) })
      .from(topic.source({ group: 'g' }))
      .call('api', () => Promise.reject(reject('never')), { retry: quickly })
      .to(memory.sink())
      .run()
    expect(dead.values).toHaveLength(30)
    expect(status.records.deadLettered).toBe(30)
    expectBalanced(status)
  })

  it('skips what cannot be completed only where it is told to', async () => {
    const status = await pipeline('p')
      .from(memory.source(numbers(10)))
      .map('picky', (n) => (n === 7 ? (undefined as never) : n), { onFailure: skip() })
      .to(memory.sink())
      .run()
    expect(status.records).toMatchObject({ out: 9, skipped: 1 })
  })

  it('stops at a record that fails for good, says where, and leaves it uncommitted', async () => {
    const topic = memory.topic<number>('numbers')
    topic.append(numbers(100).map((value) => ({ value })))
    topic.end()
    const failing = pipeline('p')
      .from(topic.source({ group: 'g' }))
      .call('api', async (n) => (n === 42 ? Promise.reject(new Error('no such account')) : n), {
        retry: quickly,
        concurrency: 1,
      })
      .to(memory.sink())
    await expect(failing.run()).rejects.toThrow(
      /stage 'api' failed for the record at .*@42 after 3 attempts: no such account/,
    )
    const positions = topic.commits('g').flat()
    expect(Math.max(...positions.map(({ nextOffset }) => nextOffset))).toBe(42)
  })

  it('gives a handler that never settles up after its time-out and a grace', async () => {
    const dead = memory.sink<DeadLetter>()
    const status = await pipeline('p', { onFailure: deadLetter(dead) })
      .from(memory.source(numbers(3)))
      .call('hangs', (n) => (n === 1 ? new Promise<number>(() => {}) : Promise.resolve(n)), {
        timeoutMs: 20,
        retry: { ...quickly, attempts: 1 },
      })
      .to(memory.sink())
      .run()
    expect(dead.values.map(({ reason }) => reason.code)).toEqual(['HG_TIMEOUT'])
    expectBalanced(status)
  })

  it('aborts the signal at the time-out, and takes a result that comes all the same', async () => {
    const status = await pipeline('p')
      .from(memory.source([1]))
      .call(
        'slow',
        (n, { signal }) => new Promise<number>((resolve) => signal.addEventListener('abort', () => resolve(n))),
        { timeoutMs: 10 },
      )
      .to(memory.sink())
      .run()
    expect(status.records.out).toBe(1)
    expect(status.stages.find(({ name }) => name === 'slow')).toMatchObject({ attempts: 1, timeouts: 1, ok: 1 })
  })

  it('tells a handler that returns undefined what to do', async () => {
    const untyped = (() => Promise.resolve()) as unknown as () => Promise<number>
    const running = pipeline('p')
      .from(memory.source([1]))
      .call('forgets', untyped)
      .to(memory.sink())
      .run()
    await expect(running).rejects.toThrow(/call 'forgets' returned undefined\. Return a value/)
  })

  it('writes again what a sink refused for one record of a batch, and nothing else', async () => {
    const writes = new Map<number, number>()
    const sink = memory.sink<number>({
      fail: (n) => {
        writes.set(n, (writes.get(n) ?? 0) + 1)
        return n === 5 && writes.get(n) === 1 ? { kind: 'failed', error: new Error('once') } : undefined
      },
    })
    const status = await pipeline('p')
      .from(memory.source(numbers(10)))
      .batch({ records: 10 })
      .to(sink, { retry: { backoff: quickly.backoff } })
      .run()
    expect(writes.get(5)).toBe(2)
    expect(writes.get(6)).toBe(1)
    expect(sink.values.slice().sort((a, b) => a - b)).toEqual(numbers(10))
    expectBalanced(status)
  })

  it('refuses an oversized record by name', async () => {
    const big = memory.source([1], { bytes: () => 2_000_000 })
    await expect(pipeline('p').from(big).to(memory.sink()).run()).rejects.toThrow(
      /admission\.maxRecordBytes \(1\.0 MiB\)/,
    )
  })

  it('drains: finishes what was started, gives the rest back, and a restart does exactly the rest (promise 14)', async () => {
    const topic = memory.topic<number>('numbers')
    topic.append(numbers(500).map((value) => ({ value, key: `${value % 7}` })))
    topic.end()
    const sink = memory.sink<number>()
    const make = () =>
      pipeline('p')
        .from(topic.source({ group: 'g' }))
        .call('work', (n) => sleep(1, n), { order: 'key', concurrency: 4 })
        .to(sink)
    const running = await make().start()
    while (sink.values.length < 20) await sleep(1)
    const first = await running.drain()
    expect(first.state).toBe('stopped')
    expect(first.records.returned).toBeGreaterThan(0)
    expectBalanced(first)
    expectBalanced(await make().run())
    expect(sink.values.slice().sort((a, b) => a - b)).toEqual(numbers(500))
  })

  it('gives back what does not end within the deadline', async () => {
    const topic = memory.topic<number>('numbers')
    topic.append([{ value: 1 }])
    const running = await pipeline('p')
      .from(topic.source({ group: 'g' }))
      .call('hangs', () => new Promise<number>(() => {}))
      .to(memory.sink())
      .start()
    while (running.status().stages.find(({ name }) => name === 'hangs')?.inFlight !== 1) await sleep(1)
    expect(running.waitingFor()).toContain("1 call of 'hangs'")
    const status = await running.drain({ withinMs: 10 })
    expect(status.records).toMatchObject({ in: 1, returned: 1 })
    expect(topic.commits('g').flat()).toEqual([])
  })

  it('changes limits while it runs, and names the stages when one is unknown', async () => {
    let inCall = 0
    let most = 0
    const running = await pipeline('p')
      .from(memory.source(numbers(200)))
      .call(
        'work',
        async (n) => {
          inCall += 1
          most = Math.max(most, inCall)
          await sleep(2)
          inCall -= 1
          return n
        },
        { concurrency: 1 },
      )
      .to(memory.sink())
      .start()
    expect(() => running.setLimits({ stages: { wrok: { concurrency: 2 } } })).toThrow(
      /no call stage 'wrok'; the call stages are: 'work'/,
    )
    expect(running.limits().stages).toEqual({ work: { concurrency: 1, perSecond: null, timeoutMs: 30_000 } })
    running.setLimits({ admission: { records: 77 }, stages: { work: { concurrency: 16 } } })
    expectBalanced(await running.done)
    expect(running.limits()).toMatchObject({ admission: { records: 77 }, stages: { work: { concurrency: 16 } } })
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(16)
  })

  it('withholds credit while it is paused', async () => {
    const topic = memory.topic<number>('numbers')
    const sink = memory.sink<number>()
    const running = await pipeline('p')
      .from(topic.source({ group: 'g' }))
      .to(sink)
      .start()
    running.pause()
    await sleep(5)
    topic.append(numbers(10).map((value) => ({ value })))
    await sleep(20)
    expect(sink.values).toEqual([])
    running.resume()
    while (sink.values.length < 10) await sleep(1)
    expectBalanced(await running.drain())
  })

  it('accounts for every slot at every moment', async () => {
    const status = await pipeline('p')
      .from(memory.source(numbers(300), { key: (n) => `${n % 3}` }))
      .call('work', (n, { pool }) => pool(() => sleep(1)).then(() => n), { order: 'key', concurrency: 8 })
      .batch({ records: 7, withinMs: 3 })
      .to(memory.sink())
      .run()
    expect(status.checks.statesError).toBeLessThan(0.01)
    expect(status.checks.littleError).toBeLessThan(0.05)
    const { states } = status.stages.find(({ name }) => name === 'work')!
    expect(states.POOL).toBeGreaterThan(states.AWAIT)
    expect(states.KEY).toBeGreaterThan(0)
  })
})
