/**
 * Finds out whether a transaction was committed whose end nobody heard of: the progress that it carried is stored, or
 * it is not. `transactions.ts` asks once its producer has a new epoch, so that the transaction has ended either way.
 * Invariant: while a partition is ours nobody else stores progress for it, and no two transactions store the same.
 */
import { HeadgateError } from '../../../model/errors.ts'
import type { GroupProgress } from '../commit/progress.ts'
import { type Cluster, GROUP } from '../wire/cluster.ts'
import { NONE, UNSTABLE_OFFSET_COMMIT } from '../wire/errors.ts'
import { sleep } from '../wire/wait.ts'

const PAUSE_MS = 50

/** Asks until it knows, or until the signal is aborted: then it rejects. */
export async function wasStored(
  cluster: Cluster,
  groups: readonly GroupProgress[],
  signal: AbortSignal,
): Promise<boolean> {
  for (const { group, topics } of groups) {
    const wanted = new Map<string, string>()
    for (const { name, partitions } of topics)
      for (const { partitionIndex, committedOffset, committedMetadata } of partitions)
        wanted.set(`${name}/${partitionIndex}`, `${committedOffset} ${committedMetadata ?? ''}`)
    const asked = topics.map(({ name, partitions }) => ({
      name,
      partitionIndexes: partitions.map(({ partitionIndex }) => partitionIndex),
    }))
    for (const [partition, stored] of await read(cluster, group, asked, signal))
      if (wanted.get(partition) === stored) return true
  }
  return false
}

async function read(
  cluster: Cluster,
  groupId: string,
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[],
  signal: AbortSignal,
): Promise<Map<string, string>> {
  while (!signal.aborted && !cluster.closed) {
    const found = new Map<string, string>()
    let settled = false
    try {
      const { groups } = await cluster.onCoordinator(
        GROUP,
        groupId,
        (connection) => connection.call('offsetFetch', [{ groupId, memberId: null, memberEpoch: -1, topics }], true),
        (answer) => answer.groups[0]?.errorCode ?? NONE,
        cluster.options.requestTimeoutMs,
        { signal },
      )
      settled = groups[0]?.errorCode === NONE
      for (const { name, partitions } of groups[0]?.topics ?? [])
        for (const { partitionIndex, committedOffset, metadata, errorCode } of partitions) {
          if (errorCode === UNSTABLE_OFFSET_COMMIT || errorCode !== NONE) settled = false
          found.set(`${name}/${partitionIndex}`, `${committedOffset} ${metadata ?? ''}`)
        }
    } catch (error) {
      cluster.log.warn({ group: groupId, error: String(error) }, 'asking what became of a transaction again')
    }
    if (settled) return found
    await sleep(PAUSE_MS, signal)
  }
  throw new HeadgateError('HG_CONNECTION_LOST', 'nobody knows what became of the last transaction')
}
