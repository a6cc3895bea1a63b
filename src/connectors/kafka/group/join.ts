/**
 * One round of joining a classic group: JoinGroup, the assignment if this member leads, SyncGroup. `classic.ts` calls
 * it and decides what its outcome means. Invariant: it holds no state of the membership; what it learned is returned.
 */
import { HeadgateError } from '../../../model/errors.ts'
import type { SourceSettings } from '../option.ts'
import { type Cluster, GROUP } from '../wire/cluster.ts'
import { brokerError, MEMBER_ID_REQUIRED, NONE, UNKNOWN_MEMBER_ID } from '../wire/errors.ts'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
  type Subscriber,
  type TopicPartition,
} from './assignment.ts'
import { assignCooperativeSticky } from './cooperative-sticky.ts'
import { assignRange } from './range.ts'

const PROTOCOL_TYPE = 'consumer'
/** A member id that the broker gave and then forgot is asked for again this often. */
const ID_ATTEMPTS = 3

export interface JoinRequest {
  readonly memberId: string
  /** −1 for a member that has none. */
  readonly generation: number
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  /** Hears of what keeps it from being answered, each time before it is made again. */
  readonly failing: (failure: HeadgateError) => void
}

export type JoinOutcome =
  | {
      readonly kind: 'joined'
      readonly memberId: string
      readonly generation: number
      readonly assigned: readonly TopicPartition[]
      /** Partition counts that the assignment was made from; null unless this member leads. */
      readonly counts: ReadonlyMap<string, number> | null
    }
  /** The group did not take the member: why, and the id to come back with. */
  | { readonly kind: 'refused'; readonly code: number; readonly memberId: string; readonly generation: number }

/**
 * Takes as long as the other members take to let go. `joined` is called between the two requests, when the member has a
 * new generation and not yet an assignment.
 */
export async function joinGroup(
  cluster: Cluster,
  settings: SourceSettings,
  request: JoinRequest,
  joined: (memberId: string, generation: number) => void,
): Promise<JoinOutcome> {
  const { group, sessionTimeoutMs, rebalanceTimeoutMs, assignors, rackId, groupInstanceId } = settings
  const instanceId = groupInstanceId ?? null
  const metadata = encodeSubscription(request.topics, request.owned, request.generation, rackId)
  const protocols = assignors.map((name) => ({ name, metadata }))
  const { failing } = request
  const waiting = { role: 'join', answerMs: rebalanceTimeoutMs + settings.requestTimeoutMs, failing } as const
  let { memberId } = request
  for (let attempt = 0; ; attempt += 1) {
    const id = memberId
    const answer = await cluster.onCoordinator(
      GROUP,
      group,
      (connection) =>
        connection.call(
          'joinGroup',
          group,
          sessionTimeoutMs,
          rebalanceTimeoutMs,
          id,
          instanceId,
          PROTOCOL_TYPE,
          protocols,
          null,
        ),
      ({ errorCode }) => errorCode,
      rebalanceTimeoutMs,
      waiting,
    )
    if (answer.errorCode === MEMBER_ID_REQUIRED && attempt < ID_ATTEMPTS) {
      memberId = answer.memberId ?? ''
      continue
    }
    if (answer.errorCode === UNKNOWN_MEMBER_ID && memberId !== '' && request.owned.length === 0) {
      memberId = ''
      if (attempt < ID_ATTEMPTS) continue
    }
    if (answer.errorCode !== NONE) return { kind: 'refused', code: answer.errorCode, memberId, generation: -1 }
    memberId = answer.memberId ?? memberId
    const { generationId } = answer
    joined(memberId, generationId)
    const protocol = answer.protocolName ?? ''
    const isLeader = answer.leader === memberId
    const counts = isLeader ? await countsOf(cluster, answer.members) : null
    const assignments = counts === null || answer.skipAssignment ? [] : assign(protocol, answer.members, counts)
    const synced = await cluster.onCoordinator(
      GROUP,
      group,
      (connection) =>
        connection.call('syncGroup', group, generationId, memberId, instanceId, PROTOCOL_TYPE, protocol, assignments),
      ({ errorCode }) => errorCode,
      rebalanceTimeoutMs,
      waiting,
    )
    if (synced.errorCode !== NONE) {
      return { kind: 'refused', code: synced.errorCode, memberId, generation: generationId }
    }
    try {
      const assigned = decodeAssignment(synced.assignment)
      return { kind: 'joined', memberId, generation: generationId, assigned, counts }
    } catch (cause) {
      const text = `The leader of the group '${group}' sent an assignment that cannot be read: are all members consumers?`
      throw new HeadgateError('HG_OPTION_INVALID', text, { cause })
    }
  }
}

type Members = readonly {
  readonly memberId: string
  readonly groupInstanceId?: string | null
  readonly metadata: Buffer | null
}[]

function subscribersOf(members: Members): Subscriber[] {
  return members.map(({ memberId, groupInstanceId, metadata }) => {
    const read = decodeSubscription(memberId, groupInstanceId ?? null, metadata)
    if (read !== null) return read
    throw brokerError(23, `reading the subscription of the member ${memberId}`)
  })
}

/** The leader needs to know the topics of all members, also those it does not read itself. */
async function countsOf(cluster: Cluster, members: Members): Promise<Map<string, number>> {
  const topics = [...new Set(subscribersOf(members).flatMap((member) => member.topics))]
  cluster.watch(topics)
  await cluster.refresh()
  const counts = new Map<string, number>()
  for (const name of topics) {
    const topic = cluster.topics.get(name)
    if (topic !== undefined) counts.set(name, topic.leaders.length)
  }
  return counts
}

function assign(
  protocol: string,
  members: Members,
  counts: ReadonlyMap<string, number>,
): { memberId: string; assignment: Buffer }[] {
  const subscribers = subscribersOf(members)
  const assigned =
    protocol === 'range' ? assignRange(subscribers, counts) : assignCooperativeSticky(subscribers, counts)
  return [...assigned].map(([memberId, partitions]) => ({ memberId, assignment: encodeAssignment(partitions) }))
}
