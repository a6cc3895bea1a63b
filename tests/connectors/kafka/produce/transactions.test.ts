/** Transactions against a scripted coordinator: what each answer, and each answer that is lost, leads to. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test, vi } from 'vitest'
import { BASE_SEQUENCE_AT } from '../../../../src/connectors/kafka/batch/layout.ts'
import type { GroupProgress } from '../../../../src/connectors/kafka/commit/progress.ts'
import { KafkaTransactions } from '../../../../src/connectors/kafka/produce/transactions.ts'
import { Cluster } from '../../../../src/connectors/kafka/wire/cluster.ts'
import {
  CONCURRENT_TRANSACTIONS,
  COORDINATOR_LOAD_IN_PROGRESS,
  COORDINATOR_NOT_AVAILABLE,
  ILLEGAL_GENERATION,
  INVALID_PRODUCER_EPOCH,
  NOT_COORDINATOR,
  PRODUCER_FENCED,
} from '../../../../src/connectors/kafka/wire/errors.ts'
import type { Source, SourceProgress } from '../../../../src/model/connector.ts'
import { HeadgateError } from '../../../../src/model/errors.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'

const { signal } = new AbortController()
const LOST = new HeadgateError('HG_CONNECTION_LOST', 'no answer')
const INVALID_TXN_STATE = 48
const PRODUCING = {
  acks: 'all',
  idempotent: true,
  compression: 'none',
  batchBytes: 1_000,
  deliveryTimeoutMs: 5_000,
} as const

/** By request: error codes, or errors, that come before the answer that all is well. */
type Script = Partial<Record<string, (number | Error)[]>>

class Coordinator {
  readonly asked: string[] = []
  readonly identities: unknown[] = []
  /** What the group has stored, as `offset metadata`. */
  stored = '5 '
  epoch = -1
  /** How often it was looked up anew. */
  forgotten = 0
  /** Brokers do not name the topic at the moment. */
  hidden = false
  /** First sequence numbers of the batches that were written. */
  readonly sequences: number[] = []
  readonly #script: Script

  constructor(script: Script = {}) {
    this.#script = script
  }

  call(name: string, ...given: unknown[]): Promise<unknown> {
    this.asked.push(name)
    const next = this.#script[name]?.shift() ?? 0
    if (typeof next !== 'number') return Promise.reject(next)
    return Promise.resolve(this.#answer(name, next, given))
  }

  #answer(name: string, errorCode: number, given: unknown[]): unknown {
    const partition = { partitionIndex: 0, partitionErrorCode: errorCode, errorCode }
    if (name === 'initProducerId') {
      this.identities.push(given[2])
      this.epoch += 1
      return { errorCode, producerId: 7n, producerEpoch: this.epoch }
    }
    if (name === 'addPartitionsToTxn')
      return {
        errorCode: 0,
        resultsByTransaction: [{ topicResults: [{ name: 'out', resultsByPartition: [partition] }] }],
      }
    if (name === 'txnOffsetCommit') return { topics: [{ name: 'in', partitions: [partition] }] }
    if (name === 'produce') {
      const [{ partitions }] = given[3] as [{ partitions: [{ records: Buffer }] }]
      this.sequences.push(partitions[0].records.readInt32BE(BASE_SEQUENCE_AT))
    }
    if (name === 'produce')
      return { topics: [{ name: 'out', partitions: [{ index: 0, errorCode, recordErrors: [] }] }] }
    if (name === 'offsetFetch') {
      const [offset, metadata] = this.stored.split(' ') as [string, string]
      const found = { partitionIndex: 0, committedOffset: BigInt(offset), metadata, errorCode }
      return { groups: [{ groupId: 'g', errorCode: 0, topics: [{ name: 'in', partitions: [found] }] }] }
    }
    return { errorCode }
  }

  cluster(): Cluster {
    const connection = { call: (name: string, ...given: unknown[]) => this.call(name, ...given), usable: true }
    return {
      ...{
        options: { requestTimeoutMs: 1_000 },
        codec: { crc32c: () => 0 },
        log: SILENT_LOGGER,
        signal,
        closed: false,
      },
      topics: { get: () => (this.hidden ? undefined : { leaders: [{ nodeId: 1, epoch: 0 }] }) },
      any: async () => connection,
      connection: async () => connection,
      coordinator: async () => 1,
      forgetCoordinator: () => {
        this.forgotten += 1
      },
      refresh: async () => {},
      onCoordinator: (_kind: number, _key: string, call: (through: typeof connection) => Promise<unknown>) =>
        call(connection),
      close: () => {},
    } as unknown as Cluster
  }
}

