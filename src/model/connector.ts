/**
 * The contract between the runtime and its connectors. A source hands out records only against credit; a sink gives
 * one outcome for each record it was handed. A connector knows this file and nothing else of Headgate: not the
 * engine, not other connectors. `headgate/conformance` holds the rules as a test suite.
 */
import type { Logger } from './logger.ts'
import type { RecordInfo, SourceRecord } from './record.ts'
import type { ShownOptions } from './shown-options.ts'

/** Permission to deliver: so many records, so many bytes. The first record may exceed the bytes, no other may. */
export interface Credit {
  readonly records: number
  readonly bytes: number
}

/** A partition handed to this consumer, with the progress that its group had stored. */
export interface Assignment {
  readonly partition: string
  /** Rises with each assignment of the partition; commits carry it, and a stale one is refused. */
  readonly epoch: number
  /** The first offset that this assignment may deliver. */
  readonly nextOffset: number
  /** What the last commit stored as `doneAhead`, or null. Foreign bytes are ignored with a warning. */
  readonly doneAhead: Uint8Array | null
}

/** Committed progress: everything below `nextOffset` is done, and so is the set that `doneAhead` encodes. */
export interface Position {
  readonly partition: string
  readonly epoch: number
  /**
   * At most the last delivered offset + 1. It may be exactly that although no such record exists yet, or ever will:
   * offsets have gaps.
   */
  readonly nextOffset: number
  /** Offsets completed beyond `nextOffset`, in the ledger's encoding; null when there are none. */
  readonly doneAhead: Uint8Array | null
}

export interface RecordBatch {
  readonly partition: string
  readonly epoch: number
  /** In rising offset order, never empty. */
  readonly records: readonly SourceRecord[]
  /** The same records column by column, from a source that can tell without making an object for each of them. */
  readonly columns?: RecordColumns | undefined
}

/**
 * Records column by column, index by index in rising offset order. The receiver keeps the arrays and changes none but
 * `values`, which is its own; it asks for a whole record, or its key, only where somebody looks at it.
 */
export interface RecordColumns {
  /** The payloads. */
  readonly values: unknown[]
  readonly offsets: Float64Array
  readonly timestampsMs: Column
  /** Key, value and headers of each, as charged to the memory budget. */
  readonly bytes: Column
  keyAt(index: number): string | null
  recordAt(index: number): SourceRecord
}

/** A figure of each record, or the one figure that all of them share. */
export type Column = Float64Array | number

export function columnAt(column: Column, index: number): number {
  return typeof column === 'number' ? column : (column[index] as number)
}

export interface Pulled {
  readonly batches: readonly RecordBatch[]
  /** True when this source has ended for good: it will never deliver again. */
  readonly ended: boolean
}

export interface PullRequest {
  /** `records` ≥ 1. Deliver at most this many records over all batches. */
  readonly credit: Credit
  /** Partitions to leave alone in this pull; the others must still flow. */
  readonly paused: ReadonlySet<string>
  /** How long the pull may wait for a first record before it returns empty, in milliseconds. */
  readonly waitMs: number
  /** Aborted when the pull is no longer wanted; the pull then returns what it has (or nothing), and loses nothing. */
  readonly signal: AbortSignal
}

export interface PartitionBacklog {
  readonly partition: string
  /** Records in the broker beyond those delivered and those in `held()`; null when the broker cannot tell. */
  readonly records: number | null
  /** Timestamp of the oldest of them, epoch milliseconds; null when there is none or it is unknown. */
  readonly oldestTimestampMs: number | null
}

/** The processes that share what a source reads. */
export interface SourceGroup {
  /** Now, this one included; null when it cannot be told. */
  readonly members: number | null
  /** Among how many it can be shared at most: all partitions, or 1 where one member has everything; null when unknown. */
  readonly mostMembers: number | null
}

export interface SourceContext {
  /** Partitions are now ours. Must be called before any of their records is returned by `pull`. */
  onAssigned(assignments: readonly Assignment[]): void
  /**
   * Partitions are about to be taken away. Resolves when what was in flight has settled and been committed, or after
   * `graceMs`, when it is fenced. The source gives the partitions up only then.
   */
  onRevoked(partitions: readonly string[], graceMs: number): Promise<void>
  /** Partitions are already gone: nothing of them may be committed any more. */
  onLost(partitions: readonly string[]): void
  readonly log: Logger
}

export interface SourceCapabilities {
  /** How exactly `backlog` can count. */
  readonly backlog: 'exact' | 'estimated' | 'none'
  /** How many bytes of `doneAhead` a commit can carry; Infinity when unlimited, 0 when none. */
  readonly metadataBytes: number
  /** True when what was not committed is delivered again after a restart (false: standard input, say). */
  readonly replayable: boolean
}

/** Turns the raw payload into a value. Throws what `reject()` makes when the payload is not valid. */
export interface Decoder<T> {
  (raw: unknown, record: RecordInfo): T
  /**
   * True when text does as well as the UTF-8 bytes of it, and nothing of the text is kept: it may be a piece of one that
   * is much longer. A source hands out whichever is cheaper.
   */
  readonly readsText?: boolean
}

