/** What a source is to store with a transaction, from the ledgers of its partitions. `intake.ts` keeps it while it is under way. */
import type { Position } from '../model/connector.ts'
import type { Partition } from './partition.ts'

/** What a commit under way covers of a partition. */
export interface Committing {
  readonly partition: Partition
  readonly completed: number
  /** Of those, the ones that a restart would not repeat. */
  readonly stored: number
}

export interface Proposal {
  readonly positions: readonly Position[]
  readonly committing: Committing[]
}

/** Counts what was proposed to the ledgers as done; null when the metadata of a commit cannot carry all of it. */
export function proposalOf(partitions: Iterable<Partition>, metadataBytes: number): Proposal | null {
  const positions: Position[] = []
  const committing: Committing[] = []
  for (const partition of partitions) {
    const { ledger, name, epoch } = partition
    const completed = ledger.completed + ledger.proposed
    if (partition.fenced || completed === partition.committedCompleted) continue
    const position = ledger.proposedPosition(metadataBytes)
    if (position === null) return null
    positions.push({ partition: name, epoch, ...position })
    committing.push({ partition, completed, stored: completed })
  }
  return { positions, committing }
}

/** Whether one of them is to be given up, or may deliver little more without a commit. */
export function pressesForCommit(partitions: Iterable<Partition>, uncommittedRecords: number): boolean {
  for (const { revokeByMs, uncommitted } of partitions)
    if (revokeByMs !== null || uncommitted > uncommittedRecords / 2) return true
  return false
}

/** Partitions that are being given up are so at once; false when there is none. */
export function endGrace(partitions: Iterable<Partition>, nowMs: number): boolean {
  let any = false
  for (const partition of partitions) {
    if (partition.revokeByMs === null) continue
    partition.revokeByMs = nowMs
    any = true
  }
  return any
}
