/** What a call stage starts next. */
import { expect, test } from 'vitest'
import { batch, callPlan, Hand, planOf, sinkPlan } from './hand.ts'

test('a record that waited for its key starts before those that came after it', () => {
  const call = callPlan({ order: 'key', concurrency: { kind: 'fixed', limit: 2 } })
  const hand = new Hand(planOf({ stages: [call], end: sinkPlan() }))
  hand.pulled(batch('p', 1, [[0, 'often'], [1, 'a'], [2, 'b'], [3, 'often'], [4, 'c'], [5, 'often'], [6, 'd']])) // biome-ignore format: one row
  const started: unknown[] = []
  while (hand.has('call')) {
    const next = hand.take('call')
    const values = next.slots.map(({ item }) => item?.value)
    started.push(...values)
    for (const slot of values.keys()) hand.settle(next, slot)
  }
  expect(started).toEqual([0, 1, 2, 3, 4, 5, 6])
})
