/**
 * The transactions of one exactly-once run: one producer for all sinks that joined, and the offsets of the sources'
 * groups in the same transaction. The runtime opens, commits and aborts; sinks send through `producer`.
 * Invariants: `commit` settles only once it is certain which way it went; after an answer that was lost the producer
 * gets a new epoch before anything else is sent, since a request that is still under way must not end a later
 * transaction; whoever has taken over under the same name is never fenced back.
 */
import type { SinkContext, SourceProgress, TransactionOptions, Transactions } from '../../../model/connector.ts'
import { classify, HeadgateError } from '../../../model/errors.ts'
import type { GroupProgress } from '../commit/progress.ts'
import type { TopicCodes } from '../wire/calls.ts'
import { Cluster, GROUP, TRANSACTION } from '../wire/cluster.ts'
import {
  brokerError,
  CONCURRENT_TRANSACTIONS,
  INVALID_PRODUCER_EPOCH,
  NONE,
  PRODUCER_FENCED,
  remedyOf,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../wire/errors.ts'
import type { Connecting } from '../wire/options.ts'
import { backoffMs, sleep } from '../wire/wait.ts'
import { type ProducerIdentity, transactionalIdentity } from './identity.ts'
import { type InTransaction, Producer, type ProducerSettings } from './producer.ts'
import { wasStored } from './stored-progress.ts'

const INVALID_TXN_STATE = 48
const INVALID_PRODUCER_ID_MAPPING = 49
/** Somebody else has our name, or the broker has ended the transaction because it took too long. */
const TAKEN_OVER = new Set([INVALID_PRODUCER_EPOCH, PRODUCER_FENCED, INVALID_PRODUCER_ID_MAPPING])

interface Partition {
  readonly topic: string
  readonly partition: number
}

export class KafkaTransactions implements Transactions {
  readonly #options: TransactionOptions
  readonly #connecting: Connecting
  readonly #producing: ProducerSettings
  #cluster: Cluster | null = null
  #producer: Producer | null = null
  #identity: ProducerIdentity | null = null
  /** Partitions that are part of the open transaction, and groups. */
  readonly #added = new Set<string>()
  #adding: Promise<void> = Promise.resolve()
  #beganMs = 0
  #failure: HeadgateError | null = null
  #closing: Promise<void> | null = null

  constructor(options: TransactionOptions, connecting: Connecting, producing: ProducerSettings) {
    this.#options = options
    this.#connecting = connecting
    this.#producing = producing
  }

  /** Connects once, whichever sink is opened first. */
  async connect(context: SinkContext, signal: AbortSignal): Promise<{ cluster: Cluster; producer: Producer }> {
    this.#cluster ??= await Cluster.connect(this.#connecting, context.log, signal)
    this.#producer ??= new Producer(this.#cluster, this.#producing)
    return { cluster: this.#cluster, producer: this.#producer }
  }

  async open(context: SinkContext, signal: AbortSignal): Promise<void> {
    await this.connect(context, signal)
    await this.#begin(null, signal)
  }

  async commit(progress: readonly SourceProgress[], signal: AbortSignal): Promise<void> {
    if (this.#failure !== null) throw notCommitted(this.#failure)
    let groups: GroupProgress[]
    try {
      // Throws where this member has lost a partition, or the group, meanwhile: nobody has taken over the transaction.
      groups = progress.map(({ source, positions }) => source.transactional?.progress(positions) as GroupProgress)
      for (const group of groups) await this.#addOffsets(group)
    } catch (error) {
      await this.#until(signal, () => this.abort(signal))
      throw notCommitted(classify(error))
    }
    if (this.#added.size === 0) return
    if (await this.#end(true)) {
      this.#added.clear()
      return
    }
    // The answer was lost, or the broker had ended it: the new epoch comes first, then it is certain.
    await this.#until(signal, () => this.#renew(signal))
    if (await wasStored(this.#opened().cluster, groups, signal)) return
    throw notCommitted(new HeadgateError('HG_CONNECTION_LOST', 'its end was not reached'))
  }

  async abort(signal: AbortSignal): Promise<void> {
    this.#opened()
    if (this.#added.size === 0 && this.#failure === null) return
    if (this.#failure === null && (await this.#end(false))) {
      this.#added.clear()
      return
    }
    await this.#renew(signal)
  }

  close(signal: AbortSignal): Promise<void> {
    this.#closing ??= (async () => {
      try {
        if (this.#added.size > 0 && this.#identity !== null) {
          await Promise.race([this.#end(false), sleep(2_000, signal)])
        }
      } catch {
        // The broker ends it by itself after its time-out.
      }
      this.#producer?.close()
      this.#cluster?.close()
    })()
    return this.#closing
  }

  // ── Parts ────────────────────────────────────────────────────────────────

  #opened(): { cluster: Cluster; producer: Producer; identity: ProducerIdentity } {
    if (this.#cluster === null || this.#producer === null || this.#identity === null || this.#closing !== null) {
      throw new HeadgateError('HG_CONNECTION_LOST', 'the transactions are not open')
    }
    return { cluster: this.#cluster, producer: this.#producer, identity: this.#identity }
  }

  /** `present`: what must still be ours; null takes over from whoever had it. */
  async #begin(present: ProducerIdentity | null, signal: AbortSignal): Promise<void> {
    const { id, timeoutMs } = this.#options
    const cluster = this.#cluster as Cluster
    this.#identity = await transactionalIdentity(cluster, id, timeoutMs, present, signal)
    this.#added.clear()
    this.#failure = null
    this.#producer?.enter(this.#inTransaction())
  }

  /** A new epoch. One that the broker may have fenced because it took too long is taken back, no other. */
  #renew(signal: AbortSignal): Promise<void> {
    const expired = this.#added.size > 0 && performance.now() - this.#beganMs > this.#options.timeoutMs * 0.8
    return this.#begin(expired ? null : this.#identity, signal)
  }

  /** Again and again, for as long as brokers cannot be reached: until then nobody knows what is in the transaction. */
  async #until(signal: AbortSignal, act: () => Promise<void>): Promise<void> {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await act()
        return
      } catch (error) {
        const failure = classify(error)
        this.#failure ??= failure
        if (!failure.retryable || signal.aborted || this.#closing !== null) throw failure
        this.#cluster?.log.warn({ attempt }, `the transaction is not ended yet: ${failure.message}`)
        await sleep(backoffMs(attempt), signal)
      }
    }
  }

  #inTransaction(): InTransaction {
    const identity = this.#identity as ProducerIdentity
    return {
      id: this.#options.id,
      identity,
      add: (partitions) => this.#add(partitions),
      fail: (error) => {
        if (this.#identity === identity) this.#failure ??= error
      },
    }
  }

  /** One after the other: a coordinator refuses two changes at once. */
  #add(partitions: readonly Partition[]): Promise<void> {
    const fresh = partitions.filter(({ topic, partition }) => !this.#added.has(`${topic}/${partition}`))
    if (fresh.length === 0) return Promise.resolve()
    const adding = this.#adding.catch(() => {}).then(() => this.#addNow(fresh))
    this.#adding = adding
    return adding
  }

  async #addNow(partitions: readonly Partition[]): Promise<void> {
    const fresh = partitions.filter(({ topic, partition }) => !this.#added.has(`${topic}/${partition}`))
    if (fresh.length === 0) return
    const topics = new Map<string, number[]>()
    for (const { topic, partition } of fresh) topics.set(topic, [...(topics.get(topic) ?? []), partition])
    const { identity } = this.#opened()
    const transaction = {
      ...{ transactionalId: this.#options.id, producerId: identity.id, producerEpoch: identity.epoch },
      ...{ verifyOnly: false as const, topics: [...topics].map(([name, numbers]) => ({ name, partitions: numbers })) },
    }
    if (this.#added.size === 0) this.#beganMs = performance.now()
    await this.#ask('adding partitions to the transaction', async (connection) => {
      const { errorCode, resultsByTransaction } = await connection.call('addPartitionsToTxn', [transaction])
      if (errorCode !== NONE) return errorCode
      const results = resultsByTransaction.flatMap(({ topicResults }) => topicResults)
      const codes = results.flatMap(({ resultsByPartition }) =>
        resultsByPartition.map((each) => each.partitionErrorCode),
      )
      return codes.find((code) => code !== NONE) ?? NONE
    })
    for (const { topic, partition } of fresh) this.#added.add(`${topic}/${partition}`)
  }

  async #addOffsets({ group, identity: member, topics }: GroupProgress): Promise<void> {
    const { cluster, identity } = this.#opened()
    const { id } = this.#options
    if (this.#added.size === 0) this.#beganMs = performance.now()
    await this.#ask(`adding the group '${group}' to the transaction`, async (connection) => {
      return (await connection.call('addOffsetsToTxn', id, identity.id, identity.epoch, group)).errorCode
    })
    this.#added.add(`group ${group}`)
    const { generation, memberId, groupInstanceId } = member
    const what = `storing the progress of the group '${group}' in the transaction`
    await this.#repeat(what, async () => {
      const answer = await cluster.onCoordinator(
        GROUP,
        group,
        (connection) =>
          connection.call(
            ...(['txnOffsetCommit', id, group, identity.id, identity.epoch, generation, memberId] as const),
            ...([groupInstanceId, topics] as const),
          ),
        (given) => codeOf(given.topics),
        cluster.options.requestTimeoutMs,
      )
      return codeOf(answer.topics)
    })
  }

  /** False when nobody knows what came of it. Rejects with `HG_FENCED`, or when the broker refuses for good. */
  async #end(committed: boolean): Promise<boolean> {
    const { cluster, identity } = this.#opened()
    const { id } = this.#options
    for (let attempt = 0; ; attempt += 1) {
      let code: number
      try {
        const nodeId = await cluster.coordinator(TRANSACTION, id)
        const connection = await cluster.connection(nodeId, 'coordinator')
        code = (await connection.call('endTxn', id, identity.id, identity.epoch, committed)).errorCode
      } catch (error) {
        cluster.forgetCoordinator(TRANSACTION, id)
        if (classify(error).code !== 'HG_CONNECTION_LOST') throw error
        return false
      }
      if (code === NONE) return true
      if (remedyOf(code) === 'coordinator') {
        cluster.forgetCoordinator(TRANSACTION, id)
        await cluster.refresh().catch(() => {})
      } else if (code === INVALID_TXN_STATE || TAKEN_OVER.has(code)) return false
      else if (remedyOf(code) === 'none') throw brokerError(code, 'ending the transaction')
      if (attempt >= 20) return false
      await sleep(backoffMs(attempt), cluster.signal)
    }
  }

  #ask(what: string, call: (connection: Awaited<ReturnType<Cluster['any']>>) => Promise<number>): Promise<void> {
    const { cluster } = this.#opened()
    const { requestTimeoutMs } = cluster.options
    return this.#repeat(what, () =>
      cluster.onCoordinator(TRANSACTION, this.#options.id, call, (code) => code, requestTimeoutMs),
    )
  }

  /** Until the broker has done it, or says that it will not, or the transaction could not be finished any more anyway. */
  async #repeat(what: string, call: () => Promise<number>): Promise<void> {
    const deadline = performance.now() + this.#options.timeoutMs
    for (let attempt = 0; ; attempt += 1) {
      const code = await call()
      if (code === NONE) return
      const again =
        code === CONCURRENT_TRANSACTIONS || code === UNKNOWN_TOPIC_OR_PARTITION || remedyOf(code) === 'retry'
      if (!again || performance.now() > deadline) throw brokerError(code, what)
      await sleep(Math.min(200, 10 * 2 ** Math.min(attempt, 5)), this.#opened().cluster.signal)
    }
  }
}

function codeOf(topics: readonly TopicCodes[]): number {
  for (const { partitions } of topics) for (const { errorCode } of partitions) if (errorCode !== NONE) return errorCode
  return NONE
}

/** For the runtime: none of it is visible, and it is made again. Only `abort` and a new epoch find out about a fence. */
function notCommitted(cause: HeadgateError): HeadgateError {
  const code = cause.code === 'HG_OPTION_INVALID' ? cause.code : 'HG_COMMIT_FAILED'
  return new HeadgateError(code, `the transaction was not committed: ${cause.message}`, { cause })
}
