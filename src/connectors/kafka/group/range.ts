/**
 * The range assignor: of each topic every member gets a run of neighbouring partitions, so that topics with the same
 * keys and partition count meet in one process. The leader of a classic group calls it. It gives the same as Kafka's
 * own, so that members of both kinds may share a group.
 */
import type { Subscriber, TopicPartition } from './assignment.ts'

/** `counts`: partitions by topic; a topic that is missing does not exist. Gives every member's partitions by its id. */
export function assignRange(
  members: readonly Subscriber[],
  counts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const assigned = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]))
  for (const [topic, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
    const takers = members.filter(({ topics }) => topics.includes(topic)).sort(inOrder)
    let next = 0
    for (const [index, { memberId }] of takers.entries()) {
      const share = Math.floor(count / takers.length) + (index < count % takers.length ? 1 : 0)
      for (let left = share; left > 0; left -= 1) {
        assigned.get(memberId)?.push({ topic, partition: next })
        next += 1
      }
    }
  }
  return assigned
}

/** Members with an instance id come first, in its order; so a static member that restarts keeps its place. */
function inOrder(a: Subscriber, b: Subscriber): number {
  if (a.instanceId !== null && b.instanceId !== null) return a.instanceId < b.instanceId ? -1 : 1
  if (a.instanceId !== null) return -1
  if (b.instanceId !== null) return 1
  return a.memberId < b.memberId ? -1 : 1
}
