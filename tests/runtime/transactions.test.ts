/** The life of transactions around a pipeline, over the memory source and a sink that knows transactions. */
import { afterEach, expect, test } from 'vitest'
import { MemoryTopic } from '../../src/connectors/memory/topic.ts'
import { pipeline, type Running } from '../../src/index.ts'
import type {
  Position,
  Sink,
  SinkBatch,
  Source,
  SourceProgress,
  Transactions,
  WriteResult,
} from '../../src/model/connector.ts'
import { HeadgateError } from '../../src/model/errors.ts'

/** Keeps what was written until the commit; says in `events` what was asked of it. */
class TransactionalMemory implements Transactions {
  readonly events: string[] = []
  readonly visible: number[] = []
  readonly stored: Position[] = []
  ids: string[] = []
  failCommits = 0
  failWrites = 0
  fenced = false
  #open: number[] = []

  readonly sink: Sink<number> = {
    name: 'transactional',
    capabilities: { maxBatchRecords: 10, maxInFlightWrites: 4, idempotent: false, atomic: false },
    open: async () => void this.events.push('sink opened'),
    write: async ({ values }: SinkBatch<number>): Promise<WriteResult> => {
      if (this.failWrites > 0) {
        this.failWrites -= 1
        throw new HeadgateError('HG_CONNECTION_LOST', 'not this time')
      }
      this.#open.push(...values)
      return 'written'
    },
    close: async () => void this.events.push('sink closed'),
    transactional: {
      scope: 'memory',
      transactions: ({ id }) => {
        this.ids.push(id)
        return this
      },
      join: () => void this.events.push('joined'),
    },
  }

  source(source: Source<number>): Source<number> {
    const transactional = {
      scope: 'memory',
      progress: (positions: readonly Position[]) => positions,
      committed: (positions: readonly Position[]) => void this.stored.push(...positions),
    }
    return {
      ...{ name: source.name, capabilities: source.capabilities, transactional },
      open: (context, signal) => {
        this.events.push('source opened')
        return source.open(context, signal)
      },
      pull: (request) => source.pull(request),
      held: () => source.held(),
      commit: () => Promise.reject(new Error('progress belongs into the transaction')),
      backlog: (signal) => source.backlog(signal),
      quiesce: (signal) => source.quiesce(signal),
      close: (signal) => source.close(signal),
    }
  }

  async open(): Promise<void> {
    this.events.push('opened')
  }

  async commit(progress: readonly SourceProgress[]): Promise<void> {
    const outputs = this.#open
    this.#open = []
    if (this.fenced) throw new HeadgateError('HG_FENCED', 'a newer producer has taken over')
    if (this.failCommits > 0) {
      this.failCommits -= 1
      throw new HeadgateError('HG_COMMIT_FAILED', 'not this time')
    }
    expect(progress.flatMap(({ positions }) => positions).length).toBeGreaterThan(0)
    this.visible.push(...outputs)
    this.events.push('committed')
  }

  async abort(): Promise<void> {
    this.#open = []
    this.events.push('aborted')
  }

  async close(): Promise<void> {
    this.events.push('closed')
  }
}

const running = new Set<Running>()
afterEach(async () => {
  await Promise.all([...running].map((each) => each.stop()))
  running.clear()
})

async function startWith(memory: TransactionalMemory, count: number, id?: string): Promise<Running> {
  const topic = new MemoryTopic<number>('numbers', { partitions: 3 })
  topic.append(upTo(count).map((value) => ({ value, key: `key-${value % 7}` })))
  const transaction = { intervalMs: 20, ...(id === undefined ? {} : { id }) }
  const started = await pipeline('numbers', { delivery: 'exactly-once', transaction })
    .from(memory.source(topic.source({ group: 'g' })))
    .call('work', async (number) => number)
    .to(memory.sink)
    .start()
  running.add(started)
  return started
}

async function until(condition: () => boolean): Promise<void> {
  for (let turn = 0; !condition(); turn += 1) {
    if (turn > 2_000) throw new Error('it did not come to that')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const upTo = (count: number): number[] => Array.from({ length: count }, (_, number) => number)
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b)

test('sinks join before they open, transactions open before the source, and are closed before the sinks', async () => {
  const memory = new TransactionalMemory()
  const pipe = await startWith(memory, 50, 'instance-1')
  await until(() => memory.visible.length === 50)
  await pipe.drain()
  expect(memory.events.slice(0, 4)).toEqual(['joined', 'sink opened', 'opened', 'source opened'])
  expect(memory.events.slice(-2)).toEqual(['closed', 'sink closed'])
  expect(memory.ids).toEqual(['instance-1'])
  expect(memory.stored.length).toBeGreaterThan(0)
})

test('without an id of its own each run has another one', async () => {
  const ids = new Set<string>()
  for (let run = 0; run < 3; run += 1) {
    const memory = new TransactionalMemory()
    await (await startWith(memory, 1)).drain()
    ids.add(memory.ids[0]!)
  }
  expect(ids.size).toBe(3)
})

test('writes and commits that fail are made again: each value becomes visible once', async () => {
  const memory = new TransactionalMemory()
  memory.failWrites = 2
  memory.failCommits = 2
  const pipe = await startWith(memory, 200)
  await until(() => memory.visible.length >= 200)
  const { records } = await pipe.drain()
  expect(sorted(memory.visible)).toEqual(upTo(200))
  expect(memory.events).toContain('aborted')
  expect(records).toMatchObject({ out: 200, inFlight: 0, returned: 0 })
})

test('what waits for the end of a transaction is in flight, in a place of its own, and drained with it', async () => {
  const memory = new TransactionalMemory()
  const topic = new MemoryTopic<number>('numbers', { partitions: 1 })
  topic.append(upTo(30).map((value) => ({ value })))
  const pipe = await pipeline('slow', { delivery: 'exactly-once', transaction: { intervalMs: 30_000 } })
    .from(memory.source(topic.source({ group: 'g' })))
    .to(memory.sink)
    .start()
  running.add(pipe)
  const held = () => pipe.status().places.find(({ name }) => name.endsWith('in transaction'))
  await until(() => held()?.records === 30)
  expect(pipe.diagnose().places.find(({ name }) => name === held()?.name)?.kind).toBe('in-transaction')
  expect(pipe.status().records).toMatchObject({ inFlight: 30, out: 0 })
  expect(memory.visible).toEqual([])
  const { records } = await pipe.drain()
  expect(records).toMatchObject({ out: 30, inFlight: 0 })
  expect(memory.visible).toEqual(upTo(30))
})

test('another instance that takes over ends this one: nothing more is written, and the error says why', async () => {
  const memory = new TransactionalMemory()
  memory.fenced = true
  const { state, error, records } = await (await startWith(memory, 100)).done
  expect(state).toBe('failed')
  expect(error).toMatchObject({
    code: 'HG_FENCED',
    message: expect.stringMatching(/another instance.*transaction\.id/),
  })
  expect(records).toMatchObject({ out: 0, inFlight: 0 })
  expect(memory.visible).toEqual([])
})
