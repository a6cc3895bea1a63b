/**
 * What every stage of the engine is: an inlet with bounded room, and a step that does what can be done now. Items are
 * offered only where there is room, so a stage that is full holds back the one before it.
 */
import type { StageStatus } from '../model/status.ts'
import type { Chunk } from './chunk.ts'
import type { Item } from './item.ts'
import type { Place } from './place.ts'

export interface Inlet {
  /** How many items may be offered now. */
  room(): number
  /** Takes the chunk as its own. */
  offer(chunk: Chunk, nowMs: number): void
}

export interface Stage extends Inlet {
  readonly name: string
  /** Charges the time until then to what the slots are doing, for somebody who looks; a stage that changes does it by itself. */
  advance(nowMs: number): void
  /** Moves what can be moved; true when something did. */
  step(nowMs: number): boolean
  /** Says what the slots are doing now, after the last step of a loop. */
  account(nowMs: number): void
  /** Engine time at which a step may do more without any input; Infinity for none. */
  wakeMs(nowMs: number): number
  /** Takes out what waits and is not wanted any more; gives it back through `Core.finish`. */
  purge(drop: (item: Item) => boolean): void
  places(): Place[]
  statuses(nowMs: number): StageStatus[]
  /** |Σ states − slots × time| / (slots × time). */
  statesError(): number
}
