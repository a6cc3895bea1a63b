/**
 * A member of a KIP-848 group: the broker assigns, and takes away only what moves. Invariants: partitions are reported
 * as owned only while they are, so one that moves is reported as gone after its last commit; signs of life go on while
 * anything drains; a member that is fenced, or has heard nothing for a session, has nothing.
 */
import { randomUUID } from 'node:crypto'
import { describe, type HeadgateError } from '../../../model/errors.ts'
import type { TopicIdPartitions } from '../wire/calls.ts'
import { GROUP } from '../wire/cluster.ts'
import {
  brokerError,
  FENCED_MEMBER_EPOCH,
  NONE,
  remedyOf,
  UNKNOWN_MEMBER_ID,
  UNRELEASED_INSTANCE_ID,
} from '../wire/errors.ts'
import { backoffMs, sleep } from '../wire/wait.ts'
import { byTopic, nameOfPartition, type TopicPartition } from './assignment.ts'
import {
  answerWithinMs,
  asError,
  GRACE_SHARE,
  type GroupContext,
  type Identity,
  isFatal,
  type Membership,
} from './membership.ts'
import { Ticker } from './ticker.ts'

const LEAVES = -1
/** A static member leaves for a while: its partitions wait for it for the length of a session. */
const LEAVES_FOR_A_WHILE = -2
const FIRST_ASK_MS = 500

/** What a heartbeat says; null, or −1, for what has not changed since the last one. */
interface Beat {
  readonly epoch: number
  readonly rackId: string | null
  readonly rebalanceTimeoutMs: number
  readonly topics: readonly string[] | null
  readonly serverAssignor: string | null
  readonly owned: readonly TopicIdPartitions[] | null
}

const NOTHING_NEW = { rackId: null, rebalanceTimeoutMs: -1, topics: null, serverAssignor: null } as const
/** A target with a topic that the metadata does not know yet is looked at again after this. */
const RELOOK_MS = 200

export class Kip848Membership implements Membership {
  readonly #context: GroupContext
  readonly #ticker = new Ticker()
  readonly #leaving = new AbortController()
  #memberId: string = randomUUID()
  #epoch = 0
  /** Rises whenever everything was lost: what was begun before must not end as if nothing had happened. */
  #life = 0
  #aliveUntilMs = 0
  #intervalMs: number
  #target: readonly TopicIdPartitions[] | null = null
  #reconciling: Promise<void> | null = null
  /** What is owned has changed, and the broker is to know. */
  #ownedChanged = false
  #subscribed: readonly string[] = []
  failure: HeadgateError | null = null

  constructor(context: GroupContext) {
    this.#context = context
    this.#intervalMs = context.settings.heartbeatIntervalMs
  }

