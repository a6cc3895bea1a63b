/**
 * The loops of the synchronous stages: one over a chunk, for each kind. Each stage runs a copy of its own: V8 keeps
 * what it learns about a call with the text of the function that makes it, so a loop that all stages share calls
 * every handler through a table, and a copy has its one handler inlined.
 * A loop leaves in the chunk what passed and in `state` how far it came, also when the handler throws.
 */
import type { Chunk, Refs } from './chunk.ts'

export type Handler = (value: unknown, record?: unknown) => unknown

export interface LoopState {
  /** The place that comes next, or the one whose handler threw. */
  at: number
  /** How many passed. */
  kept: number
  /** What a filter turned away. */
  dropped: Refs
  /** Whether the handler could tell if it were not given the record. */
  readonly takesRecord: boolean
  /** Throws when the record at a place is to be refused unseen; null when none is. */
  check: ((chunk: Chunk, at: number) => void) | null
  /** Throws, since the handler returned what it must not. */
  readonly refuse: (result: unknown) => void
}

export type Loop = (fn: Handler, chunk: Chunk, state: LoopState) => void

let copies = 0

/**
 * A copy of a loop with nothing learnt yet; the loop itself where code may not be made from text. `loop` may use
 * nothing but its parameters.
 */
export function ownCopy(loop: Loop): Loop {
  copies += 1
  try {
    // Its text differs from that of all other copies, or V8 would hand out the same function again.
    // oxlint-disable-next-line typescript/no-implied-eval -- the text is that of our own loop
    return new Function(`return ${loop.toString()} // ${copies}`)() as Loop
  } catch {
    return loop
  }
}

export function mapLoop(fn: Handler, chunk: Chunk, state: LoopState): void {
  const { values, refs } = chunk
  const { takesRecord, check } = state
  let { at, kept } = state
  try {
    for (; at < values.length; at += 1) {
      if (check !== null) check(chunk, at)
      const result = takesRecord ? fn(values[at], chunk.recordAt(at)) : fn(values[at])
      if (result === undefined || (typeof result === 'object' && result !== null && 'then' in result))
        state.refuse(result)
      values[kept] = result
      if (kept < at) refs[kept] = refs[at]!
      kept += 1
    }
  } finally {
    state.at = at
    state.kept = kept
  }
}

export function filterLoop(fn: Handler, chunk: Chunk, state: LoopState): void {
  const { values, refs } = chunk
  const { takesRecord, dropped } = state
  let { at, kept } = state
  try {
    for (; at < values.length; at += 1) {
      const passes = takesRecord ? fn(values[at], chunk.recordAt(at)) : fn(values[at])
      if (typeof passes === 'object' && passes !== null && 'then' in passes) state.refuse(passes)
      if (passes) {
        if (kept < at) {
          values[kept] = values[at]
          refs[kept] = refs[at]!
        }
        kept += 1
      } else {
        dropped.push(refs[at]!)
      }
    }
  } finally {
    state.at = at
    state.kept = kept
  }
}

export function tapLoop(fn: Handler, chunk: Chunk, state: LoopState): void {
  const { values, refs } = chunk
  const { takesRecord, check } = state
  let { at, kept } = state
  try {
    for (; at < values.length; at += 1) {
      if (check !== null) check(chunk, at)
      const result = takesRecord ? fn(values[at], chunk.recordAt(at)) : fn(values[at])
      if (typeof result === 'object' && result !== null && 'then' in result) state.refuse(result)
      if (kept < at) {
        values[kept] = values[at]
        refs[kept] = refs[at]!
      }
      kept += 1
    }
  } finally {
    state.at = at
    state.kept = kept
  }
}

/** By the kind of stage. */
export const LOOPS = { map: mapLoop, filter: filterLoop, tap: tapLoop } as const
