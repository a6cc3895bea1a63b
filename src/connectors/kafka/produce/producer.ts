/**
 * Sends records to the leaders of their partitions until each has an outcome. The sink has one of its own, or shares
 * that of its transactions. Up to five requests are under way to a broker, each with at most one batch a partition.
 * Invariants: without transactions only time ends an attempt that a retry could help; with them, the first batch whose
 * fate is not plain fails the transaction, and nothing more is sent under its identity.
 */
import type { WriteResult } from '../../../model/connector.ts'
import { classify, HeadgateError } from '../../../model/errors.ts'
import type { Compression } from '../batch/codec.ts'
import type { EncodableRecord } from '../batch/encode.ts'
import type { ProducedPartition } from '../wire/calls.ts'
import type { Cluster } from '../wire/cluster.ts'
import { brokerError, LEADER_NOT_AVAILABLE, NONE, REQUEST_TIMED_OUT, remedyOf } from '../wire/errors.ts'
import { backoffMs } from '../wire/wait.ts'
import { Delivery, type Parcel } from './delivery.ts'
import { ANONYMOUS, newIdentity, type ProducerIdentity } from './identity.ts'
import { Lane } from './lane.ts'

const REQUESTS_PER_BROKER = 5
const MESSAGE_TOO_LARGE = 10
const RECORD_LIST_TOO_LARGE = 18
const NOT_ENOUGH_REPLICAS_AFTER_APPEND = 20
const OUT_OF_ORDER_SEQUENCE_NUMBER = 45
const DUPLICATE_SEQUENCE_NUMBER = 46
const INVALID_PRODUCER_EPOCH = 47
const INVALID_PRODUCER_ID_MAPPING = 49
const UNKNOWN_PRODUCER_ID = 59
const UNCERTAIN = 'it may be stored all the same'
/** The broker does not know the producer, or not up to here. */
const FORGOTTEN = new Set([
  OUT_OF_ORDER_SEQUENCE_NUMBER,
  INVALID_PRODUCER_EPOCH,
  INVALID_PRODUCER_ID_MAPPING,
  UNKNOWN_PRODUCER_ID,
])

export interface ProducerSettings {
  readonly acks: 'all' | 'leader'
  readonly idempotent: boolean
  readonly compression: Compression
  readonly batchBytes: number
  readonly deliveryTimeoutMs: number
}

/** A record and where it goes. */
export interface Draft {
  readonly topic: string
  readonly partition: number
  readonly record: EncodableRecord
  readonly bytes: number
}

/** What the producer asks of the transaction that its records are part of. */
export interface InTransaction {
  readonly id: string
  readonly identity: ProducerIdentity
  /** Makes the partitions part of the transaction. */
  add(partitions: readonly { readonly topic: string; readonly partition: number }[]): Promise<void>
  /** It cannot be committed any more. */
  fail(error: HeadgateError): void
}

export class Producer {
  readonly #cluster: Cluster
  readonly #settings: ProducerSettings
  readonly #lanes = new Map<string, Lane>()
  /** Requests under way, by broker. */
  readonly #requests = new Map<number, number>()
  #transaction: InTransaction | null = null
  #timer: NodeJS.Timeout | undefined
  #scheduled = false
  #closed = false
  #identifying: Promise<ProducerIdentity> | null = null

  constructor(cluster: Cluster, settings: ProducerSettings) {
    this.#cluster = cluster
    this.#settings = settings
  }

  /** From now on all records are part of this transaction; what earlier ones left is given up. */
  enter(transaction: InTransaction): void {
    this.#transaction = transaction
    for (const lane of this.#lanes.values()) {
      this.#giveUp(lane.clear(), 'failed', new HeadgateError('HG_CONNECTION_LOST', 'the transaction is over'))
      lane.become(transaction.identity)
    }
  }

  /** A draft that is an error is its record's outcome already. Rejects only at the abort. */
  send(drafts: readonly (Draft | HeadgateError)[], signal: AbortSignal): Promise<WriteResult> {
    const delivery = new Delivery(drafts.length, signal)
    const giveUpMs = performance.now() + this.#settings.deliveryTimeoutMs
    for (const [index, draft] of drafts.entries()) {
      if (draft instanceof HeadgateError) {
        delivery.failed(index, draft.code === 'HG_RECORD_REJECTED' ? 'rejected' : 'failed', draft)
        continue
      }
      const { topic, partition, record, bytes } = draft
      this.#lane(topic, partition).push({ record, bytes, delivery, index, giveUpMs })
    }
    this.#schedule()
    return delivery.done
  }

  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    const error = new HeadgateError('HG_CONNECTION_LOST', 'the sink was closed before the record was written')
    for (const lane of this.#lanes.values()) this.#giveUp(lane.clear(), 'failed', error)
  }

