import { memory } from 'headgate/memory'
import { describe, expect, test } from 'vitest'
import type { Assignment, Pulled, PullRequest, Source } from '../../../src/model/connector.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'

const live = new AbortController().signal

async function open(source: Source<unknown>): Promise<readonly Assignment[]> {
  const assignments: Assignment[] = []
  const onAssigned = (assigned: readonly Assignment[]): void => void assignments.push(...assigned)
  await source.open({ onAssigned, async onRevoked() {}, onLost() {}, log: SILENT_LOGGER }, live)
  return assignments
}

const pull = (source: Source<unknown>, request: Partial<PullRequest> & { records?: number } = {}): Promise<Pulled> =>
  source.pull({
    credit: { records: request.records ?? 1_000, bytes: 1e9 },
    paused: new Set(),
    waitMs: 0,
    signal: live,
    ...request,
  })

const values = ({ batches }: Pulled): unknown[] => batches.flatMap(({ records }) => records.map(({ value }) => value))

test('an array ends with its last records', async () => {
  const source = memory.source(['a', 'b', 'c'], { name: 'letters' })
  expect(await open(source)).toEqual([{ partition: 'letters/0', epoch: 1, nextOffset: 0, doneAhead: null }])
  const first = await pull(source, { records: 2 })
  expect([values(first), first.ended]).toEqual([['a', 'b'], false])
  const last = await pull(source, { records: 1 })
  expect([values(last), last.ended]).toEqual([['c'], true])
  expect(await pull(source)).toEqual({ batches: [], ended: true })
})

test('a record carries what the options say of its value', async () => {
  const source = memory.source([{ id: 7 }], {
    key: (value) => `k${value.id}`,
    timestampMs: (_value, index) => 1_000 + index,
    bytes: () => 500,
    headers: (value) => ({ id: String(value.id) }),
  })
  await open(source)
  expect((await pull(source)).batches[0]?.records).toEqual([
    {
      key: 'k7',
      partition: 'memory/0',
      offset: 0,
      timestampMs: 1_000,
      headers: { id: '7' },
      bytes: 500,
      value: { id: 7 },
    },
  ])
})

test('an endless generator is read only as far as there is credit', async () => {
  let made = 0
  function* endless(): Generator<number> {
    for (;;) yield made++
  }
  const source = memory.source(endless())
  await open(source)
  expect(made).toBe(0)
  expect(values(await pull(source, { records: 3 }))).toEqual([0, 1, 2])
  expect(made).toBe(3)
  expect(source.capabilities).toMatchObject({ replayable: false, backlog: 'none' })
})

test('a generator that was not finished is told so at close', async () => {
  let finished = false
  function* generator(): Generator<number> {
    try {
      for (;;) yield 1
    } finally {
      finished = true
    }
  }
  const source = memory.source(generator())
  await open(source)
  await pull(source, { records: 1 })
  await source.close()
  expect(finished).toBe(true)
})

describe('over several partitions', () => {
  test('values without a key take turns, those with one stay together', async () => {
    const turns = memory.source([0, 1, 2, 3], { partitions: 2 })
    await open(turns)
    expect((await pull(turns)).batches.map((batch) => batch.records.map((record) => record.value))).toEqual([
      [0, 2],
      [1, 3],
    ])
    const keyed = memory.source(
      Array.from({ length: 60 }, (_, n) => n),
      { partitions: 4, key: (n) => `${n % 6}` },
    )
    await open(keyed)
    const homes = new Map<string, Set<string>>()
    for (const { partition, records } of (await pull(keyed)).batches) {
      for (const { key } of records) homes.set(key as string, (homes.get(key as string) ?? new Set()).add(partition))
    }
    expect([...homes.values()].map((home) => home.size)).toEqual([1, 1, 1, 1, 1, 1])
  })

  test('what is kept aside for a paused partition is bounded and counted', async () => {
    let read = 0
    function* endless(): Generator<number> {
      for (;;) yield read++
    }
    const source = memory.source(endless(), { partitions: 2 })
    await open(source)
    const paused = new Set(['memory/0'])
    const flowed = []
    for (let turn = 0; turn < 50; turn += 1) flowed.push(...values(await pull(source, { records: 100, paused })))
    expect(flowed).toEqual(Array.from({ length: flowed.length }, (_, n) => 2 * n + 1))
    expect(source.held().records).toBe(1_000)
    expect(read).toBe(flowed.length + 1_000)
    expect(values(await pull(source, { records: 1_000 })).slice(0, 1_000)).toEqual(
      Array.from({ length: 1_000 }, (_, n) => 2 * n),
    )
  })
})

test('opened again after a close it starts at what was committed', async () => {
  const source = memory.source(['a', 'b', 'c', 'd'])
  const [first] = await open(source)
  await pull(source, { records: 3 })
  const position = { partition: 'memory/0', epoch: first?.epoch as number, nextOffset: 2, doneAhead: null }
  await source.commit([position])
  await source.close()
  await expect(source.commit([{ ...position, nextOffset: 3 }])).rejects.toMatchObject({ code: 'HG_FENCED' })
  await open(source)
  expect(values(await pull(source))).toEqual(['c', 'd'])
  expect(source.committed()).toEqual([{ partition: 'memory/0', epoch: 2, nextOffset: 2, doneAhead: null }])
})

test('a commit of what was never delivered breaks an invariant', async () => {
  const source = memory.source(['a', 'b'])
  await open(source)
  await pull(source, { records: 1 })
  const commit = source.commit([{ partition: 'memory/0', epoch: 1, nextOffset: 2, doneAhead: null }])
  await expect(commit).rejects.toMatchObject({ code: 'HG_INVARIANT' })
})

test.each([0, 1.5, -1, Number.NaN])('%s partitions are refused', (partitions) => {
  expect(() => memory.source([], { partitions })).toThrow(
    /^memory.source › partitions: expected an integer from 1 to 10,000 \(partitions\), got /,
  )
})

test.each([
  [{ records: [1] }, 'an object'],
  [undefined, 'undefined'],
  [null, 'null'],
])('%j is refused as values, and it is said what belongs there', (values, got) => {
  expect(() => memory.source(values as never)).toThrow(
    `memory.source: expected an array or another iterable of values first, then options, got ${got}`,
  )
})
