import { memory } from 'headgate/memory'
import { describe, expect, test } from 'vitest'
import type { Assignment, Position, Pulled, PullRequest, SourceContext } from '../../../src/model/connector.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'

const live = new AbortController().signal
const GROUP = 'readers'

function context(): SourceContext & { assigned: Map<string, Assignment>; lost: string[]; revoked: string[] } {
  const assigned = new Map<string, Assignment>()
  const lost: string[] = []
  const revoked: string[] = []
  return {
    assigned,
    lost,
    revoked,
    onAssigned: (assignments) => assignments.forEach((each) => void assigned.set(each.partition, each)),
    async onRevoked(partitions) {
      revoked.push(...partitions)
      for (const partition of partitions) assigned.delete(partition)
    },
    onLost: (partitions) => void lost.push(...partitions),
    log: SILENT_LOGGER,
  }
}

type Source = ReturnType<ReturnType<typeof memory.topic<string>>['source']>

const pull = (source: Source, request: Partial<PullRequest> & { records?: number } = {}): Promise<Pulled> =>
  source.pull({
    credit: { records: request.records ?? 1_000, bytes: 1e9 },
    paused: new Set(),
    waitMs: 0,
    signal: live,
    ...request,
  })

const values = ({ batches }: Pulled): unknown[] => batches.flatMap(({ records }) => records.map(({ value }) => value))
const entries = (...letters: string[]): { value: string }[] => letters.map((value) => ({ value }))

function topicOf(...letters: string[]): ReturnType<typeof memory.topic<string>> {
  const topic = memory.topic<string>('t')
  topic.append(entries(...letters))
  return topic
}

test('an append wakes a pull that waits', async () => {
  const topic = memory.topic<string>('t')
  const source = topic.source({ group: GROUP })
  await source.open(context())
  const waiting = pull(source, { waitMs: 600_000 })
  topic.append(entries('a'))
  expect(values(await waiting)).toEqual(['a'])
})

test('groups read the same records, each on its own', async () => {
  const topic = topicOf('a', 'b')
  for (const group of ['one', 'two']) {
    const source = topic.source({ group })
    await source.open(context())
    expect(values(await pull(source))).toEqual(['a', 'b'])
  }
})

test('a gap in the offsets stays a gap, also for a restart within it', async () => {
  const topic = topicOf('a')
  topic.append([{ value: 'z', offset: 10 }])
  const source = topic.source({ group: GROUP })
  await source.open(context())
  const { batches } = await pull(source)
  expect(batches[0]?.records.map((record) => record.offset)).toEqual([0, 10])
  await source.commit([{ partition: 't/0', epoch: batches[0]?.epoch as number, nextOffset: 1, doneAhead: null }])
  await source.close()
  const again = topic.source({ group: GROUP })
  await again.open(context())
  expect(values(await pull(again))).toEqual(['z'])
})

test('a source ends once the topic has, and everything was delivered', async () => {
  const topic = topicOf('a', 'b')
  topic.end()
  const source = topic.source({ group: GROUP })
  await source.open(context())
  expect((await pull(source, { records: 1 })).ended).toBe(false)
  expect((await pull(source, { records: 1 })).ended).toBe(true)
  expect(() => topic.append(entries('c'))).toThrow(/has ended/)
})

test('a source does not end while a partition that it may get again has records', async () => {
  const topic = topicOf('a')
  topic.end()
  const source = topic.source({ group: GROUP })
  await source.open(context())
  topic.lose(GROUP)
  expect(await pull(source)).toEqual({ batches: [], ended: false })
  topic.assign(GROUP)
  const last = await pull(source)
  expect([values(last), last.ended]).toEqual([['a'], true])
})