  #lane(topic: string, partition: number): Lane {
    const name = `${topic}/${partition}`
    let lane = this.#lanes.get(name)
    if (lane === undefined) {
      lane = new Lane(topic, partition, this.#settings.batchBytes)
      if (this.#transaction !== null) lane.identity = this.#transaction.identity
      else if (!this.#settings.idempotent) lane.identity = ANONYMOUS
      this.#lanes.set(name, lane)
    }
    return lane
  }

  /** Writes of one turn go out together. */
  #schedule(): void {
    if (this.#scheduled || this.#closed) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#pump()
    })
  }

  #pump(): void {
    if (this.#closed) return
    const nowMs = performance.now()
    const byLeader = new Map<number, Lane[]>()
    let nextMs = Number.POSITIVE_INFINITY
    for (const lane of this.#lanes.values()) {
      if (lane.busy || lane.idle) continue
      if (lane.dueMs > nowMs) {
        nextMs = Math.min(nextMs, lane.dueMs)
        continue
      }
      const leader = this.#cluster.topics.get(lane.topic)?.leaders[lane.partition]?.nodeId ?? -1
      if (leader < 0) this.#later(lane, brokerError(LEADER_NOT_AVAILABLE, `writing to ${nameOf(lane)}`))
      else {
        const lanes = byLeader.get(leader)
        if (lanes) lanes.push(lane)
        else byLeader.set(leader, [lane])
      }
    }
    for (const [leader, lanes] of byLeader) {
      if ((this.#requests.get(leader) ?? 0) < REQUESTS_PER_BROKER) void this.#request(leader, lanes)
    }
    clearTimeout(this.#timer)
    if (nextMs < Number.POSITIVE_INFINITY) this.#timer = setTimeout(() => this.#pump(), Math.max(1, nextMs - nowMs))
  }

  async #request(leader: number, lanes: readonly Lane[]): Promise<void> {
    this.#requests.set(leader, (this.#requests.get(leader) ?? 0) + 1)
    for (const lane of lanes) lane.busy = true
    const transaction = this.#transaction
    let sent: readonly Lane[] = []
    try {
      if (transaction === null) await this.#identify(lanes)
      else await transaction.add(lanes)
      const { codec } = this.#cluster
      const encoding = { codec, compression: this.#settings.compression, transactional: transaction !== null }
      const packed = lanes.filter((lane) => lane.pack(encoding) !== null)
      if (packed.length > 0) {
        const connection = await this.#cluster.connection(leader, 'produce')
        sent = packed
        for (const { batch } of sent) if (batch !== null) batch.attempts += 1
        const acks = this.#settings.acks === 'all' ? -1 : 1
        const { requestTimeoutMs } = this.#cluster.options
        const answer = await connection.call('produce', transaction?.id ?? null, acks, requestTimeoutMs, byTopic(sent))
        this.#answered(sent, answer.topics)
      }
    } catch (thrown) {
      const error = classify(thrown)
      for (const { batch } of sent) if (batch !== null) batch.uncertain = true
      if (transaction === this.#transaction) for (const lane of lanes) if (!lane.idle) this.#failed(lane, error)
      this.#refresh()
    } finally {
      this.#requests.set(leader, (this.#requests.get(leader) ?? 1) - 1)
      for (const lane of lanes) lane.busy = false
      this.#schedule()
    }
  }

  /** Lanes that ask at the same time share an identity. */
  async #identify(lanes: readonly Lane[]): Promise<void> {
    if (lanes.every(({ identity }) => identity !== null)) return
    this.#identifying ??= newIdentity(this.#cluster).finally(() => {
      this.#identifying = null
    })
    const identity = await this.#identifying
    for (const lane of lanes) if (lane.identity === null) lane.become(identity)
  }

  #answered(
    lanes: readonly Lane[],
    topics: readonly { name: string; partitions: readonly ProducedPartition[] }[],
  ): void {
    const answers = new Map<string, ProducedPartition>()
    for (const { name, partitions } of topics) for (const each of partitions) answers.set(`${name}/${each.index}`, each)
    let stale = false
    for (const lane of lanes) {
      // Given up meanwhile.
      if (lane.batch === null) continue
      const answer = answers.get(`${lane.topic}/${lane.partition}`)
      if (answer === undefined) {
        this.#failed(lane, new HeadgateError('HG_CONNECTION_LOST', `the broker said nothing of ${nameOf(lane)}`))
      } else if (answer.errorCode === NONE || answer.errorCode === DUPLICATE_SEQUENCE_NUMBER) {
        for (const { delivery, index } of lane.stored()) delivery.written(index)
      } else {
        this.#refused(lane, answer)
        stale ||= remedyOf(answer.errorCode) === 'metadata'
      }
    }
    if (stale) this.#refresh()
  }

