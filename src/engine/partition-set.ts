/** What is asked of all partitions of a source together. `intake.ts` asks; nothing here changes a partition. */
import type { PartitionStatus } from '../model/status.ts'
import type { Partition } from './partition.ts'

const MOST_SHOWN = 256

/** Whether there is something to commit. */
export function isDirty(partitions: Iterable<Partition>): boolean {
  for (const { dirty, fenced } of partitions) if (dirty && !fenced) return true
  return false
}

/** When the first grace is over; Infinity while none is being given up. */
export function revokeWakeMs(partitions: Iterable<Partition>): number {
  let wake = Number.POSITIVE_INFINITY
  for (const { revokeByMs } of partitions) if (revokeByMs !== null) wake = Math.min(wake, revokeByMs)
  return wake
}

/** Epoch ms of the oldest record in flight; null when none is. */
export function oldestOpenMs(partitions: Iterable<Partition>): number | null {
  let oldest: number | null = null
  for (const { ledger } of partitions) oldest = earlier(oldest, ledger.oldestOpenMs)
  return oldest
}

/** Epoch ms of the oldest record that was delivered and is not committed; null when there is none. */
export function oldestUncommittedMs(partitions: Iterable<Partition>): number | null {
  let oldest: number | null = null
  for (const partition of partitions) oldest = earlier(oldest, partition.oldestUncommittedMs)
  return oldest
}

/** Of two times; null where neither is known. */
export function earlier(one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other
  return Math.min(one, other)
}

/** The status of each; where there are very many, of those that have delivered the most. */
export function busiest(partitions: Iterable<Partition>): PartitionStatus[] {
  const most = [...partitions]
  if (most.length > MOST_SHOWN) most.sort((one, other) => other.ledger.delivered - one.ledger.delivered)
  return most.slice(0, MOST_SHOWN).map((partition) => partition.status())
}
