/**
 * What the engine asks of the world. The runtime performs these against real brokers and clocks, a simulation against
 * modelled ones; each answers through the engine's inputs. `Ports` is the one thing the world does at once: it runs a
 * synchronous stage between two readings of its clock.
 */
import type { Credit, Position } from '../model/connector.ts'
import type { CallStage } from './call.ts'
import type { SinkStage, Write } from './sink.ts'
import type { Slot } from './slots.ts'

export type Command =
  /** Pull from a source; answer with `pulled`. */
  | { readonly kind: 'pull'; readonly source: number; readonly credit: Credit; readonly paused: ReadonlySet<string> }
  /** Start the handler for each slot; answer with `settled`, and with `ran` how long the handlers kept the thread. */
  | { readonly kind: 'call'; readonly stage: CallStage; readonly slots: readonly Slot[] }
  /** Abort the signal of a call that timed out or is not wanted any more. */
  | { readonly kind: 'abort'; readonly slot: Slot; readonly reason: 'timeout' | 'fenced' | 'stopped' }
  /** Write to a sink; answer with `wrote`. */
  | { readonly kind: 'write'; readonly stage: SinkStage; readonly write: Write }
  /** Commit to a source; answer with `committed`. */
  | { readonly kind: 'commit'; readonly source: number; readonly positions: readonly Position[] }
  /** A revoked partition is finished and committed, or fenced: the source may give it up. */
  | { readonly kind: 'released'; readonly source: number; readonly partition: string; readonly epoch: number }

export interface Ports {
  /** Runs `stage.apply(…)` to its end and returns the time after it, in engine ms. */
  run(work: () => void): number
}
