/** The loops of the synchronous stages, as they stand and as the copies that stages run. */
import { describe, expect, test } from 'vitest'
import { Chunk } from '../../src/engine/chunk.ts'
import { type Handler, LOOPS, type Loop, type LoopState, mapLoop, ownCopy } from '../../src/engine/sync-loops.ts'
import { newItem, newPartition } from './items.ts'

function chunkOf(length: number): Chunk {
  const partition = newPartition()
  return Chunk.ofItems(Array.from({ length }, (_, at) => newItem(partition, at)))
}

function stateOf(refuse: (result: unknown) => void, takesRecord = false): LoopState {
  return { at: 0, kept: 0, dropped: [], takesRecord, check: null, refuse }
}

const refuses = (): never => {
  throw new Error('refused')
}

/** Runs a loop to its end, over what throws; returns what passed and the places that threw. */
function runOver(loop: Loop, fn: Handler, chunk: Chunk, state: LoopState): { values: unknown[]; threw: number[] } {
  const threw: number[] = []
  while (state.at < chunk.length) {
    try {
      loop(fn, chunk, state)
    } catch {
      threw.push(state.at)
      state.at += 1
    }
  }
  return { values: chunk.values.slice(0, state.kept), threw }
}

describe.each(
  Object.entries(LOOPS).flatMap(([kind, loop]) => [[kind, loop] as const, [`own ${kind}`, ownCopy(loop)] as const]),
)('the loop of %s', (name, loop) => {
  const fn: Handler = (value) => {
    if (value === 3) throw new Error('three')
    return name.endsWith('filter') ? (value as number) % 2 === 0 : (value as number) * 10
  }

  test('leaves what passed, in order, beside the item it belongs to, and goes on after one that threw', () => {
    const chunk = chunkOf(8)
    const items = [...chunk.refs]
    const state = stateOf(refuses)
    const { values, threw } = runOver(loop, fn, chunk, state)
    const passed = name.endsWith('filter') ? [0, 2, 4, 6] : [0, 1, 2, 4, 5, 6, 7]
    expect(threw).toEqual([3])
    expect(values).toEqual(name.endsWith('map') ? passed.map((at) => at * 10) : passed)
    expect(chunk.refs.slice(0, state.kept)).toEqual(passed.map((at) => items[at]))
    expect(state.dropped).toEqual(name.endsWith('filter') ? [1, 5, 7].map((at) => items[at]) : [])
  })

  test('gives the handler its record only where it can tell', () => {
    const seen: unknown[][] = []
    const spy: Handler = (...args) => {
      seen.push(args)
      return true
    }
    loop(spy, chunkOf(1), stateOf(refuses))
    loop(spy, chunkOf(1), stateOf(refuses, true))
    expect(seen.map((args) => args.length)).toEqual([1, 2])
    expect(seen[1]?.[1]).toMatchObject({ offset: 0 })
  })

  test('shows a promise to the stage, which refuses it', () => {
    const { values, threw } = runOver(loop, async () => true, chunkOf(2), stateOf(refuses))
    expect(values).toEqual([])
    expect(threw).toEqual([0, 1])
  })
})

test('a copy is a function of its own each time, and the loop itself where code may not be made from text', () => {
  expect(ownCopy(mapLoop)).not.toBe(ownCopy(mapLoop))
  const { Function: original } = globalThis
  globalThis.Function = (() => {
    throw new EvalError('Code generation from strings disallowed for this context')
  }) as never
  try {
    expect(ownCopy(mapLoop)).toBe(mapLoop)
  } finally {
    globalThis.Function = original
  }
})
