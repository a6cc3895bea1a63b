/**
 * What a source is to store, alone or with a transaction, from the ledgers of its partitions. `intake.ts` keeps it while it
 * is under way.
 */
import type { Position } from '../model/connector.ts'
import type { Covered, Partition } from './partition.ts'

/** What a commit under way covers of a partition. */
export interface Committing extends Covered {
  readonly partition: Partition
}

export interface Proposal {
  readonly positions: readonly Position[]
  readonly committing: Committing[]
}

/** What a commit stores of a partition; of what is done ahead as much as fits into the metadata. */
export function positionOf({ name, epoch, ledger }: Partition, metadataBytes: number): Position {
  return { partition: name, epoch, nextOffset: ledger.nextOffset, doneAhead: ledger.doneAhead(metadataBytes) }
}

/** A commit of what is done by now. What does not fit into it is not stored: a restart would repeat it. */
export function committingOf(partition: Partition, metadataBytes: number): Committing {
  const { completed, below, doneAheadBytesBound, oldestOpenMs: oldestLeftMs } = partition.ledger
  partition.beginCommit()
  return { partition, completed, stored: doneAheadBytesBound <= metadataBytes ? completed : below, oldestLeftMs }
}

/** Counts what was proposed to the ledgers as done; null when the metadata of a commit cannot carry all of it. */
export function proposalOf(partitions: Iterable<Partition>, metadataBytes: number): Proposal | null {
  const positions: Position[] = []
  const committing: Committing[] = []
  for (const partition of partitions) {
    const { ledger, name, epoch } = partition
    const completed = ledger.completed + ledger.proposed
    if (partition.fenced || completed === partition.committedCompleted) continue
    const proposed = ledger.proposedPosition(metadataBytes)
    if (proposed === null) return null
    const { oldestLeftMs, ...position } = proposed
    positions.push({ partition: name, epoch, ...position })
    partition.beginCommit()
    committing.push({ partition, completed, stored: completed, oldestLeftMs })
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