afterEach(() => {
  vi.restoreAllMocks()
})

async function opened(coordinator: Coordinator): Promise<KafkaTransactions> {
  vi.spyOn(Cluster, 'connect').mockResolvedValue(coordinator.cluster())
  const transactions = new KafkaTransactions({ id: 'one', timeoutMs: 10_000 }, {} as never, PRODUCING)
  await transactions.open({ log: SILENT_LOGGER }, signal)
  return transactions
}

async function write(transactions: KafkaTransactions): Promise<unknown> {
  const { producer } = await transactions.connect({ log: SILENT_LOGGER }, signal)
  const record = { key: null, value: 'x', headers: NO_HEADERS, timestampMs: 0 }
  return producer.send([{ topic: 'out', partition: 0, record, bytes: 10 }], signal)
}

function progressTo(offset: number): SourceProgress[] {
  const entry = { partitionIndex: 0, committedOffset: BigInt(offset), committedLeaderEpoch: -1, committedMetadata: '' }
  const progress: GroupProgress = {
    group: 'g',
    identity: { generation: 3, memberId: 'm', groupInstanceId: null },
    topics: [{ name: 'in', partitions: [entry] }],
  }
  const transactional = { scope: 'kafka', progress: () => progress, committed: () => {} }
  return [{ source: { transactional } as unknown as Source, positions: [] }]
}

test('partitions and offsets are part of the transaction before it ends', async () => {
  const coordinator = new Coordinator()
  const transactions = await opened(coordinator)
  expect(await write(transactions)).toBe('written')
  await transactions.commit(progressTo(9), signal)
  expect(coordinator.asked).toEqual([
    ...['initProducerId', 'addPartitionsToTxn', 'produce', 'addOffsetsToTxn', 'txnOffsetCommit', 'endTxn'],
  ])
})

test('a transaction that begins while the one before is still being completed waits for that (kafkajs#430)', async () => {
  const busy = [CONCURRENT_TRANSACTIONS, CONCURRENT_TRANSACTIONS]
  const coordinator = new Coordinator({
    addPartitionsToTxn: [...busy],
    addOffsetsToTxn: [...busy],
    initProducerId: [51],
  })
  const transactions = await opened(coordinator)
  expect(await write(transactions)).toBe('written')
  await transactions.commit(progressTo(9), signal)
  expect(coordinator.asked.filter((name) => name === 'addOffsetsToTxn')).toHaveLength(3)
  expect(coordinator.asked.at(-1)).toBe('endTxn')
})

test.each([
  ['that the coordinator finds nothing to abort for', 'librdkafka#4849', INVALID_TXN_STATE],
  ['whose answer is lost with the coordinator', 'librdkafka#3779', LOST],
])('an abort %s ends with a new epoch, and work goes on (%s)', async (_what, _bug, answer) => {
  const coordinator = new Coordinator({ endTxn: [answer] })
  const transactions = await opened(coordinator)
  await write(transactions)
  await transactions.abort(signal)
  expect(coordinator.identities).toEqual([-1n, 7n])
  expect(await write(transactions)).toBe('written')
  await transactions.commit(progressTo(9), signal)
})

test.each(['commit', 'abort'] as const)(
  'a coordinator that dies in the middle of a transaction is looked up anew, and the %s reaches the next one (librdkafka#3779)',
  async (end) => {
    const rolling = [NOT_COORDINATOR, COORDINATOR_NOT_AVAILABLE, COORDINATOR_LOAD_IN_PROGRESS]
    const coordinator = new Coordinator({ endTxn: [...rolling] })
    const transactions = await opened(coordinator)
    await write(transactions)
    if (end === 'commit') await transactions.commit(progressTo(9), signal)
    else await transactions.abort(signal)
    expect(coordinator.asked.filter((name) => name === 'endTxn')).toHaveLength(rolling.length + 1)
    expect(coordinator.forgotten).toBe(2)
    // It is the same transaction that ends: no new epoch, which would abort it.
    expect(coordinator.identities).toEqual([-1n])
    expect(await write(transactions)).toBe('written')
    await transactions.commit(progressTo(10), signal)
  },
)

