/**
 * Fetches by credit: what a pull leaves to be wanted is asked of the leaders, over two connections a broker, so that a
 * partition that just got credit does not wait behind a long poll for the others. `source.ts` says what is wanted and
 * hears what came. Invariant: a partition is in one request at a time, and nothing is asked for without demand.
 */
import type { Credit } from '../../../model/connector.ts'
import { HeadgateError } from '../../../model/errors.ts'
import { RecordBatches } from '../batch/decode.ts'
import type { SourceSettings } from '../option.ts'
import { isRemade, type Partition } from '../partition.ts'
import type { FetchedPartition } from '../wire/calls.ts'
import type { Cluster, Role } from '../wire/cluster.ts'
import {
  brokerError,
  NONE,
  OFFSET_OUT_OF_RANGE,
  remedyOf,
  TOPIC_AUTHORIZATION_FAILED,
  UNKNOWN_TOPIC_ID,
  UNKNOWN_TOPIC_OR_PARTITION,
} from '../wire/errors.ts'
import { backoffMs } from '../wire/wait.ts'
import { Demand } from './demand.ts'
import { isBehind, planFetch } from './plan.ts'
import { survey } from './survey.ts'

const LANES: readonly Role[] = ['fetch0', 'fetch1']
/** A replica is read for so long before the leader is asked again which one is near. */
const REPLICA_MS = 300_000

/** What the fetch loop tells its owner. */
export interface FetchEvents {
  /** Something came, or went wrong. */
  ring(): void
  /** The partition's next offset is not in the log. */
  outOfRange(partition: Partition): void
  /** The log of the broker lacks records that were fetched: it was cut off, and goes on in another way. */
  diverged(partition: Partition, where: NonNullable<FetchedPartition['diverging']>): void
  /** The broker does not know the topic (any more). */
  topicUnknown(partition: Partition): void
  fail(error: HeadgateError): void
}

export class Fetcher {
  readonly #cluster: Cluster
  readonly #settings: SourceSettings
  readonly #partitions: ReadonlyMap<string, Partition>
  readonly #events: FetchEvents
  readonly #demand = new Demand()
  /** Lanes in use, as `node lane`. */
  readonly #busy = new Set<string>()
  /** Those of them that only wait for partitions that were read to their end. */
  readonly #waiting = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #timerMs = Number.POSITIVE_INFINITY
  #stopped = false
  #refreshing = false
  /** Why the last request got no answer; null once one did. */
  failure: HeadgateError | null = null

  constructor(
    cluster: Cluster,
    settings: SourceSettings,
    partitions: ReadonlyMap<string, Partition>,
    events: FetchEvents,
  ) {
    this.#cluster = cluster
    this.#settings = settings
    this.#partitions = partitions
    this.#events = events
  }

  /** What the present pull may still take. */
  want(credit: Credit): void {
    this.#demand.set(credit)
    this.#relieve(credit.bytes)
    this.pump()
  }

