/**
 * How many members the group has, for the autoscaling signal: `source.ts` is asked now and then. Invariant: what cannot
 * be told is null, one request is all that asking costs, and it never disturbs the membership.
 */
import type { SourceGroup } from '../../../model/connector.ts'
import { HeadgateError } from '../../../model/errors.ts'
import type { SourceSettings } from '../option.ts'
import type { WireConnection } from '../wire/adapter.ts'
import { type Cluster, GROUP } from '../wire/cluster.ts'
import { NONE } from '../wire/errors.ts'

const WITHIN_MS = 2_000

interface Described {
  readonly errorCode: number
  readonly members: number
}

/** `topics`: those that are subscribed, of which the partitions are shared. */
export async function groupSize(
  cluster: Cluster,
  { group, groupProtocol }: SourceSettings,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<SourceGroup> {
  const partitions = topics.reduce((sum, topic) => sum + (cluster.topics.get(topic)?.leaders.length ?? 0), 0)
  const mostMembers = partitions > 0 ? partitions : null
  const describe = groupProtocol === 'consumer' ? describeKip848 : describeClassic
  const { errorCode, members } = await cluster.onCoordinator(
    GROUP,
    group,
    (connection) => describe(connection, group),
    (answer) => answer.errorCode,
    WITHIN_MS,
    { signal },
  )
  return { members: errorCode === NONE && members > 0 ? members : null, mostMembers }
}

const UNKNOWN: Described = { errorCode: NONE, members: 0 }

async function describeClassic(connection: WireConnection, group: string): Promise<Described> {
  const { groups } = await connection.call('describeGroups', [group], false)
  const found = groups[0]
  return found === undefined ? UNKNOWN : { errorCode: found.errorCode, members: found.members.length }
}

/** Brokers that had such groups before they were finished may not know this request. */
async function describeKip848(connection: WireConnection, group: string): Promise<Described> {
  try {
    const { group: found } = await connection.call('consumerGroupDescribe', [group], false)
    return found ?? UNKNOWN
  } catch (error) {
    if (error instanceof HeadgateError && error.code === 'HG_OPTION_INVALID') return UNKNOWN
    throw error
  }
}
