/**
 * A member of a classic group. Cooperative: a rebalance takes only what moves, everything else goes on meanwhile.
 * Eager (`'range'` among the assignors): all partitions are drained first. Invariants: signs of life go on while
 * anything drains; what is let go is committed before the member joins again; a member that has heard nothing for a
 * session has nothing.
 */
import { describe, type HeadgateError } from '../../../model/errors.ts'
import { GROUP } from '../wire/cluster.ts'
import {
  brokerError,
  FENCED_INSTANCE_ID,
  ILLEGAL_GENERATION,
  NONE,
  REBALANCE_IN_PROGRESS,
  UNKNOWN_MEMBER_ID,
} from '../wire/errors.ts'
import { backoffMs, sleep } from '../wire/wait.ts'
import { nameOfPartition, type TopicPartition } from './assignment.ts'
import { type JoinOutcome, joinGroup } from './join.ts'
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

/** A group that refuses to be joined is asked again after this. */
const REJOIN_MS = 50
/** What keeps a join from being answered is said once it has for so long: a coordinator that moves is back sooner. */
const SAID_AFTER_MS = 3_000

export class ClassicMembership implements Membership {
  readonly #context: GroupContext
  readonly #isEager: boolean
  readonly #ticker = new Ticker()
  readonly #beatTicker = new Ticker()
  readonly #leaving = new AbortController()
  #memberId = ''
  #subscribed: readonly string[] = []
  #generation = -1
  /** A generation was given and the assignment is still to come: nothing can be committed in between. */
  #syncing = false
  #aliveUntilMs = 0
  #mustJoin = true
  #counts: ReadonlyMap<string, number> | null = null
  #beating: Promise<void> | null = null
  #beats = false
  failure: HeadgateError | null = null

  constructor(context: GroupContext) {
    this.#context = context
    this.#isEager = context.settings.assignors.includes('range')
  }

