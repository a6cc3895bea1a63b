/**
 * Bugs that users of other consumers met around rebalances, lost connections and stops, each replayed through the
 * public API against a topic that behaves as a broker does. The name of a case says where the bug was reported. The
 * cases about single decisions of the engine stand in tests/engine/consumer-bugs.test.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, deadLetter, pipeline, reject, type Status } from 'headgate'
import { memory } from 'headgate/memory'
import { describe, expect, test } from 'vitest'

const PARTITIONS = 3

/** A topic of numbers, spread evenly: record `n` is offset n / 3 of partition n mod 3. */
function topicOf(count: number) {
  const topic = memory.topic<number>('t', { partitions: PARTITIONS })
  const append = (from: number, to: number): void => {
    const values = Array.from({ length: to - from }, (_, index) => from + index)
    topic.append(values.map((value) => ({ value, partition: value % PARTITIONS })))
  }
  append(0, count)
  return { topic, append, first: topic.partitions[0] as string }
}

const distinct = (values: readonly number[]): number[] => [...new Set(values)].toSorted((a, b) => a - b)
const upTo = (count: number): number[] => Array.from({ length: count }, (_, value) => value)

async function until(fits: () => boolean): Promise<void> {
  while (!fits()) await sleep(2)
}

function expectBalanced({ records }: Status): void {
  const { out, filtered, deadLettered, skipped, returned, inFlight } = records
  expect(out + filtered + deadLettered + skipped + returned + inFlight).toBe(records.in)
  expect(inFlight).toBe(0)
}

/** Every commit is at or beyond the one before it of the same partition. */
function expectForward(commits: readonly { partition: string; nextOffset: number }[]): void {
  const last = new Map<string, number>()
  for (const { partition, nextOffset } of commits) {
    expect(nextOffset).toBeGreaterThanOrEqual(last.get(partition) ?? 0)
    last.set(partition, nextOffset)
  }
}

describe('a rebalance', () => {
  test('smallrye-reactive-messaging#1403: every partition is committed to its end afterwards, and none moves back', async () => {
    const { topic, first } = topicOf(300)
    const sink = memory.sink<number>()
    const running = await pipeline('p', { commit: { intervalMs: 5 } })
      .from(topic.source({ group: 'g', prefetchRecords: 50 }))
      .call('work', (n) => sleep(1, n), { concurrency: 4 })
      .to(sink)
      .start()
    for (const taken of [[first], topic.partitions, [first]]) {
      const before = sink.values.length
      await until(() => sink.values.length >= before + 20)
      topic.lose('g', taken)
      topic.assign('g', taken)
    }
    topic.end()
    expectBalanced(await running.done)
    expect(distinct(sink.values)).toEqual(upTo(300))
    expect(topic.committed('g').map(({ nextOffset }) => nextOffset)).toEqual([100, 100, 100])
    expectForward(topic.commits('g'))
  })

  test('node-rdkafka#638: what was buffered of the assignment before is neither started nor written', async () => {
    const { topic, first } = topicOf(30)
    const calls: number[] = []
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const running = await pipeline('p')
      .from(topic.source({ group: 'g' }))
      .call(
        'work',
        (n) => {
          calls.push(n)
          return gate.then(() => n)
        },
        { concurrency: 1 },
      )
      .to(memory.sink())
      .start()
    await until(() => calls.length === 1)
    topic.lose('g', [first])
    await until(() => running.status().sources[0]?.partitions === PARTITIONS - 1)
    open()
    await until(() => running.status().records.out === 20)
    const buffered = upTo(30).filter((n) => n % PARTITIONS === 0)
    expect(calls.filter((n) => buffered.includes(n) && n !== calls[0])).toEqual([])
    const status = await running.drain()
    expectBalanced(status)
    expect(topic.commits('g').filter(({ partition }) => partition === first)).toEqual([])
  })

  test('parallel-consumer#857: a partition that comes back to the same process goes on, also when its commits failed', async () => {
    const { topic, append } = topicOf(60)
    const sink = memory.sink<number>()
    const running = await pipeline('p', { commit: { intervalMs: 5 } })
      .from(topic.source({ group: 'g', graceMs: 100 }))
      .call('work', (n) => sleep(1, n), { concurrency: 4 })
      .to(sink)
      .start()
    await until(() => sink.values.length >= 10)
    topic.failCommits('g', 2)
    await topic.revoke('g')
    expect(running.status().sources[0]?.partitions).toBe(0)
    topic.assign('g')
    append(60, 120)
    topic.end()
    expectBalanced(await running.done)
    expect(distinct(sink.values)).toEqual(upTo(120))
  })

  test('parallel-consumer#541: a revocation in the middle of a commit and of a call ends, and so does a stop after it', async () => {
    const { topic, first } = topicOf(30)
    let inCall = 0
    const running = await pipeline('p', { commit: { intervalMs: 1 }, revokeGraceMs: 50 })
      .from(topic.source({ group: 'g', graceMs: 50 }))
      .call(
        'work',
        (n) => {
          inCall += 1
          return n % PARTITIONS === 0 ? new Promise<number>(() => {}) : sleep(1, n)
        },
        {
          concurrency: 30,
        },
      )
      .to(memory.sink())
      .start()
    await until(() => inCall === 30)
    await topic.revoke('g', [first])
    topic.assign('g', [first])
    const status = await running.drain({ withinMs: 20 })
    expect(status.state).toBe('stopped')
    expectBalanced(status)
    expect(topic.commits('g').filter(({ partition }) => partition === first)).toEqual([])
  })

  test('reactor-kafka#237: neither a full pipeline nor a paused one takes in more because of it', async () => {
    const { topic } = topicOf(3000)
    let open = (): void => {}
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const running = await pipeline('p', { admission: { records: 50 } })
      .from(topic.source({ group: 'g' }))
      .call('work', (n) => gate.then(() => n), { concurrency: 4 })
      .to(memory.sink())
      .start()
    await until(() => running.status().records.inFlight === 50)
    for (let turn = 0; turn < 5; turn += 1) {
      topic.lose('g')
      topic.assign('g')
      await sleep(5)
      expect(running.status().admission.records).toBeLessThanOrEqual(50)
    }
    running.pause()
    await sleep(5)
    topic.lose('g')
    topic.assign('g')
    const { in: taken } = running.status().records
    open()
    await until(() => running.status().records.inFlight === 0)
    await sleep(20)
    expect(running.status().records.in).toBe(taken)
    running.resume()
    await until(() => running.status().records.in > taken)
    expectBalanced(await running.drain())
  })
})