export interface Source<T = unknown> {
  readonly name: string
  readonly capabilities: SourceCapabilities
  /** Applied by the runtime as the pipeline's first stage; absent when the payload already is the value. */
  readonly decode?: Decoder<T> | undefined
  /** What it was told, for people to look at; the function `shownOptions` makes it, without what is secret. */
  readonly shownOptions?: ShownOptions | undefined
  open(context: SourceContext, signal: AbortSignal): Promise<void>
  /**
   * One pull at a time. Not being called is a safe pause of any length. While the connection is lost it rejects with
   * `HG_CONNECTION_LOST`, and is asked again after a pause: the same source reconnects by itself, is not opened anew,
   * and tells through its context what it lost meanwhile.
   */
  pull(request: PullRequest): Promise<Pulled>
  /** Taken from the broker and not yet returned by `pull`: it counts against the budget of what is in flight. */
  held(): Credit
  /**
   * Stores progress durably, all positions or none. A position behind the stored one is refused with
   * `HG_COMMIT_FAILED` and moves nothing back; the same position again is no error. A stale epoch throws `HG_FENCED`.
   */
  commit(positions: readonly Position[]): Promise<void>
  /** What waits in the broker, for each partition assigned here. Asked about once a second; may reject. */
  backlog(signal: AbortSignal): Promise<readonly PartitionBacklog[]>
  /** How many processes share what it reads, for the autoscaling signal. Asked about every five seconds; may reject. */
  group?(signal: AbortSignal): Promise<SourceGroup>
  /** Takes no more and gives back what is held; commits still work. */
  quiesce(signal: AbortSignal): Promise<void>
  /** Idempotent; ends a pull that is waiting. */
  close(signal: AbortSignal): Promise<void>
  /** Present when its progress can be stored in a transaction, together with what sinks wrote. */
  readonly transactional?: TransactionalSource | undefined
}

/** What a sink is handed: values and where each came from, index by index. */
export interface SinkBatch<T> {
  readonly values: readonly T[]
  readonly origins: readonly RecordInfo[]
}

export type WriteOutcome =
  | { readonly kind: 'written' }
  /** The record is at fault; no retry can help. */
  | { readonly kind: 'rejected'; readonly error: unknown }
  /** It did not work this time. */
  | { readonly kind: 'failed'; readonly error: unknown }

/** `'written'` when every record of the batch is durable, else one outcome a record in the batch's order. */
export type WriteResult = 'written' | readonly WriteOutcome[]

export interface SinkCapabilities {
  /** The most records one write may carry. */
  readonly maxBatchRecords: number
  /** The most writes that may be in flight at once. */
  readonly maxInFlightWrites: number
  /** True when writing a record again changes nothing. */
  readonly idempotent: boolean
  /** True when a write stores all of its records or none. */
  readonly atomic: boolean
}

export interface SinkContext {
  readonly log: Logger
}

export interface Sink<in T = never> {
  readonly name: string
  readonly capabilities: SinkCapabilities
  /** What it was told, for people to look at; the function `shownOptions` makes it, without what is secret. */
  readonly shownOptions?: ShownOptions | undefined
  open(context: SinkContext, signal: AbortSignal): Promise<void>
  /**
   * Resolves when the outcome of every record is known and durable. A rejection fails the whole batch, retryably; the
   * records may have been stored all the same. With a signal that is aborted already it stores nothing and rejects.
   */
  write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult>
  /** Idempotent. */
  close(signal: AbortSignal): Promise<void>
  /** Present when its writes can be part of a transaction that stores the progress of the sources as well. */
  readonly transactional?: TransactionalSink | undefined
}

/** Exactly-once, as seen from a source: its progress is stored by `Transactions.commit`, never by `Source.commit`. */
export interface TransactionalSource {
  /** What one transaction can span, such as the address of a cluster. Sources and sinks of one scope can share one. */
  readonly scope: string
  /** Turns positions into what the transactions of this scope understand, with what proves that they are still ours. */
  progress(positions: readonly Position[]): unknown
  /** These positions were stored in a transaction. */
  committed(positions: readonly Position[]): void
}

/** Exactly-once, as seen from a sink: who makes the transactions, and how it takes part in them. */
export interface TransactionalSink {
  readonly scope: string
  /** Makes the transactions of one run of a pipeline; nothing is opened yet. */
  transactions(options: TransactionOptions): Transactions
  /**
   * From now on, before `open` and until `close`, each write is part of the transaction that is open at that time (the
   * first begins one). Such writes keep their order however many are in flight. When one of them fails, other than by
   * rejecting records, the transaction is aborted and all of its writes are made again.
   */
  join(transactions: Transactions): void
}

export interface TransactionOptions {
  /** Names this instance of the pipeline: whoever opens transactions under the same name fences the one before. */
  readonly id: string
  /** A transaction that its owner left open is aborted by the broker after this, milliseconds. */
  readonly timeoutMs: number
}

/** Where one source stands once the transaction is committed. */
export interface SourceProgress {
  readonly source: Source
  readonly positions: readonly Position[]
}

/** Transactions of one pipeline, one at a time: the writes of all sinks that joined and the progress of all sources. */
export interface Transactions {
  /** Fences an earlier instance of the same id and ends what it left open. */
  open(context: SinkContext, signal: AbortSignal): Promise<void>
  /**
   * Commits what was written since the last end, together with the progress. Resolves when all of it is visible;
   * rejects when none of it is and none ever will be: an outcome that is unknown is found out first, however long that
   * takes. `HG_FENCED`: another instance of the same id has taken over.
   */
  commit(progress: readonly SourceProgress[], signal: AbortSignal): Promise<void>
  /** Resolves when nothing that was written since the last end can become visible any more. */
  abort(signal: AbortSignal): Promise<void>
  /** Idempotent. Aborts what is open. */
  close(signal: AbortSignal): Promise<void>
}

/** What a dead-letter sink is handed: the record as it arrived, and why it could not be completed. */
export interface DeadLetter {
  /** The payload as the source delivered it, before decoding. */
  readonly value: unknown
  readonly reason: { readonly code: string; readonly message: string }
  readonly stage: string
  readonly attempts: number
  readonly failedAtMs: number
  readonly origin: RecordInfo & { readonly source: string }
}