  #refused(lane: Lane, answer: ProducedPartition): void {
    const { errorCode, errorText, recordErrors } = answer
    const { batch } = lane
    if (batch === null) return
    const error = brokerError(errorCode, `writing to ${nameOf(lane)}`, errorText)
    const tooLarge = errorCode === MESSAGE_TOO_LARGE || errorCode === RECORD_LIST_TOO_LARGE
    if (tooLarge || error.code === 'HG_RECORD_REJECTED') {
      this.#reject(lane, error, tooLarge, new Set(recordErrors.map(({ batchIndex }) => batchIndex)))
    } else if (FORGOTTEN.has(errorCode) && this.#transaction === null) {
      // It is not stored now. Whether an earlier attempt was, nobody can tell any more.
      if (batch.uncertain) this.#giveUp(lane.drop(), 'failed', withReason(error, UNCERTAIN))
      lane.unpack()
      lane.identity = null
    } else {
      if (errorCode === REQUEST_TIMED_OUT || errorCode === NOT_ENOUGH_REPLICAS_AFTER_APPEND) batch.uncertain = true
      this.#failed(lane, error)
    }
  }

  /** The batch is not stored: without what is at fault, or in smaller parts, it is sent again. */
  #reject(lane: Lane, error: HeadgateError, tooLarge: boolean, atFault: ReadonlySet<number>): void {
    const { parcels } = lane.batch as { parcels: readonly Parcel[] }
    if (parcels.length > 1 && (tooLarge || atFault.size === 0)) {
      const bytes = parcels.reduce((sum, parcel) => sum + parcel.bytes, 0)
      lane.batchBytes = Math.max(1, Math.floor(bytes / 2))
      lane.unpack()
      return
    }
    const wrong = parcels.length === 1 ? parcels : parcels.filter((_, index) => atFault.has(index))
    this.#giveUp(wrong, 'rejected', error)
    lane.unpack()
    lane.batchBytes = this.#settings.batchBytes
  }

  /** What can be tried again is, until its time is over; in a transaction what is uncertain ends it. */
  #failed(lane: Lane, error: HeadgateError): void {
    const retryable = error.code === 'HG_CONNECTION_LOST'
    if (retryable && !lane.isOverdue(performance.now())) {
      this.#later(lane, error)
      return
    }
    this.#transaction?.fail(error)
    const uncertain = lane.batch?.uncertain === true
    const parcels = lane.batch === null ? lane.clear() : lane.drop()
    const inTransaction = this.#transaction !== null && error.code === 'HG_FENCED'
    const shown =
      uncertain || inTransaction ? withReason(error, inTransaction ? 'the transaction ends' : UNCERTAIN) : error
    this.#giveUp(parcels, 'failed', shown)
    // Its sequence number may be used up.
    if (uncertain && this.#settings.idempotent && this.#transaction === null) lane.identity = null
  }

  #later(lane: Lane, error: HeadgateError): void {
    const attempts = lane.batch?.attempts ?? 0
    const pauseMs = backoffMs(attempts)
    lane.dueMs = performance.now() + pauseMs
    this.#cluster.log.debug({ error: error.message, attempts }, `writing to ${nameOf(lane)} again`)
    this.#schedule()
  }

  #giveUp(parcels: readonly Parcel[], kind: 'rejected' | 'failed', error: HeadgateError): void {
    for (const { delivery, index } of parcels) delivery.failed(index, kind, error)
  }

  #refresh(): void {
    this.#cluster.refresh().catch(() => {})
  }
}

function byTopic(lanes: readonly Lane[]): { name: string; partitions: { index: number; records: Buffer }[] }[] {
  const topics = new Map<string, { index: number; records: Buffer }[]>()
  for (const { topic, partition, batch } of lanes) {
    if (batch === null) continue
    const entry = { index: partition, records: batch.bytes }
    const others = topics.get(topic)
    if (others) others.push(entry)
    else topics.set(topic, [entry])
  }
  return [...topics].map(([name, partitions]) => ({ name, partitions }))
}

function nameOf({ topic, partition }: Lane): string {
  return `${topic}/${partition}`
}

function withReason(error: HeadgateError, reason: string): HeadgateError {
  const code = error.retryable ? error.code : 'HG_CONNECTION_LOST'
  return new HeadgateError(code, `${error.message}; ${reason}`, { cause: error })
}