describe('a connection that was lost', () => {
  test('nats.go#1729, confluent-kafka-javascript#476: consumption goes on after it, however often, busy or idle', async () => {
    const { topic, append } = topicOf(30)
    const sink = memory.sink<number>()
    const running = await pipeline('p', { commit: { intervalMs: 5 } })
      .from(topic.source({ group: 'g' }))
      .call('work', (n) => sleep(1, n), { concurrency: 4 })
      .to(sink)
      .start()
    for (let round = 1; round <= 3; round += 1) {
      // Once in the middle of the work, then while a pull waits with nothing to do.
      if (round > 1) await until(() => running.status().records.inFlight === 0)
      topic.disconnect()
      await sleep(10)
      topic.reconnect()
      append(round * 30, round * 30 + 30)
      await until(() => distinct(sink.values).length === round * 30 + 30)
    }
    topic.end()
    expectBalanced(await running.done)
    expect(sink.values.toSorted((a, b) => a - b)).toEqual(upTo(120))
    expect(topic.committed('g').map(({ nextOffset }) => nextOffset)).toEqual([40, 40, 40])
  })
})

describe('dead letters', () => {
  test('dapr#8284: one that cannot be written is written after a restart, by whoever gets the record then', async () => {
    const { topic } = topicOf(9)
    topic.end()
    let down = true
    const dead = memory.sink<DeadLetter>({
      name: 'dead',
      fail: () => (down ? { kind: 'failed', error: new Error('down') } : undefined),
    })
    const sink = memory.sink<number>()
    const consumer = pipeline('p', { onFailure: deadLetter(dead) })
      .from(topic.source({ group: 'g' }))
      .call('pick', (n) => (n === 4 ? Promise.reject(reject('four')) : n))
      .to(sink)
    const running = await consumer.start()
    await until(() => running.status().records.out === 8)
    expectBalanced(await running.drain({ withinMs: 20 }))
    expect(dead.values).toEqual([])
    down = false
    const status = await consumer.run()
    expectBalanced(status)
    expect(dead.values.map(({ value }) => value)).toEqual([4])
    expect(distinct(sink.values)).toEqual(upTo(9).filter((n) => n !== 4))
  })
})

test('nodejs/node#17469: no signal outlives its attempt and gathers the listeners of all that follow', async () => {
  const signals = new Set<AbortSignal>()
  await pipeline('p')
    .from(memory.source(upTo(200)))
    .call('work', (n, { signal }) => {
      signals.add(signal)
      return n
    })
    .to(memory.sink())
    .run()
  expect(signals.size).toBe(200)
})
