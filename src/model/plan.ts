/**
 * The plan: what a pipeline is, as plain data with every default filled in. The builder makes it, the engine and the
 * runtime run it. A flow is a line of stages that ends in a sink or in a route to further flows.
 */
import type { DeadLetter, Sink, Source } from './connector.ts'
import type { Logger } from './logger.ts'
import type { RateLimitFigures } from './rate-limit.ts'
import type { RecordInfo } from './record.ts'

/** `none`: any free slot. `key`: one record of a key at a time. `partition`: one record of a partition at a time. */
export type Order = 'none' | 'key' | 'partition'

export interface BackoffPlan {
  /** Delay before the first retry, before jitter. */
  readonly baseMs: number
  readonly maxMs: number
  readonly factor: number
}

/** How a sink writes again what failed. No budget: a write that fails as a whole pauses the sink, each time for longer. */
export interface SinkRetryPlan {
  /** Attempts in all, the first included; overload and a lost connection do not use them up. */
  readonly attempts: number
  readonly backoff: BackoffPlan
}

/** How a call is repeated. */
export interface RetryPlan extends SinkRetryPlan {
  /** Retries granted for each success; 0.1 allows one retry for ten successes. */
  readonly budget: number
}

export interface RatePlan {
  readonly perSecond: number
  /** How many may start at once after a quiet moment. */
  readonly burst: number
}

/** How many calls may be in flight: a number, or what a controller finds between two numbers. */
export type ConcurrencyPlan =
  | { readonly kind: 'fixed'; readonly limit: number }
  | {
      readonly kind: 'adaptive'
      /** Stages that name the same limiter share it; null for one of the stage's own. */
      readonly limiter: string | null
      /** To begin with; null for `min`, or for what was learned before. */
      readonly initial: number | null
      readonly min: number
      readonly max: number
      /** Scales the queue that is aimed at in the downstream. */
      readonly target: number
    }

/** The most calls that a stage may have in flight at one limiter. */
export function mostCalls(concurrency: ConcurrencyPlan): number {
  return concurrency.kind === 'fixed' ? concurrency.limit : concurrency.max
}

export type FailurePolicy =
  | { readonly kind: 'stop' }
  | { readonly kind: 'skip' }
  | { readonly kind: 'deadLetter'; readonly sink: Sink<DeadLetter> }

/** What the stage of a dead-letter sink is called in status, metrics and messages. */
export function deadLetterName(sink: Sink<DeadLetter>): string {
  return `dead-letter:${sink.name}`
}

/** What a call handler is given beside the value. */
export interface CallContext {
  readonly record: RecordInfo
  /** 1 for the first attempt. */
  readonly attempt: number
  /** Aborted at the deadline, when the partition is lost, and when the pipeline stops hard. */
  readonly signal: AbortSignal
  /** When this attempt times out, epoch milliseconds. */
  readonly deadlineMs: number
  /** The same for every attempt of the same record, also after a restart. */
  readonly idempotencyKey: string
  readonly log: Logger
  /** What the answer's RateLimit headers say (`expectOk` tells it): the limiter then need not search for the quota. */
  heard(figures: RateLimitFigures): void
  /** Waits for a connection or worker: the time is shown as POOL, not as the downstream's latency. */
  pool<R>(acquire: () => PromiseLike<R>): Promise<R>
}

export interface SyncStagePlan {
  readonly kind: 'map' | 'filter' | 'tap'
  readonly name: string
  readonly fn: (value: never, record: RecordInfo) => unknown
  readonly onFailure: FailurePolicy
}

export interface FlatMapPlan {
  readonly kind: 'flatMap'
  readonly name: string
  readonly fn: (value: never, record: RecordInfo) => Iterable<unknown>
  readonly onFailure: FailurePolicy
}

export interface CallPlan {
  readonly kind: 'call'
  readonly name: string
  readonly fn: (value: never, context: CallContext) => unknown
  readonly order: Order
  readonly concurrency: ConcurrencyPlan
  /** Names what a call is limited by (a tenant, a host): each name has a limiter of its own. */
  readonly limitKey: ((value: never, record: RecordInfo) => string) | null
  readonly rate: RatePlan | null
  readonly timeoutMs: number
  readonly retry: RetryPlan
  readonly onFailure: FailurePolicy
  /** How many records may wait in this stage, so how far a blocked key is looked past. */
  readonly queueRecords: number
}

export interface BatchPlan {
  readonly kind: 'batch'
  readonly name: string
  readonly records: number
  readonly bytes: number
  readonly withinMs: number
}

export type StagePlan = SyncStagePlan | FlatMapPlan | CallPlan | BatchPlan

export interface SinkPlan {
  readonly kind: 'sink'
  readonly name: string
  readonly sink: Sink<never>
  readonly order: Order
  readonly retry: SinkRetryPlan
  readonly onFailure: FailurePolicy
  readonly queueRecords: number
}

export interface RoutePlan {
  readonly kind: 'route'
  readonly name: string
  /** Names the branch for a value; an unknown name fails the record. */
  readonly select: (value: never, record: RecordInfo) => string
  readonly branches: ReadonlyMap<string, FlowPlan>
  /** How many records may wait at the entry of each branch before the route waits for it. */
  readonly queueRecords: number
  readonly onFailure: FailurePolicy
}

export interface FlowPlan {
  readonly stages: readonly StagePlan[]
  readonly end: SinkPlan | RoutePlan
}

export interface AdmissionPlan {
  /** Records in flight at most, client prefetch included. */
  readonly records: number
  /** Their bytes at most. */
  readonly bytes: number
  /** In flight stays under completions a second × this. */
  readonly residenceMs: number
  /** A larger record is not decoded but fails as oversized. */
  readonly maxRecordBytes: number
  /** Records a partition may have delivered and not yet committed: the most that a crash repeats. */
  readonly uncommittedRecords: number
}

export interface CommitPlan {
  readonly intervalMs: number
  /**
   * Commit early once this many records completed, but not within 50 ms of the commit before. Absent: once half as many
   * did as are in flight, from 1,000 on.
   */
  readonly records?: number | undefined
}

export interface TransactionPlan {
  /** A transaction ends this long after its first write. */
  readonly intervalMs: number
  /** A transaction ends early once it holds this many records. */
  readonly records: number
  /** Names this instance; null for a name of its own in each run. */
  readonly id: string | null
  /** How long the broker keeps a transaction whose owner has gone. */
  readonly timeoutMs: number
}

export interface SourcePlan {
  readonly source: Source
  /** What becomes of a record that does not decode or is oversized. */
  readonly onFailure: FailurePolicy
}

export interface Plan {
  readonly name: string
  readonly sources: readonly SourcePlan[]
  readonly flow: FlowPlan
  readonly admission: AdmissionPlan
  readonly commit: CommitPlan
  /** Exactly-once: outputs and progress are committed together. Absent: at least once. */
  readonly transaction?: TransactionPlan | undefined
  readonly drainMs: number
  /** How long a revoked partition may take to finish before it is fenced. */
  readonly revokeGraceMs: number
}