describe('members of a group', () => {
  test('share the partitions; the one that comes later gets its share after the first let go', async () => {
    const topic = memory.topic<string>('t', { partitions: 4 })
    const [first, second] = [topic.source({ group: GROUP }), topic.source({ group: GROUP })]
    const [one, two] = [context(), context()]
    await first.open(one)
    expect([...one.assigned.keys()]).toEqual(topic.partitions)
    await second.open(two)
    await expect.poll(() => [...two.assigned.keys()]).toEqual(['t/2', 't/3'])
    expect(one.revoked).toEqual(['t/2', 't/3'])
    await first.close()
    expect([...two.assigned.keys()].sort()).toEqual(topic.partitions)
  })

  test('deliver nothing of a partition that is on its way to another', async () => {
    const topic = memory.topic<string>('t', { partitions: 2 })
    const source = topic.source({ group: GROUP })
    let letGo = (): void => {}
    const slow: SourceContext = {
      ...context(),
      onRevoked: () =>
        new Promise((resolve) => {
          letGo = resolve
        }),
    }
    await source.open(slow)
    const revoked = topic.revoke(GROUP, ['t/0'])
    topic.append([
      { value: 'old', partition: 0 },
      { value: 'kept', partition: 1 },
    ])
    expect(values(await pull(source))).toEqual(['kept'])
    letGo()
    await revoked
    topic.assign(GROUP, ['t/0'])
    expect(values(await pull(source))).toEqual(['old'])
  })
})

describe('commits', () => {
  const position = (epoch: number, nextOffset: number): Position => ({
    partition: 't/0',
    epoch,
    nextOffset,
    doneAhead: null,
  })

  async function reading(): Promise<{ topic: ReturnType<typeof topicOf>; source: Source; epoch: number }> {
    const topic = topicOf('a', 'b', 'c')
    const source = topic.source({ group: GROUP })
    const told = context()
    await source.open(told)
    await pull(source)
    return { topic, source, epoch: told.assigned.get('t/0')?.epoch as number }
  }

  test('are remembered in order; a step backward is refused and stores nothing', async () => {
    const { topic, source, epoch } = await reading()
    await source.commit([position(epoch, 1)])
    await source.commit([position(epoch, 3)])
    await expect(source.commit([position(epoch, 2)])).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
    expect(topic.commits(GROUP)).toEqual([position(epoch, 1), position(epoch, 3)])
    expect(topic.committed(GROUP)).toEqual([position(epoch, 3)])
  })

  test('beyond what was delivered break an invariant', async () => {
    const { source, epoch } = await reading()
    await expect(source.commit([position(epoch, 4)])).rejects.toMatchObject({ code: 'HG_INVARIANT' })
  })

  test('fail as often as they are told to, stored or not', async () => {
    const { topic, source, epoch } = await reading()
    topic.failCommits(GROUP, 1)
    await expect(source.commit([position(epoch, 1)])).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
    expect(topic.commits(GROUP)).toEqual([])
    topic.failCommits(GROUP, 1, { stored: true })
    await expect(source.commit([position(epoch, 1)])).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
    expect(topic.commits(GROUP)).toEqual([position(epoch, 1)])
    await source.commit([position(epoch, 1)])
    expect(topic.commits(GROUP)).toHaveLength(2)
  })

  test('of a member that closed are fenced', async () => {
    const { source, epoch } = await reading()
    await source.close()
    await expect(source.commit([position(epoch, 1)])).rejects.toMatchObject({ code: 'HG_FENCED' })
  })
})

test('while it is disconnected nothing can be opened, pulled or committed, and a pull that waits is told', async () => {
  const topic = topicOf()
  const source = topic.source({ group: GROUP })
  await source.open(context())
  const waiting = pull(source, { waitMs: 600_000 })
  topic.disconnect()
  const lost = { code: 'HG_CONNECTION_LOST' }
  await expect(waiting).rejects.toMatchObject(lost)
  await expect(pull(source)).rejects.toMatchObject(lost)
  await expect(source.commit([])).rejects.toMatchObject(lost)
  await expect(source.backlog()).rejects.toMatchObject(lost)
  await expect(topic.source({ group: 'other' }).open(context())).rejects.toMatchObject(lost)
  topic.reconnect()
  topic.append(entries('a'))
  expect(values(await pull(source))).toEqual(['a'])
})

test('one pipeline feeds another: the sink keeps the key of the record it came from', async () => {
  const topic = memory.topic<string>('t', { partitions: 3 })
  const sink = topic.sink()
  await sink.open()
  const origin = { key: 'k', partition: 'p', offset: 0, timestampMs: 0, headers: {}, bytes: 1 }
  expect(await sink.write({ values: ['a', 'b'], origins: [origin, origin] }, live)).toBe('written')
  expect(topic.records().map(({ key, value }) => [key, value])).toEqual([
    ['k', 'a'],
    ['k', 'b'],
  ])
  expect(new Set(topic.records().map(({ partition }) => partition)).size).toBe(1)
})
