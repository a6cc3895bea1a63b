/**
 * The options as TypeScript sees them, with the essentials for an editor's hover text. The checks and the full advice
 * are the schemas in `pipeline-options.ts` and `stage-options.ts`; a test holds the two together.
 */
import type { ConcurrencyPlan, FailurePolicy, Order, RatePlan } from '../model/plan.ts'
import type { RecordInfo } from '../model/record.ts'

export interface AdmissionOptions {
  /** Records in flight at most. Default 10,000. */
  readonly records?: number | undefined
  /** Bytes in flight at most. Default 64 MiB. */
  readonly bytes?: number | undefined
  /** In flight stays under completions a second × this. Default 10,000. */
  readonly residenceMs?: number | undefined
  /** A larger record fails as oversized. Default 1 MiB. */
  readonly maxRecordBytes?: number | undefined
  /** Delivered and not yet committed, per partition, at most. Default 1,000,000. */
  readonly uncommittedRecords?: number | undefined
}

export interface CommitOptions {
  /** Progress is stored this often. Default 1,000. */
  readonly intervalMs?: number | undefined
  /**
   * Commit earlier once this many records completed, but not within 50 ms of the commit before. Default: half as many as
   * are in flight, from 1,000 on.
   */
  readonly records?: number | undefined
}

export interface TransactionOfPipeline {
  /** A transaction ends this long after its first write. Default 1,000. */
  readonly intervalMs?: number | undefined
  /** It ends earlier once it holds this many records. Default 10,000. */
  readonly records?: number | undefined
  /** Names this instance, the same after a restart. Default: a name of its own in each run. */
  readonly id?: string | undefined
  /** After this the broker aborts a transaction whose owner has gone. Default 60,000. */
  readonly timeoutMs?: number | undefined
}

export interface PipelineOptions {
  readonly admission?: AdmissionOptions | undefined
  readonly commit?: CommitOptions | undefined
  /** `'exactly-once'`: outputs and progress are committed in one transaction. Default `'at-least-once'`. */
  readonly delivery?: 'at-least-once' | 'exactly-once' | undefined
  /** How long transactions are, with `'exactly-once'`. */
  readonly transaction?: TransactionOfPipeline | undefined
  /** How long a stop lets records in flight finish. Default 25,000. */
  readonly drainMs?: number | undefined
  /** How long a partition that is being taken away may take to finish. Default 20,000. */
  readonly revokeGraceMs?: number | undefined
  /** What becomes of a failed record, wherever nothing else is said. Default `stop()`. */
  readonly onFailure?: FailurePolicy | undefined
}

export interface StageOptions {
  /** What becomes of a record that failed here for good. Default: the pipeline's. */
  readonly onFailure?: FailurePolicy | undefined
}

export interface ExponentialOptions {
  /** Delay before the first retry, before jitter. Default 100. */
  readonly baseMs?: number | undefined
  /** The longest delay. Default 10,000. */
  readonly maxMs?: number | undefined
  /** How much longer each delay is than the one before. Default 2. */
  readonly factor?: number | undefined
}

/** How a sink writes again what failed: paced by its backoff alone. */
export interface SinkRetryOptions {
  /** Attempts in all, the first included. Default 5. */
  readonly attempts?: number | undefined
  /** Default `exponential()`. */
  readonly backoff?: ExponentialOptions | undefined
}

/** How a call is repeated. */
export interface RetryOptions extends SinkRetryOptions {
  /** Retries granted for each success. Default 0.1. */
  readonly budget?: number | undefined
}

export interface RateOptions {
  /** How many may start at once after a quiet moment. Default: a tenth of a second of the rate. */
  readonly burst?: number | undefined
}

export interface AdaptiveOptions {
  /** Calls in flight at first. Default: what was learned before, else `min`. */
  readonly initial?: number | undefined
  /** The limit never falls below this. Default 1. */
  readonly min?: number | undefined
  /** The limit never rises above this. Default 1,000. */
  readonly max?: number | undefined
  /** Scales the queue that is aimed at in the downstream. Default 1: a third of √limit calls, more where they vary. */
  readonly target?: number | undefined
  /** Stages that name the same limiter share it. Default: each stage has its own. */
  readonly limiter?: string | undefined
}

/** `T`: what the stage is given. */
export interface CallOptions<T = never> extends StageOptions {
  /** Which records may overtake each other. Default `'none'`: any may. */
  readonly order?: Order | undefined
  /** Calls in flight at most: a number, or what `adaptive()` finds. Default `adaptive()`. */
  readonly concurrency?: number | ConcurrencyPlan | undefined
  /** Names what a call is limited by, such as its tenant; each name has a limiter of its own. Default: one for all. */
  readonly limitKey?: ((value: T, record: RecordInfo) => string) | undefined
  /** `perSecond(n)` or `perMinute(n)`. Default: no limit. */
  readonly rate?: RatePlan | undefined
  /** After this an attempt is aborted and counts as failed. Default 30,000. */
  readonly timeoutMs?: number | undefined
  /** `false` gives each record one attempt. */
  readonly retry?: RetryOptions | false | undefined
  /** How many records may wait in the stage. Default: the larger of 1,024 and 4 × the most calls. */
  readonly queueRecords?: number | undefined
}

export interface BatchOptions {
  /** A batch is complete with this many records. Default 500. */
  readonly records?: number | undefined
  /** A batch is complete before it would exceed this. Default 1,000,000. */
  readonly bytes?: number | undefined
  /** A batch goes out this long after its first record. Default 50. */
  readonly withinMs?: number | undefined
}

export interface RouteOptions extends StageOptions {
  /** How many records may wait at the entry of each branch. Default 1,024. */
  readonly queueRecords?: number | undefined
}

export interface SinkOptions extends StageOptions {
  /** The name of the stage. Default: the sink's own. */
  readonly name?: string | undefined
  /** Default: the strictest order of the calls before it. */
  readonly order?: Order | undefined
  /** `false` gives each record one attempt. */
  readonly retry?: SinkRetryOptions | false | undefined
  /** How many records may wait to be written. Default: the larger of 4,096 and 2 × a batch. */
  readonly queueRecords?: number | undefined
}