test('sequence numbers go on behind a restarting broker that does not name the topic, or new records would pass for old ones', async () => {
  const coordinator = new Coordinator()
  const transactions = await opened(coordinator)
  expect(await write(transactions)).toBe('written')
  coordinator.hidden = true
  const second = write(transactions)
  await sleep(50)
  expect(coordinator.sequences).toEqual([0])
  coordinator.hidden = false
  expect(await second).toBe('written')
  expect(coordinator.sequences).toEqual([0, 1])
})

test('nothing was sent: there is nothing to abort', async () => {
  const coordinator = new Coordinator()
  const transactions = await opened(coordinator)
  await transactions.abort(signal)
  expect(coordinator.asked).toEqual(['initProducerId'])
})

test('when the answer to the end is lost, a new epoch comes first, and then what is stored decides', async () => {
  for (const [stored, committed] of [
    ['9 ', true],
    ['5 ', false],
    ['9 hg1:other', false],
  ] as const) {
    const coordinator = new Coordinator({ endTxn: [LOST] })
    const transactions = await opened(coordinator)
    await write(transactions)
    coordinator.stored = stored
    const commit = transactions.commit(progressTo(9), signal)
    if (committed) await commit
    else await expect(commit).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
    expect(coordinator.asked.slice(-3)).toEqual(['endTxn', 'initProducerId', 'offsetFetch'])
    expect(coordinator.identities.at(-1)).toBe(7n)
  }
})

test('a commit settles only once brokers can be asked again', async () => {
  const coordinator = new Coordinator({ endTxn: [LOST], initProducerId: [0, LOST, LOST], offsetFetch: [LOST] })
  const transactions = await opened(coordinator)
  await write(transactions)
  coordinator.stored = '9 '
  await transactions.commit(progressTo(9), signal)
  expect(coordinator.asked.filter((name) => name === 'initProducerId')).toHaveLength(4)
})

test('a member that the group has gone on without commits nothing, and goes on', async () => {
  const coordinator = new Coordinator({ txnOffsetCommit: [ILLEGAL_GENERATION] })
  const transactions = await opened(coordinator)
  await write(transactions)
  await expect(transactions.commit(progressTo(9), signal)).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
  expect(coordinator.asked.at(-1)).toBe('endTxn')
  expect(await write(transactions)).toBe('written')
  await transactions.commit(progressTo(9), signal)
})

test('a member between two lives aborts and goes on: nobody has taken over', async () => {
  const coordinator = new Coordinator()
  const transactions = await opened(coordinator)
  await write(transactions)
  const progress = (): GroupProgress => {
    throw new HeadgateError('HG_FENCED', 'this process is no member of the group at the moment')
  }
  const source = { transactional: { scope: 'kafka', progress, committed: () => {} } } as unknown as Source
  await expect(transactions.commit([{ source, positions: [] }], signal)).rejects.toMatchObject({
    code: 'HG_COMMIT_FAILED',
  })
  expect(coordinator.asked.at(-1)).toBe('endTxn')
  expect(await write(transactions)).toBe('written')
  await transactions.commit(progressTo(9), signal)
})

test('whoever was fenced stays fenced: it takes nothing back', async () => {
  const coordinator = new Coordinator({ endTxn: [INVALID_PRODUCER_EPOCH], initProducerId: [0, PRODUCER_FENCED] })
  const transactions = await opened(coordinator)
  await write(transactions)
  await expect(transactions.commit(progressTo(9), signal)).rejects.toMatchObject({ code: 'HG_FENCED' })
  // −1 would take over.
  expect(coordinator.identities).toEqual([-1n, 7n])
})

test('a batch that fails for good ends the transaction, which is then not committed', async () => {
  const coordinator = new Coordinator({ produce: [INVALID_PRODUCER_EPOCH] })
  const transactions = await opened(coordinator)
  expect(await write(transactions)).toMatchObject([{ kind: 'failed', error: { retryable: true } }])
  await expect(transactions.commit(progressTo(9), signal)).rejects.toMatchObject({ code: 'HG_COMMIT_FAILED' })
  await transactions.abort(signal)
  expect(coordinator.identities).toEqual([-1n, 7n])
  expect(await write(transactions)).toBe('written')
})

test('closing aborts what is open', async () => {
  const coordinator = new Coordinator()
  const transactions = await opened(coordinator)
  await write(transactions)
  await transactions.close(signal)
  expect(coordinator.asked.at(-1)).toBe('endTxn')
})
