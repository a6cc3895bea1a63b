/**
 * Stores and reads the group's progress. `source.ts` hands it the runtime's commits. Invariants: a commit never goes
 * behind what is stored in the same assignment, nothing is sent for an epoch that is over, and each commit carries the
 * member it comes from, so that the broker refuses what the client could not know to be stale. Commits have a connection
 * of their own and go one after the other: a broker reads what waits behind another request also after the client has
 * given up and closed, and would store it after the commit that followed on a new connection.
 */
import type { Position } from '../../../model/connector.ts'
import { describe, HeadgateError } from '../../../model/errors.ts'
import { byTopic, type TopicPartition } from '../group/assignment.ts'
import type { Identity, Membership } from '../group/membership.ts'
import type { SourceSettings } from '../option.ts'
import type { Partition } from '../partition.ts'
import type { CommitPartition, CommitTopic, CommittedPartition, TopicCodes } from '../wire/calls.ts'
import { type Cluster, GROUP } from '../wire/cluster.ts'
import {
  brokerError,
  FENCED_INSTANCE_ID,
  FENCED_MEMBER_EPOCH,
  ILLEGAL_GENERATION,
  NONE,
  OFFSET_METADATA_TOO_LARGE,
  REBALANCE_IN_PROGRESS,
  STALE_MEMBER_EPOCH,
  UNKNOWN_MEMBER_ID,
  UNSTABLE_OFFSET_COMMIT,
} from '../wire/errors.ts'
import { sleep } from '../wire/wait.ts'
import { ANCHOR, usableBytes } from './metadata.ts'
import { commitTopics, type GroupProgress } from './progress.ts'

const REFUSES_THE_MEMBER = new Set([ILLEGAL_GENERATION, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, FENCED_MEMBER_EPOCH])
const WHILE_IT_REBALANCES = new Set([REBALANCE_IN_PROGRESS, STALE_MEMBER_EPOCH, ILLEGAL_GENERATION])
const UNSTABLE_PAUSE_MS = 50
/** How long one commit is tried before the runtime is told, which then tries again by itself. */
const COMMIT_WITHIN_MS = 10_000

export class Committer {
  readonly #cluster: Cluster
  readonly #settings: SourceSettings
  readonly #membership: Membership
  readonly #partitions: ReadonlyMap<string, Partition>
  /** Bytes of a done-ahead set that a commit can carry; less once the broker has refused that much. */
  metadataBytes: number
  #rewinding: Promise<void> = Promise.resolve()
  /** Ends with the last request that was made. */
  #sending: Promise<unknown> = Promise.resolve()

  constructor(
    cluster: Cluster,
    settings: SourceSettings,
    membership: Membership,
    partitions: ReadonlyMap<string, Partition>,
  ) {
    this.#cluster = cluster
    this.#settings = settings
    this.#membership = membership
    this.#partitions = partitions
    this.metadataBytes = usableBytes(settings.metadataBytes)
  }

  /** Rejects with `HG_FENCED` for what is not ours (any more), with `HG_COMMIT_FAILED` for what may be tried again. */
  async commit(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return
    await this.#rewinding
    await this.#store(positions)
  }

