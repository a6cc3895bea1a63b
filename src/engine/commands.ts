/**
 * What the engine asks of the world. The runtime performs these against real brokers and clocks, a simulation against
 * modelled ones; each answers through the engine's inputs. `Ports` is the one thing the world does at once: it runs a
 * synchronous stage between two readings of its clock.
 */
import type { Credit, Position, WriteResult } from '../model/connector.ts'
import type { SinkPlan } from '../model/plan.ts'
import type { Caller, Slot } from './slots.ts'
import type { Write } from './write.ts'

/** A stage that asks for writes, as the world sees it. */
export interface Writer {
  readonly name: string
  readonly plan: SinkPlan
  /** Starting a write of so many records kept the thread for so long. */
  ran(ms: number, records: number): void
  wrote(write: Write, nowMs: number, result: WriteResult | { readonly threw: unknown }): void
}

/** Where a source stands once the transaction is committed. */
export interface Progress {
  readonly source: number
  readonly positions: readonly Position[]
}

export type Command =
  /** Pull from a source; answer with `pulled`. */
  | { readonly kind: 'pull'; readonly source: number; readonly credit: Credit; readonly paused: ReadonlySet<string> }
  /** The pull under way leaves out a partition that may flow again: end it now, it is answered all the same. */
  | { readonly kind: 'endPull'; readonly source: number }
  /** Start the handler for each slot; answer with `settled`, and with `ran` how long the handlers kept the thread. */
  | { readonly kind: 'call'; readonly stage: Caller; readonly slots: readonly Slot[] }
  /** Abort the signal of a call that timed out or is not wanted any more. */
  | { readonly kind: 'abort'; readonly slot: Slot; readonly reason: 'timeout' | 'fenced' | 'stopped' }
  /** Write to a sink; answer with `wrote`. */
  | { readonly kind: 'write'; readonly stage: Writer; readonly write: Write }
  /** Commit to a source; answer with `committed`. */
  | { readonly kind: 'commit'; readonly source: number; readonly positions: readonly Position[] }
  /** Commit the open transaction with this progress, by source; answer with `transactionEnded`. */
  | { readonly kind: 'commitTransaction'; readonly progress: readonly Progress[] }
  /** Abort the open transaction; answer with `transactionEnded`. */
  | { readonly kind: 'abortTransaction' }
  /** A revoked partition is finished and committed, or fenced: the source may give it up. */
  | { readonly kind: 'released'; readonly source: number; readonly partition: string; readonly epoch: number }

export interface Ports {
  /** Runs `stage.apply(…)` to its end and returns the time after it, in engine ms. */
  run(work: () => void): number
  /** A synchronous stage returned this promise by mistake: its rejection must not go unhandled. */
  ignore(promise: unknown): void
}
