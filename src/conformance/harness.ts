/**
 * What a connector's author tells the suite: how to make a fresh world (a topic, a table, a directory) and which
 * faults that world can play. Every optional function is an ability; a rule that needs a missing one is skipped and
 * says so. Nothing else can skip a rule.
 */
import type { Sink, SinkCapabilities, Source, SourceCapabilities } from '../model/connector.ts'

/** One fresh place to read from. Harnesses extend it with what their faults need. */
export interface SourceWorld {
  /** Names of the partitions, as the source reports them. */
  readonly partitions: readonly string[]
  /**
   * A source of the world's consumer group that is not open. Called again after the first one was closed it stands
   * for the restarted process, so it must read the same stored progress.
   */
  source(): Source
  /**
   * Appends `count` records to a partition, each with a payload of at least `bytes` bytes (default 10). Only called
   * before the first source is opened, so that sources over finite data can take part.
   */
  append(partition: string, count: number, bytes?: number): Promise<void>
  destroy(): Promise<void>
}

export interface SourceHarness<W extends SourceWorld = SourceWorld> {
  /** What the source's `capabilities` are; the suite checks that they agree. */
  readonly capabilities: SourceCapabilities
  /** The most partitions a world can have; at least 1. */
  readonly maxPartitions: number
  /** How long the broker waits for a sign of life, in milliseconds; null when it has no sessions. */
  readonly sessionMs: number | null
  /** How long a correct source may take to do what a rule expects, in milliseconds; default 5,000. */
  readonly patienceMs?: number
  create(options: { readonly partitions: number }): Promise<W>

  /** How many uncommitted records the broker has handed to the source: returned by `pull`, or held. */
  handedOut?(world: W): Promise<number>
  /** Makes the broker take partitions back politely; resolves when it has them. */
  revoke?(world: W, partitions: readonly string[]): Promise<void>
  /** Makes the broker take partitions away at once, as an expired session does. */
  lose?(world: W, partitions: readonly string[]): Promise<void>
  /** Gives partitions that were revoked or lost back to the same source. */
  assign?(world: W, partitions: readonly string[]): Promise<void>
  /** Cuts the connection, until `reconnect`. */
  disconnect?(world: W): Promise<void>
  reconnect?(world: W): Promise<void>
}

/** One fresh place to write to. */
export interface SinkWorld {
  /** A sink that is not open. */
  sink(): Sink<unknown>
  /** The value number `index`; `stored` must be able to recognise it. */
  value(index: number): unknown
  /** Numbers of the values that a reader finds at this moment, in the order in which they are stored. */
  stored(): Promise<readonly number[]>
  destroy(): Promise<void>
}

export interface SinkHarness<W extends SinkWorld = SinkWorld> {
  /** What the sink's `capabilities` are; the suite checks that they agree. */
  readonly capabilities: SinkCapabilities
  /** How long a correct sink may take to do what a rule expects, in milliseconds; default 5,000. */
  readonly patienceMs?: number
  create(): Promise<W>

  /** Makes the downstream refuse these values, each on its own account, for good. */
  refuse?(world: W, indexes: readonly number[]): Promise<void>
  /** Makes the downstream say that it is overloaded, for good. */
  overload?(world: W): Promise<void>
  /** Makes the downstream answer no write any more. */
  stall?(world: W): Promise<void>
}
