/**
 * How many members the group has, for the autoscaling signal: `source.ts` is asked now and then. Invariant: what cannot
 * be told is null, and asking never disturbs the membership.
 */
import type { SourceGroup } from '../../../model/connector.ts'
import type { SourceSettings } from '../option.ts'
import { type Cluster, GROUP } from '../wire/cluster.ts'
import { NONE } from '../wire/errors.ts'

const WITHIN_MS = 2_000

/** `topics`: those that are subscribed, of which the partitions are shared. */
export async function groupSize(
  cluster: Cluster,
  { group, groupProtocol }: SourceSettings,
  topics: readonly string[],
  signal: AbortSignal,
): Promise<SourceGroup> {
  const partitions = topics.reduce((sum, topic) => sum + (cluster.topics.get(topic)?.leaders.length ?? 0), 0)
  const mostMembers = partitions > 0 ? partitions : null
  // A KIP-848 group is none that this request describes.
  if (groupProtocol === 'consumer') return { members: null, mostMembers }
  const { groups } = await cluster.onCoordinator(
    GROUP,
    group,
    (connection) => connection.call('describeGroups', [group], false),
    (answer) => answer.groups[0]?.errorCode ?? NONE,
    WITHIN_MS,
    { signal },
  )
  const found = groups[0]
  const known = found !== undefined && found.errorCode === NONE && found.members.length > 0
  return { members: known ? found.members.length : null, mostMembers }
}