  get identity(): Identity | null {
    if (this.#epoch <= 0) return null
    const { groupInstanceId } = this.#context.settings
    return { generation: this.#epoch, memberId: this.#memberId, groupInstanceId: groupInstanceId ?? null }
  }

  start(): void {
    void this.#run()
  }

  checkSession(): void {
    if (this.#epoch <= 0 || performance.now() < this.#aliveUntilMs) return
    this.#context.cluster.log.warn({}, 'the group was not heard from for a session: its partitions are given up')
    this.#loseAll()
  }

  topicsChanged(): void {
    if (this.#context.events.topics().join() !== this.#subscribed.join()) this.#ticker.wake()
  }

  suspect(): void {
    this.#ticker.wake()
  }

  settled(ms: number): Promise<void> {
    return this.#ticker.next(ms)
  }

  async leave(): Promise<void> {
    this.#leaving.abort()
    const { cluster, settings } = this.#context
    const isStatic = settings.groupInstanceId !== undefined
    const isMember = this.#epoch > 0
    this.#epoch = 0
    this.#ticker.wake()
    if (!isMember) return
    try {
      await this.#send({ ...NOTHING_NEW, epoch: isStatic ? LEAVES_FOR_A_WHILE : LEAVES, owned: [] }, 2_000)
    } catch (error) {
      cluster.log.warn({ error: describe(error) }, 'the group was not told; it notices after the session')
    }
  }

  get #isLeaving(): boolean {
    return this.#leaving.signal.aborted
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#isLeaving; ) {
      try {
        await this.#beat()
        attempt = 0
        this.failure = null
        if (!this.#isLeaving) await this.#ticker.pause(this.#pauseMs())
      } catch (error) {
        if (this.#isLeaving) return
        this.failure = asError(error)
        if (isFatal(this.failure)) {
          this.#loseAll()
          this.#context.events.fail(this.failure)
          return
        }
        this.#context.cluster.log.warn({ error: this.failure.message }, 'a heartbeat was not answered')
        this.checkSession()
        await sleep(backoffMs(attempt), this.#leaving.signal)
        attempt += 1
      }
    }
  }

  /** What a member gets first it hears of only when it asks again: it does not wait long while it has nothing. */
  #pauseMs(): number {
    const hasNothing = this.#reconciling === null && this.#context.events.owned().length === 0
    return hasNothing ? Math.min(FIRST_ASK_MS, this.#intervalMs) : this.#intervalMs
  }

  async #beat(): Promise<void> {
    const { cluster, settings, events } = this.#context
    const isJoining = this.#epoch <= 0
    const sentEpoch = this.#epoch
    const topics = events.topics()
    const sendsTopics = isJoining || topics.join() !== this.#subscribed.join()
    const sendsOwned = isJoining || this.#ownedChanged
    this.#ownedChanged = false
    const beat: Beat = {
      epoch: sentEpoch,
      rackId: isJoining && settings.rackId !== '' ? settings.rackId : null,
      rebalanceTimeoutMs: isJoining ? settings.rebalanceTimeoutMs : -1,
      topics: sendsTopics ? topics : null,
      serverAssignor: isJoining ? (settings.serverAssignor ?? null) : null,
      owned: sendsOwned ? this.#ownedByTopic(isJoining) : null,
    }
    const limits = { answerMs: answerWithinMs(settings) }
    const answer = await this.#send(beat, settings.heartbeatIntervalMs, limits).catch((error: unknown) => {
      this.#ownedChanged ||= sendsOwned
      throw error
    })
    if (this.#isLeaving || this.#epoch !== sentEpoch) return
    const { errorCode, errorMessage } = answer
    if (errorCode === UNKNOWN_MEMBER_ID || errorCode === FENCED_MEMBER_EPOCH) {
      cluster.log.warn({ errorCode }, `the group '${settings.group}' has gone on without this member: it joins again`)
      this.#loseAll()
      return
    }
    if (errorCode !== NONE) {
      this.#ownedChanged ||= sendsOwned
      await this.#refused(errorCode, errorMessage)
      return
    }
    this.#subscribed = topics
    this.#epoch = answer.memberEpoch
    if (answer.memberId !== null && answer.memberId !== '') this.#memberId = answer.memberId
    this.#intervalMs = Math.min(answer.heartbeatIntervalMs, settings.heartbeatIntervalMs)
    this.#aliveUntilMs = performance.now() + settings.sessionTimeoutMs
    if (isJoining) cluster.log.info({ epoch: this.#epoch }, `joined the group '${settings.group}'`)
    if (answer.assignment !== null) this.#target = answer.assignment.topicPartitions
    this.#reconcile()
  }

  #send(beat: Beat, withinMs: number, limits?: { readonly answerMs: number }) {
    const { group, groupInstanceId = null } = this.#context.settings
    const { epoch, rackId, rebalanceTimeoutMs, topics, serverAssignor, owned } = beat
    return this.#context.cluster.onCoordinator(
      GROUP,
      group,
      (connection) =>
        connection.call(
          'consumerGroupHeartbeat',
          group,
          this.#memberId,
          epoch,
          groupInstanceId,
          rackId,
          rebalanceTimeoutMs,
          topics,
          null,
          serverAssignor,
          owned,
        ),
      ({ errorCode }) => errorCode,
      withinMs,
      limits,
    )
  }

  async #refused(code: number, detail: string | null): Promise<void> {
    const { cluster, settings } = this.#context
    const error = brokerError(code, `the heartbeat to the group '${settings.group}'`, detail)
    if (code === UNRELEASED_INSTANCE_ID) {
      // After a kill the former life of this very member is in the group until its session ends.
      cluster.log.warn({ error: error.message }, 'waiting for the instance id to become free')
    } else if (remedyOf(code) === 'none') throw error
    this.failure = error
    this.checkSession()
    await sleep(RELOOK_MS, this.#leaving.signal)
  }

  /** Brings what is owned in line with the target, in the background: heartbeats must go on. */
  #reconcile(): void {
    if (this.#target === null || this.#reconciling !== null) return
    const target = this.#target
    this.#target = null
    const life = this.#life
    this.#reconciling = this.#approach(target, life)
      .catch((error: unknown) => {
        if (this.#isLeaving || this.#life !== life) return
        const failure = asError(error)
        this.#context.cluster.log.warn({ error: failure.message }, 'an assignment could not be taken up')
        if (isFatal(failure)) this.#context.events.fail(failure)
        else this.#target ??= target
      })
      .finally(() => {
        this.#reconciling = null
        this.#ticker.wake()
      })
  }

  async #approach(target: readonly TopicIdPartitions[], life: number): Promise<void> {
    const { cluster, events, settings } = this.#context
    const wanted = await this.#named(target)
    const names = new Set(wanted.map(nameOfPartition))
    const leaving = events.owned().filter((partition) => !names.has(nameOfPartition(partition)))
    if (leaving.length > 0) {
      await events.revoke(leaving, settings.rebalanceTimeoutMs * GRACE_SHARE)
      this.#ownedChanged = true
      this.#ticker.wake()
    }
    const owned = new Set(events.owned().map(nameOfPartition))
    const coming = wanted.filter((partition) => !owned.has(nameOfPartition(partition)))
    if (this.#life !== life) return
    if (coming.length > 0) await events.assign(coming)
    if (this.#life !== life) return
    cluster.log.debug({ partitions: names.size }, 'the assignment is taken up')
    this.#ownedChanged = true
  }

  async #named(target: readonly TopicIdPartitions[]): Promise<TopicPartition[]> {
    const { cluster } = this.#context
    const isKnown = ({ topicId }: TopicIdPartitions): boolean => cluster.topics.nameOf(topicId) !== undefined
    while (!target.every(isKnown) && !this.#isLeaving && this.#epoch > 0 && this.#target === null) {
      await cluster.refresh()
      if (!target.every(isKnown)) await sleep(RELOOK_MS, this.#leaving.signal)
    }
    return target.flatMap(({ topicId, partitions }) => {
      const topic = cluster.topics.nameOf(topicId)
      return topic === undefined ? [] : partitions.map((partition) => ({ topic, partition }))
    })
  }

  #ownedByTopic(isJoining: boolean): TopicIdPartitions[] {
    const { cluster, events } = this.#context
    if (isJoining) return []
    const topics: TopicIdPartitions[] = []
    for (const [topic, partitions] of byTopic(events.owned())) {
      const topicId = cluster.topics.get(topic)?.id
      if (topicId !== undefined) topics.push({ topicId, partitions })
    }
    return topics
  }

  #loseAll(): void {
    const { events } = this.#context
    this.#epoch = 0
    this.#life += 1
    this.#target = null
    this.#ownedChanged = false
    events.lose(events.owned())
    this.#ticker.wake()
  }
}
