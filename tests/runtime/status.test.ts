/** The status of a running pipeline as its user reads it: one schema, every place once, nothing known that is not. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, deadLetter, overloaded, pipeline, reject, type Status } from 'headgate'
import { memory } from 'headgate/memory'
import { expect, it } from 'vitest'
import { statusSchema } from '../../src/runtime/status-schema.ts'

function* naturals(): Generator<number> {
  for (let value = 0; ; value += 1) yield value
}

const backlogOf = ({ places }: Status) => places.find(({ name }) => name === 'memory backlog')

/** A running pipeline over these values, looked at once it has completed something. */
async function looked(values: Iterable<number>): Promise<{ running: Status; ended: Status }> {
  const started = await pipeline('p', { admission: { records: 10 } })
    .from(memory.source(values))
    .call('wait', (n) => sleep(1, n), { concurrency: 2 })
    .to(memory.sink({ keep: false }))
    .start()
  while (started.status().records.out < 10 || started.status().completionPerSecond === 0) await sleep(5)
  const running = started.status()
  return { running, ended: await started.drain() }
}

it('shows a backlog that nobody can count as unknown, not as empty', async () => {
  const { running } = await looked(naturals())
  expect(running.sources[0]?.backlogRecords).toBeNull()
  expect(backlogOf(running)).toEqual({
    name: 'memory backlog',
    kind: 'backlog',
    owner: 'memory',
    records: null,
    bytes: null,
    seconds: null,
    limitRecords: null,
  })
})

it('shows a backlog that is known, and how long it takes', async () => {
  const { running } = await looked(Array.from({ length: 100_000 }, (_, value) => value))
  const backlog = backlogOf(running)
  expect(backlog?.records).toBeGreaterThan(0)
  expect(backlog?.seconds).toBeCloseTo((backlog?.records as number) / running.completionPerSecond)
})

it('has the shape of its schema at every moment, and every name once', async () => {
  const dead = memory.sink<DeadLetter>({ name: 'dead' })
  const seen: Status[] = []
  const started = await pipeline('p')
    .from(memory.source(Array.from({ length: 500 }, (_, value) => value)))
    .flatMap((n) => [n, n])
    .call('pick', (n) => (n % 9 === 0 ? Promise.reject(reject('ninth')) : sleep(1, n)), {
      concurrency: 16,
      onFailure: deadLetter(dead),
    })
    .route('parity', (n) => (n % 2 === 0 ? 'even' : 'odd'), {
      even: (flow) => flow.batch({ records: 20 }).to(memory.sink()),
      odd: (flow) => flow.to(memory.sink()),
    })
    .start()
  while (started.status().records.out < 100) await sleep(1)
  seen.push(started.status(), await started.done)
  for (const status of seen) {
    expect(statusSchema.parse(status)).toEqual(status)
    for (const names of [status.places, status.stages].map((list) => list.map(({ name }) => name))) {
      expect(new Set(names).size).toBe(names.length)
    }
  }
  expect(seen.at(-1)?.stages.map(({ name }) => name)).toContain('dead-letter:dead')
})

it('names the records whose downstream could not be reached, and not those that were asked to wait', async () => {
  const refused = Object.assign(new Error('connect ECONNREFUSED 127.0.0.1:1'), { code: 'ECONNREFUSED' })
  const failures = new Map<number, Error>([
    [3, refused],
    [5, overloaded('busy', { retryAfterMs: 1 })],
  ])
  const ended = await pipeline('p')
    .from(memory.source([1, 2, 3, 4, 5, 6]))
    .call('score', async (n) => {
      const failure = failures.get(n)
      failures.delete(n)
      if (failure) throw failure
      return n
    })
    .to(memory.sink({ keep: false }))
    .run()
  expect(ended.records.out).toBe(6)
  expect(ended.lastFailures.map(({ offset, stage, code }) => ({ offset, stage, code }))).toEqual([
    { offset: 2, stage: 'score', code: 'HG_CONNECTION_LOST' },
  ])
})

it('shows the age of the oldest record that is not committed, in flight or in the broker', async () => {
  const stampOf = (value: number): number => Date.UTC(2020, 0, 1) + value * 1000
  const topic = memory.topic<number>('t')
  topic.append([0, 1, 2, 3, 4, 5].map((value) => ({ value, timestampMs: stampOf(value) })))
  const gates = new Map<number, () => void>()
  const started = await pipeline('p', { admission: { records: 2 }, commit: { intervalMs: 10 } })
    .from(topic.source({ group: 'g' }))
    .call('wait', (n: number) => new Promise<number>((resolve) => gates.set(n, () => resolve(n))), { concurrency: 2 })
    .to(memory.sink())
    .start()
  /** The backlog is asked about once a second. */
  const oldest = async (sinceMs: number | null): Promise<void> => {
    await expect
      .poll(() => started.status().sources[0]!.byPartition.map((partition) => partition.oldestUncommittedMs))
      .toEqual([sinceMs])
    const { sources, nowMs } = started.status()
    expect(sources[0]!.backlogAgeMs).toBe(sinceMs === null ? null : nowMs - sinceMs)
  }
  await expect.poll(() => gates.size).toBe(2)
  await oldest(stampOf(0))
  // What is completed ahead of it changes nothing.
  gates.get(1)!()
  await expect.poll(() => gates.size).toBe(3)
  await oldest(stampOf(0))
  gates.get(0)!()
  await oldest(stampOf(2))
  for (const value of [2, 3, 4, 5]) {
    await expect.poll(() => gates.has(value)).toBe(true)
    gates.get(value)!()
  }
  await oldest(null)
  await started.stop()
})

it('gives all who watch the same look, of one moment, until the doctor looks again or the state is another one', async () => {
  const started = await pipeline('p')
    .from(memory.source(naturals()))
    .call('wait', (n) => sleep(1, n), { concurrency: 2 })
    .to(memory.sink({ keep: false }))
    .start()
  const first = started.look()
  expect(started.look()).toBe(first)
  expect(first.diagnosis.atMs).toBe(first.status.nowMs)
  expect(first.status.verdict).not.toBe('')

  started.pause()
  expect(started.look().status.state).toBe('paused')

  started.resume()
  const before = started.look()
  while (started.look() === before) await sleep(5)
  expect(started.look().status.nowMs).toBeGreaterThan(before.status.nowMs)
  await started.stop()
  expect(started.look().status.state).toBe('stopped')
})
