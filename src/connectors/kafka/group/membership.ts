/**
 * What a source and its group membership are to each other. `classic.ts` and `kip848.ts` are the two kinds; `source.ts`
 * owns one and is told through `GroupEvents`. Invariant: the membership decides which partitions are ours and when, the
 * source alone decides what becomes of their records.
 */
import { describe, HeadgateError } from '../../../model/errors.ts'
import type { SourceSettings } from '../option.ts'
import type { Cluster } from '../wire/cluster.ts'
import type { TopicPartition } from './assignment.ts'

/** What a commit must carry to be accepted. */
export interface Identity {
  /** Classic: the generation; KIP-848: the member's epoch. */
  readonly generation: number
  readonly memberId: string
  readonly groupInstanceId: string | null
}

export interface Membership {
  /** Who this member is at the moment; null while it is none. */
  readonly identity: Identity | null
  /** Why the group cannot be joined at the moment; null when nothing is in the way. */
  readonly failure: HeadgateError | null
  start(): void
  /** Gives up partitions whose session has run out unnoticed. Called before anything is handed out. */
  checkSession(): void
  /** The topics that are subscribed, or their partition counts, have changed. */
  topicsChanged(): void
  /** A commit was refused in a way that says that the group has gone on: finds out how things stand. */
  suspect(): void
  /** Resolves when the identity may have become newer, or after `ms` milliseconds. */
  settled(ms: number): Promise<void>
  /** Leaves the group (a static member stays in it) and ends. The partitions have been given up before; never rejects. */
  leave(): Promise<void>
}

export interface GroupEvents {
  /** What the source has at this moment. */
  owned(): TopicPartition[]
  /** Resolves when the partitions are being read. Rejects with what made that impossible. */
  assign(partitions: readonly TopicPartition[]): Promise<void>
  /** Resolves when the partitions are given up, after `graceMs` at the latest. */
  revoke(partitions: readonly TopicPartition[], graceMs: number): Promise<void>
  /** The partitions are gone already. */
  lose(partitions: readonly TopicPartition[]): void
  /** Which topics are subscribed at this moment. */
  topics(): string[]
  /** The group cannot go on: the source stops with this. */
  fail(error: HeadgateError): void
}

export interface GroupContext {
  readonly cluster: Cluster
  readonly settings: SourceSettings
  readonly events: GroupEvents
}

/** The part of the rebalance's time that draining may take; the rest is for the last commit and for joining. */
export const GRACE_SHARE = 0.8

/** An answer to a sign of life that takes longer than half a session is not waited for. */
export function answerWithinMs({ requestTimeoutMs, sessionTimeoutMs }: SourceSettings): number {
  return Math.min(requestTimeoutMs, Math.ceil(sessionTimeoutMs / 2))
}

export function asError(error: unknown): HeadgateError {
  if (error instanceof HeadgateError) return error
  return new HeadgateError('HG_INVARIANT', `the group membership failed: ${describe(error)}`, { cause: error })
}

/** True where going on cannot help: an option, a permission or what is stored must be put right first. */
export function isFatal({ code }: HeadgateError): boolean {
  return code === 'HG_OPTION_INVALID' || code === 'HG_STORAGE' || code === 'HG_INVARIANT'
}