  get identity(): Identity | null {
    if (this.#generation < 0 || this.#syncing) return null
    const { groupInstanceId } = this.#context.settings
    return { generation: this.#generation, memberId: this.#memberId, groupInstanceId: groupInstanceId ?? null }
  }

  start(): void {
    void this.#run()
  }

  checkSession(): void {
    if (this.#generation < 0 || performance.now() < this.#aliveUntilMs) return
    this.#context.cluster.log.warn({}, 'the group was not heard from for a session: its partitions are given up')
    this.#loseAll()
    this.#ticker.wake()
  }

  topicsChanged(): void {
    const { cluster, events } = this.#context
    const counts = this.#counts
    const isOutgrown =
      counts !== null &&
      [...counts].some(([name, count]) => (cluster.topics.get(name)?.leaders.length ?? count) !== count)
    const subscribed = events.topics()
    const isResubscribed = subscribed.join() !== this.#subscribed.join()
    if (!isOutgrown && !isResubscribed) return
    this.#mustJoin = true
    this.#ticker.wake()
  }

  suspect(): void {
    this.#beatTicker.wake()
  }

  settled(ms: number): Promise<void> {
    return this.#ticker.next(ms)
  }

  async leave(): Promise<void> {
    this.#leaving.abort()
    this.#ticker.wake()
    await this.#stopBeating()
    const { cluster, settings } = this.#context
    const memberId = this.#memberId
    this.#generation = -1
    // A join that is pending ends when the group has lost the member, or with the connections.
    if (memberId !== '' && settings.groupInstanceId === undefined) {
      await cluster
        .onCoordinator(
          GROUP,
          settings.group,
          (connection) =>
            connection.call('leaveGroup', settings.group, [
              { memberId, groupInstanceId: null, reason: 'the consumer is closed' },
            ]),
          ({ errorCode }) => errorCode,
          2_000,
        )
        .catch((error: unknown) => {
          cluster.log.warn({ error: describe(error) }, 'the group was not told; it notices after the session')
        })
    }
  }

  get #isLeaving(): boolean {
    return this.#leaving.signal.aborted
  }

  async #run(): Promise<void> {
    for (let attempt = 0; !this.#isLeaving; ) {
      try {
        if (this.#mustJoin) await this.#rebalance()
        attempt = 0
        this.failure = null
        if (!this.#mustJoin) await this.#ticker.pause(this.#context.settings.heartbeatIntervalMs)
      } catch (error) {
        if (this.#isLeaving) return
        this.failure = asError(error)
        if (isFatal(this.failure)) {
          this.#loseAll()
          this.#context.events.fail(this.failure)
          return
        }
        this.#context.cluster.log.warn({ error: this.failure.message }, 'joining the group failed')
        this.checkSession()
        await sleep(backoffMs(attempt), this.#leaving.signal)
        attempt += 1
      }
    }
  }

  /** Joins until the group is quiet and everything that it gave is being read. */
  async #rebalance(): Promise<void> {
    const { events } = this.#context
    this.#mustJoin = false
    try {
      if (this.#isEager) await this.#letGo(events.owned())
      if (this.#isLeaving) return
      const outcome = await this.#join()
      if (outcome === null) await sleep(REJOIN_MS, this.#leaving.signal)
      if (outcome === null || this.#isLeaving) return
      const target = new Set(outcome.assigned.map(nameOfPartition))
      this.#beat()
      const owned = events.owned()
      const leaving = owned.filter((partition) => !target.has(nameOfPartition(partition)))
      const kept = new Set(owned.map(nameOfPartition))
      const coming = outcome.assigned.filter((partition) => !kept.has(nameOfPartition(partition)))
      const before = this.#generation
      if (coming.length > 0) await this.#assign(coming, before)
      if (leaving.length === 0) return
      await this.#letGo(leaving)
      // The others are waiting for what was let go.
      this.#mustJoin = true
    } catch (error) {
      this.#mustJoin = true
      throw error
    }
  }

  async #assign(partitions: readonly TopicPartition[], generation: number): Promise<void> {
    await this.#context.events.assign(partitions)
    if (this.#generation !== generation) this.#mustJoin = true
  }

  async #letGo(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    if (this.#generation >= 0) this.#beat()
    const { events, settings } = this.#context
    await events.revoke(partitions, settings.rebalanceTimeoutMs * GRACE_SHARE)
  }

  /** Null when the group refused and everything is to begin again. */
  async #join(): Promise<Extract<JoinOutcome, { kind: 'joined' }> | null> {
    const { cluster, settings, events } = this.#context
    await this.#stopBeating()
    this.#subscribed = events.topics()
    // The broker keeps a member that waits in a join for as long as the rebalance may take.
    this.#aliveUntilMs = performance.now() + settings.rebalanceTimeoutMs + settings.sessionTimeoutMs
    const beganMs = performance.now()
    const request = {
      memberId: this.#memberId,
      generation: this.#generation,
      topics: this.#subscribed,
      owned: this.#isEager ? [] : events.owned(),
      // It is tried for as long as a rebalance may take; why in vain is to be known before.
      failing: (failure: HeadgateError) => {
        if (performance.now() - beganMs >= SAID_AFTER_MS) this.failure = failure
      },
    }
    try {
      const outcome = await joinGroup(cluster, settings, request, (memberId, generation) => {
        this.#syncing = true
        this.#memberId = memberId
        this.#generation = generation
      })
      this.#memberId = outcome.memberId
      if (outcome.kind === 'refused') return this.#refused(outcome.code)
      this.#generation = outcome.generation
      this.#counts = outcome.counts
      this.failure = null
      this.#heard()
      const { generation, assigned } = outcome
      cluster.log.info({ generation, partitions: assigned.length }, `joined the group '${settings.group}'`)
      return outcome
    } catch (error) {
      this.#aliveUntilMs = Math.min(this.#aliveUntilMs, performance.now() + settings.sessionTimeoutMs)
      throw error
    } finally {
      this.#syncing = false
      this.#ticker.wake()
    }
  }

  #refused(code: number): null {
    const { cluster, settings } = this.#context
    this.#mustJoin = true
    cluster.log.debug({ code }, 'the group refused a join')
    if (code === REBALANCE_IN_PROGRESS) {
      this.#heard()
      return null
    }
    if (code === UNKNOWN_MEMBER_ID || code === ILLEGAL_GENERATION) {
      if (code === UNKNOWN_MEMBER_ID) this.#memberId = ''
      this.#loseAll()
      return null
    }
    throw brokerError(code, `joining the group '${settings.group}'`)
  }

  #beat(): void {
    this.#beats = true
    this.#beating ??= this.#keepBeating().finally(() => {
      this.#beating = null
    })
  }

  async #stopBeating(): Promise<void> {
    this.#beats = false
    this.#beatTicker.wake()
    await this.#beating
  }

  async #keepBeating(): Promise<void> {
    const { cluster, settings } = this.#context
    while (this.#beats && this.#generation >= 0) {
      const generation = this.#generation
      try {
        const { errorCode } = await cluster.onCoordinator(
          GROUP,
          settings.group,
          (connection) =>
            connection.call('heartbeat', settings.group, generation, this.#memberId, settings.groupInstanceId ?? null),
          (answer) => answer.errorCode,
          settings.heartbeatIntervalMs,
          { answerMs: answerWithinMs(settings) },
        )
        if (generation === this.#generation) this.#answered(errorCode)
        this.failure = null
      } catch (error) {
        this.failure = asError(error)
        cluster.log.warn({ error: this.failure.message }, 'a heartbeat was not answered')
        if (isFatal(this.failure)) this.#context.events.fail(this.failure)
      }
      this.checkSession()
      if (!this.#beats || this.#generation < 0) return
      await this.#beatTicker.pause(settings.heartbeatIntervalMs)
    }
  }

  #answered(code: number): void {
    const { events, settings, cluster } = this.#context
    if (code === NONE) this.#heard()
    else if (code === REBALANCE_IN_PROGRESS) {
      // It counts as a sign of life all the same.
      this.#heard()
      this.#mustJoin = true
      this.#ticker.wake()
    } else if (code === UNKNOWN_MEMBER_ID || code === ILLEGAL_GENERATION) {
      cluster.log.warn({ code }, `the group '${settings.group}' has gone on without this member: it joins again`)
      if (code === UNKNOWN_MEMBER_ID) this.#memberId = ''
      this.#loseAll()
      this.#ticker.wake()
    } else {
      this.#loseAll()
      const error = brokerError(code, `the heartbeat to the group '${settings.group}'`)
      if (code === FENCED_INSTANCE_ID) this.#memberId = ''
      events.fail(error)
    }
  }

  #heard(): void {
    this.#aliveUntilMs = performance.now() + this.#context.settings.sessionTimeoutMs
  }

  #loseAll(): void {
    const { events } = this.#context
    this.#generation = -1
    this.#mustJoin = true
    this.#beats = false
    this.#beatTicker.wake()
    events.lose(events.owned())
  }
}
