/**
 * A member that leads a group and decides for itself which partitions the others get, by way of the wire alone: with it
 * a test revokes, takes and returns single partitions of a source under test. Invariant: it never owns a partition in a
 * classic group, and in a KIP-848 group only what it was told to take.
 */
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type TopicPartition,
} from '../../../src/connectors/kafka/group/assignment.ts'
import type { WireConnection } from '../../../src/connectors/kafka/wire/adapter.ts'
import { GROUP } from '../../../src/connectors/kafka/wire/cluster.ts'
import type { Client } from './client.ts'

const PROTOCOL = 'cooperative-sticky'
const PATIENCE_MS = 60_000
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

interface OtherMember {
  readonly memberId: string
  readonly owned: readonly TopicPartition[]
}

/** Leads a classic group with one other member, which gets all partitions but those withheld. */
export class Conductor {
  readonly #client: Client
  readonly #group: string
  readonly #partitions: readonly TopicPartition[]
  readonly #withheld = new Set<number>()
  #memberId = ''
  #generation = -1
  #other: OtherMember | null = null
  #isOver = false
  #mustJoin = true
  #running: Promise<void> = Promise.resolve()

  constructor(client: Client, group: string, topic: string, partitions: number) {
    this.#client = client
    this.#group = group
    this.#partitions = Array.from({ length: partitions }, (_, partition) => ({ topic, partition }))
  }

  /** Resolves when it leads the group; nobody else may have joined before. */
  async start(): Promise<void> {
    this.#running = this.#run()
    await this.#until(() => this.#generation >= 0)
  }

  /** Resolves when the other member has let the partitions go. */
  async withhold(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.#withheld.add(partition)
    this.#other = null
    this.#mustJoin = true
    await this.#until(() => {
      const owned = this.#other?.owned ?? null
      return owned !== null && !owned.some(({ partition }) => this.#withheld.has(partition))
    })
  }

  /** Throws the other member out; when it comes back, it gets everything but these. */
  async evict(partitions: readonly number[]): Promise<void> {
    for (const partition of partitions) this.#withheld.add(partition)
    const memberId = this.#other?.memberId ?? ''
    await this.#ask((connection) =>
      connection.call('leaveGroup', this.#group, [{ memberId, groupInstanceId: null, reason: null }]),
    )
  }

  give(partitions: readonly number[]): void {
    for (const partition of partitions) this.#withheld.delete(partition)
    this.#mustJoin = true
  }

  async stop(): Promise<void> {
    this.#isOver = true
    await this.#running
    const members = [{ memberId: this.#memberId, groupInstanceId: null, reason: null }]
    await this.#ask((connection) => connection.call('leaveGroup', this.#group, members)).catch(() => {})
  }

  async #run(): Promise<void> {
    while (!this.#isOver) {
      try {
        if (this.#mustJoin) await this.#join()
        const { errorCode } = await this.#ask((connection) =>
          connection.call('heartbeat', this.#group, this.#generation, this.#memberId, null),
        )
        if (errorCode !== 0) this.#mustJoin = true
      } catch {
        this.#mustJoin = true
      }
      await pause(50)
    }
  }

  async #join(): Promise<void> {
    this.#mustJoin = false
    const protocols = [{ name: PROTOCOL, metadata: encodeSubscription([], [], -1, '') }]
    const joined = await this.#ask((connection) =>
      connection.call('joinGroup', this.#group, 30_000, 20_000, this.#memberId, null, 'consumer', protocols, null),
    )
    this.#memberId = joined.memberId ?? ''
    if (joined.errorCode !== 0) {
      this.#mustJoin = true
      return
    }
    const others = joined.members.filter(({ memberId }) => memberId !== this.#memberId)
    const assignments = others.map(({ memberId, metadata }) => {
      const owned = decodeSubscription(memberId, null, metadata)?.owned ?? []
      this.#other = { memberId, owned }
      const given = this.#partitions.filter(({ partition }) => !this.#withheld.has(partition))
      return { memberId, assignment: encodeAssignment(given) }
    })
    const synced = await this.#ask((connection) =>
      connection.call('syncGroup', this.#group, joined.generationId, this.#memberId, null, 'consumer', PROTOCOL, [
        ...assignments,
        { memberId: this.#memberId, assignment: encodeAssignment([]) },
      ]),
    )
    if (synced.errorCode === 0) {
      if (decodeAssignment(synced.assignment).length > 0) throw new Error('the conductor plays no part itself')
      this.#generation = joined.generationId
    } else this.#mustJoin = true
  }

  #ask<R extends object>(call: (connection: WireConnection) => Promise<R>): Promise<R> {
    const codeOf = (answer: R): number => ('errorCode' in answer ? Number(answer.errorCode) : 0)
    return this.#client.cluster.onCoordinator(GROUP, this.#group, call, codeOf, 20_000, {
      role: 'join',
      answerMs: 60_000,
    })
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!condition()) {
      if (performance.now() > deadline) throw new Error('the group did not come to rest')
      await pause(25)
    }
  }
}

/** The first in order of the range assignor: what it joins to take is what comes first in the topic. */
const FIRST_ID = '0'

/** Takes the first partitions of a topic away from the other member of a KIP-848 group, and gives them back. */
export class Rival {
  readonly #client: Client
  readonly #group: string
  readonly #topic: string
  #epoch = 0
  #owned = 0
  #isOver = true
  #running: Promise<void> = Promise.resolve()

  constructor(client: Client, group: string, topic: string) {
    this.#client = client
    this.#group = group
    this.#topic = topic
  }

  /** Resolves when something was handed over. */
  async take(): Promise<void> {
    this.#isOver = false
    this.#running = this.#run()
    const deadline = performance.now() + PATIENCE_MS
    while (this.#owned === 0) {
      if (performance.now() > deadline) throw new Error('nothing was handed over')
      await pause(25)
    }
  }

  async giveBack(): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    await this.#running
    await this.#beat(FIRST_ID, -1)
    this.#epoch = 0
    this.#owned = 0
  }

  /** Makes the broker believe that every other member has left. */
  async evict(): Promise<void> {
    const members = await this.#client.members(this.#group)
    for (const memberId of members) if (memberId !== FIRST_ID) await this.#beat(memberId, -1)
  }

  async #run(): Promise<void> {
    let owned: { topicId: string; partitions: readonly number[] }[] = []
    while (!this.#isOver) {
      const answer = await this.#beat(FIRST_ID, this.#epoch, owned)
      if (answer.errorCode === 0) {
        this.#epoch = answer.memberEpoch
        if (answer.assignment !== null) owned = [...answer.assignment.topicPartitions]
        this.#owned = owned.reduce((sum, { partitions }) => sum + partitions.length, 0)
      } else this.#epoch = 0
      await pause(100)
    }
  }

  #beat(
    memberId: string,
    epoch: number,
    owned: readonly { topicId: string; partitions: readonly number[] }[] = [],
  ): Promise<{
    errorCode: number
    memberEpoch: number
    assignment: { topicPartitions: readonly { topicId: string; partitions: readonly number[] }[] } | null
  }> {
    return this.#client.cluster.onCoordinator(
      GROUP,
      this.#group,
      (connection) =>
        connection.call(
          'consumerGroupHeartbeat',
          this.#group,
          memberId,
          epoch,
          null,
          null,
          epoch === 0 ? 20_000 : -1,
          epoch === 0 ? [this.#topic] : null,
          null,
          epoch === 0 ? 'range' : null,
          epoch === 0 ? [] : owned,
        ),
      ({ errorCode }) => errorCode,
      20_000,
    )
  }
}