  /**
   * A partition was begun anew at an earlier offset, under a new epoch: stores that, or a restart would go on behind
   * records that nobody has seen. What is committed later waits for it. A failure is said, and repaired by the next
   * commit.
   */
  rewind(position: Position): void {
    this.#rewinding = this.#rewinding
      .then(() => this.#store([position]))
      .catch((error: unknown) => {
        const text = 'where the partition was begun anew could not be stored yet: the next commit does'
        this.#cluster.log.warn({ partition: position.partition, error: describe(error) }, text)
      })
  }

  async #store(positions: readonly Position[]): Promise<void> {
    const deadline = performance.now() + COMMIT_WITHIN_MS
    for (;;) {
      this.check(positions)
      const identity = await this.#identity(deadline)
      const codes = await this.#request(identity, () => {
        this.check(positions)
        return commitTopics(positions, this.#partitions, this.metadataBytes > 0)
      })
      const code = codes.find((each) => each !== NONE) ?? NONE
      if (code === NONE) break
      if (code === OFFSET_METADATA_TOO_LARGE && this.metadataBytes > 0) this.#shrink()
      else await this.#refused(code, identity, deadline)
    }
    this.committed(positions)
  }

  /**
   * Stores where a group without progress begins, so that a restart does not begin elsewhere. A failure is no harm: it
   * is as if the group had begun a little later.
   */
  async anchor(starts: readonly (TopicPartition & { readonly nextOffset: number })[]): Promise<void> {
    const { identity } = this.#membership
    if (identity === null || starts.length === 0) return
    const topics = new Map<string, CommitPartition[]>()
    for (const { topic, partition, nextOffset } of starts) {
      const entry = {
        partitionIndex: partition,
        committedOffset: BigInt(nextOffset),
        committedLeaderEpoch: -1,
        committedMetadata: this.metadataBytes > 0 ? ANCHOR : '',
      }
      const others = topics.get(topic)
      if (others) others.push(entry)
      else topics.set(topic, [entry])
    }
    const codes = await this.#request(identity, () => [...topics].map(([name, partitions]) => ({ name, partitions })))
    const code = codes.find((each) => each !== NONE) ?? NONE
    if (code === OFFSET_METADATA_TOO_LARGE && this.metadataBytes > 0) this.#shrink()
    else if (code !== NONE) throw brokerError(code, `storing where the group '${this.#settings.group}' begins`)
  }

  /** Throws unless all of this may be stored now. */
  check(positions: readonly Position[]): void {
    for (const { partition: name, epoch, nextOffset } of positions) {
      const partition = this.#partitions.get(name)
      if (partition === undefined || partition.ended || partition.epoch !== epoch) {
        throw new HeadgateError('HG_FENCED', `${name} is not assigned to this member under epoch ${epoch} any more`)
      }
      if (nextOffset < partition.committed) {
        const text = `${name} is committed at ${partition.committed}; a commit at ${nextOffset} would move it back`
        throw new HeadgateError('HG_COMMIT_FAILED', text)
      }
    }
  }

  /** These are stored, by `commit` or by a transaction. */
  committed(positions: readonly Position[]): void {
    for (const { partition: name, epoch, nextOffset } of positions) {
      const partition = this.#partitions.get(name)
      if (partition?.epoch !== epoch || nextOffset <= partition.committed) continue
      partition.committed = nextOffset
      partition.epochs.forget(nextOffset - 1)
    }
  }

  /** For a transaction. Throws `HG_FENCED` where the group has no such member at the moment. */
  progress(positions: readonly Position[]): GroupProgress {
    this.check(positions)
    const { identity } = this.#membership
    if (identity === null) {
      throw new HeadgateError(
        'HG_FENCED',
        `this process is no member of the group '${this.#settings.group}' at the moment`,
      )
    }
    const topics = commitTopics(positions, this.#partitions, this.metadataBytes > 0)
    return { group: this.#settings.group, identity, topics }
  }

  /**
   * What is stored of all partitions of these topics, by `topic/partition`. Waits for transactions that hold offsets.
   */
  async stored(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<Map<string, CommittedPartition>> {
    const { group, requestTimeoutMs, groupProtocol } = this.#settings
    const topics = [...byTopic(partitions)].map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
    for (;;) {
      const { identity } = this.#membership
      const isNew = groupProtocol === 'consumer' && identity !== null
      const { groups } = await this.#cluster.onCoordinator(
        GROUP,
        group,
        (connection) =>
          connection.call(
            'offsetFetch',
            [
              {
                groupId: group,
                memberId: isNew ? identity.memberId : null,
                memberEpoch: isNew ? identity.generation : -1,
                topics,
              },
            ],
            true,
          ),
        (answer) => answer.groups[0]?.errorCode ?? NONE,
        requestTimeoutMs,
      )
      const read = new Map<string, CommittedPartition>()
      let code = groups[0]?.errorCode ?? NONE
      for (const { name, partitions: each } of groups[0]?.topics ?? []) {
        for (const partition of each) {
          if (partition.errorCode !== NONE) code = partition.errorCode
          read.set(`${name}/${partition.partitionIndex}`, partition)
        }
      }
      if (code === NONE) return read
      if (code !== UNSTABLE_OFFSET_COMMIT && code !== STALE_MEMBER_EPOCH) {
        throw brokerError(code, `reading the progress of the group '${group}'`)
      }
      await sleep(UNSTABLE_PAUSE_MS, signal)
      if (signal.aborted) throw new HeadgateError('HG_FENCED', 'the assignment is over')
    }
  }

  async #identity(deadline: number): Promise<Identity> {
    for (;;) {
      const { identity } = this.#membership
      if (identity !== null) return identity
      const leftMs = deadline - performance.now()
      if (leftMs <= 0) {
        const text = `the group '${this.#settings.group}' is being rebalanced, and this member has no place in it yet`
        throw new HeadgateError('HG_COMMIT_FAILED', text)
      }
      await this.#membership.settled(Math.min(leftMs, 100))
    }
  }

  /** `topicsOf` is asked when it is its turn, and may throw. */
  #request(identity: Identity, topicsOf: () => readonly CommitTopic[]): Promise<number[]> {
    const codes = this.#sending.then(() => this.#send(topicsOf(), identity))
    this.#sending = codes.catch(() => {})
    return codes
  }

  async #send(topics: readonly CommitTopic[], identity: Identity): Promise<number[]> {
    const { group, requestTimeoutMs } = this.#settings
    const answer = await this.#cluster.onCoordinator(
      GROUP,
      group,
      (connection) =>
        connection.call(
          'offsetCommit',
          group,
          identity.generation,
          identity.memberId,
          identity.groupInstanceId,
          topics,
        ),
      (given) => codesOf(given.topics)[0] ?? NONE,
      Math.min(requestTimeoutMs, COMMIT_WITHIN_MS),
      { role: 'commit' },
    )
    return codesOf(answer.topics)
  }

  #shrink(): void {
    const { metadataBytes } = this
    this.metadataBytes = 0
    this.#cluster.log.warn(
      { metadataBytes },
      `the broker refused a commit because of its metadata: set \`metadataBytes\` to its offset.metadata.max.bytes. ` +
        'From now on commits carry none, and a restart repeats records that were done ahead of the committed offset',
    )
  }

  async #refused(code: number, sentWith: Identity, deadline: number): Promise<void> {
    const error = brokerError(code, `the commit of the group '${this.#settings.group}'`)
    const { identity } = this.#membership
    const isOutdated = identity?.generation !== sentWith.generation || identity.memberId !== sentWith.memberId
    if (REFUSES_THE_MEMBER.has(code) && !(code === ILLEGAL_GENERATION && isOutdated)) {
      this.#membership.suspect()
      throw new HeadgateError('HG_FENCED', error.message, { cause: error })
    }
    if (!WHILE_IT_REBALANCES.has(code) || performance.now() >= deadline) {
      throw new HeadgateError('HG_COMMIT_FAILED', error.message, { cause: error })
    }
    if (!isOutdated) {
      this.#membership.suspect()
      await this.#membership.settled(100)
    }
  }
}

function codesOf(topics: readonly TopicCodes[]): number[] {
  return topics.flatMap(({ partitions }) => partitions.map(({ errorCode }) => errorCode))
}