  /** Partitions that are left out for long give back what they hold, where all of it is more than there is room for. */
  #relieve(mostBytes: number): void {
    let bytes = 0
    for (const partition of this.#partitions.values()) {
      if (!partition.paused || partition.fetching) continue
      bytes += partition.heldBytes
      if (bytes > mostBytes) partition.drop()
    }
  }

  stop(): void {
    this.#stopped = true
    this.#demand.clear()
    clearTimeout(this.#timer)
  }

  /** Starts a request on every free lane for which some partition is hungry. */
  pump(): void {
    if (this.#stopped) return
    const { left, nodes, behind } = this.#hungry()
    for (const [nodeId, hungry] of nodes) {
      const lane = LANES.find((role) => !this.#busy.has(`${nodeId} ${role}`))
      if (lane === undefined) continue
      const waits = !hungry.some(isBehind)
      if (waits && this.#isWaiting(nodeId) && this.#hasBehind(nodeId)) continue
      const name = `${nodeId} ${lane}`
      this.#busy.add(name)
      if (waits) this.#waiting.add(name)
      const part = behind === 0 ? 0 : hungry.filter(isBehind).length / behind
      const share = { records: left.records * part, bytes: left.bytes * part }
      void this.#fetch(nodeId, lane, hungry, share).finally(() => {
        this.#busy.delete(name)
        this.#waiting.delete(name)
        this.pump()
      })
    }
  }

  #isWaiting(nodeId: number): boolean {
    return LANES.some((lane) => this.#waiting.has(`${nodeId} ${lane}`))
  }

  /** Some of them may want nothing at this moment: a lane is kept for when they do, or they would wait for a long poll. */
  #hasBehind(nodeId: number): boolean {
    const nowMs = performance.now()
    for (const partition of this.#partitions.values()) {
      const { ended, revoking } = partition
      if (!ended && !revoking && isBehind(partition) && this.#nodeOf(partition, nowMs) === nodeId) return true
    }
    return false
  }

  /** What may be asked for, of whom; `behind`: how many of them are known to have something. */
  #hungry(): { left: Credit; nodes: Map<number, Partition[]>; behind: number } {
    const held = { records: 0, bytes: 0 }
    let open = 0
    for (const partition of this.#partitions.values()) {
      // What is held of the others is no reason to ask for less of those that flow.
      if (partition.paused || partition.revoking) continue
      held.records += partition.heldRecords
      held.bytes += partition.heldBytes
      open += 1
    }
    const nodes = new Map<number, Partition[]>()
    const left = this.#demand.left(held)
    let behind = 0
    if (left.records <= 0 || left.bytes <= 0) return { left, nodes, behind }
    const lowWater = this.#demand.lowWater(open)
    const nowMs = performance.now()
    for (const partition of this.#partitions.values()) {
      const { ended, paused, revoking, fetching, heldRecords, retryAtMs } = partition
      if (ended || paused || revoking || fetching || heldRecords > lowWater) continue
      if (retryAtMs > nowMs) {
        this.#wakeAt(retryAtMs, nowMs)
        continue
      }
      if (isRemade(partition, this.#cluster.topics.get(partition.topic))) {
        this.#later(partition, nowMs)
        this.#events.outOfRange(partition)
        continue
      }
      const nodeId = this.#nodeOf(partition, nowMs)
      if (nodeId < 0) {
        this.#later(partition, nowMs)
        this.#refresh()
        continue
      }
      if (isBehind(partition)) behind += 1
      const others = nodes.get(nodeId)
      if (others) others.push(partition)
      else nodes.set(nodeId, [partition])
    }
    return { left, nodes, behind }
  }

  #nodeOf(partition: Partition, nowMs: number): number {
    if (partition.replica >= 0 && nowMs < partition.replicaUntilMs) return partition.replica
    partition.replica = -1
    return this.#cluster.topics.get(partition.topic)?.leaders[partition.index]?.nodeId ?? -1
  }

  async #fetch(nodeId: number, role: Role, hungry: readonly Partition[], share: Credit): Promise<void> {
    const settings = this.#settings
    const { partitions, topics, maxBytes, expected } = planFetch(
      hungry,
      share,
      this.#demand,
      this.#cluster.topics,
      settings,
    )
    const begunMs = performance.now()
    for (const partition of partitions) {
      partition.fetching = true
      partition.fetchedAtMs = begunMs
      partition.askedOffset = partition.position
    }
    this.#demand.begin(expected)
    try {
      const { fetchWaitMs, requestTimeoutMs, isolation, rackId } = settings
      const connection = await this.#cluster.connection(nodeId, role, fetchWaitMs + requestTimeoutMs)
      // Of those that are read to their end it waits for more to come.
      const atOnce = partitions.some(({ position, endOffset }) => position < endOffset)
      const askedMs = performance.now()
      const { errorCode, partitions: answered } = await connection.call('fetch', {
        maxWaitMs: fetchWaitMs,
        minBytes: 1,
        maxBytes,
        readCommitted: isolation === 'committed',
        topics,
        rackId,
      })
      if (errorCode !== NONE) throw brokerError(errorCode, `the fetch from broker ${nodeId}`)
      this.failure = null
      if (atOnce) this.#demand.answered(nodeId, performance.now() - askedMs)
      if (!this.#stopped) this.#answer(partitions, answered, nodeId)
    } catch (error) {
      this.#failed(partitions, error)
    } finally {
      this.#demand.end(expected)
      for (const partition of partitions) partition.fetching = false
    }
    this.#events.ring()
  }

  #answer(partitions: readonly Partition[], answered: readonly FetchedPartition[], nodeId: number): void {
    const asked = new Map<string, Partition>()
    for (const partition of partitions) {
      asked.set(`${partition.topic} ${partition.index}`, partition)
      const id = this.#cluster.topics.get(partition.topic)?.id
      if (id !== undefined) asked.set(`${id} ${partition.index}`, partition)
    }
    let isStale = false
    for (const answer of answered) {
      const partition = asked.get(`${answer.topic} ${answer.partitionIndex}`)
      if (partition === undefined || partition.ended || partition.revoking) continue
      if (answer.errorCode !== NONE) {
        if (this.#refused(partition, answer, nodeId)) isStale = true
      } else this.#takeIn(partition, answer)
    }
    if (isStale) this.#refresh()
  }

  #takeIn(partition: Partition, answer: FetchedPartition): void {
    const nowMs = performance.now()
    const readCommitted = this.#settings.isolation === 'committed'
    partition.endOffset = readCommitted ? answer.lastStableOffset : answer.highWatermark
    partition.endSeenMs = nowMs
    partition.failures = 0
    if (answer.preferredReadReplica >= 0 && answer.preferredReadReplica !== partition.replica) {
      partition.replica = answer.preferredReadReplica
      this.#cluster.log.debug(
        { partition: partition.name, broker: partition.replica },
        'reading a replica that is near',
      )
      partition.replicaUntilMs = nowMs + REPLICA_MS
    }
    const { records, diverging } = answer
    // What was held has been given back meanwhile: reading goes on before what was asked for.
    if (partition.position !== partition.askedOffset) return
    if (diverging !== null) {
      this.#later(partition, nowMs)
      this.#events.diverged(partition, diverging)
      return
    }
    if (records === null) {
      // The others had all the room, so that not even a piece of a batch came.
      if (isBehind(partition)) partition.starved += 1
      return
    }
    const { nextOffset, records: count, bytes, lastBatchBytes } = survey(records, partition.position)
    partition.batchBytes = Math.max(Math.floor(partition.batchBytes * 0.9), lastBatchBytes)
    if (nextOffset === partition.position) {
      // A batch that was cut off: there was no room for it behind the others.
      partition.starved += 1
      return
    }
    partition.starved = 0
    if (count > 0) partition.recordBytes = partition.recordBytes * 0.7 + (bytes / count) * 0.3
    const batches = new RecordBatches(records, {
      partition: partition.name,
      fromOffset: partition.position,
      abortedTransactions: answer.abortedTransactions,
      readCommitted,
      codec: this.#cluster.codec,
      checkCrcs: this.#settings.checkCrcs,
      maxRecordBatchBytes: this.#settings.maxRecordBatchBytes,
    })
    partition.epochs.noteBatches(records, partition.position)
    partition.hold(batches, count, nextOffset)
  }

  /** True when leaders have to be looked up. */
  #refused(partition: Partition, answer: FetchedPartition, nodeId: number): boolean {
    const { errorCode } = answer
    const nowMs = performance.now()
    if (partition.replica >= 0) {
      // A follower may lag behind, or have lost the partition: the leader knows.
      partition.replica = -1
      return false
    }
    this.#later(partition, nowMs)
    if (errorCode === OFFSET_OUT_OF_RANGE) {
      this.#events.outOfRange(partition)
      return false
    }
    const error = brokerError(errorCode, `the fetch of ${partition.name} from broker ${nodeId}`)
    if (errorCode === TOPIC_AUTHORIZATION_FAILED) this.#events.fail(error)
    else if (errorCode === UNKNOWN_TOPIC_ID || errorCode === UNKNOWN_TOPIC_OR_PARTITION) {
      this.#events.topicUnknown(partition)
    }
    this.#cluster.log.debug({ partition: partition.name, error: error.message }, 'a fetch was refused')
    return remedyOf(errorCode) === 'metadata'
  }

  #failed(partitions: readonly Partition[], error: unknown): void {
    const failure =
      error instanceof HeadgateError
        ? error
        : new HeadgateError('HG_INVARIANT', `a fetch failed: ${String(error)}`, { cause: error })
    const nowMs = performance.now()
    for (const partition of partitions) {
      partition.replica = -1
      this.#later(partition, nowMs)
    }
    if (this.#stopped) return
    if (failure.code === 'HG_CONNECTION_LOST') {
      this.failure = failure
      this.#refresh()
    } else this.#events.fail(failure)
  }

  #later(partition: Partition, nowMs: number): void {
    partition.retryAtMs = nowMs + backoffMs(partition.failures)
    partition.failures += 1
    this.#wakeAt(partition.retryAtMs, nowMs)
  }

  #wakeAt(atMs: number, nowMs: number): void {
    if (atMs >= this.#timerMs) return
    clearTimeout(this.#timer)
    this.#timerMs = atMs
    this.#timer = setTimeout(
      () => {
        this.#timerMs = Number.POSITIVE_INFINITY
        this.pump()
      },
      Math.ceil(atMs - nowMs) + 1,
    )
  }

  #refresh(): void {
    if (this.#refreshing || this.#stopped) return
    this.#refreshing = true
    this.#cluster
      .refresh()
      .catch((error: unknown) => {
        if (error instanceof HeadgateError && error.code !== 'HG_CONNECTION_LOST') this.#events.fail(error)
        else if (error instanceof HeadgateError) this.failure = error
      })
      .finally(() => {
        this.#refreshing = false
        this.pump()
      })
  }
}
