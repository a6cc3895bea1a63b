/** The time of collections, from what Node would tell of them: where they come thick a part stands for all of it. */
import { constants } from 'node:perf_hooks'
import { beforeEach, expect, test, vi } from 'vitest'
import { Collections } from '../../src/runtime/collections.ts'

const { node } = vi.hoisted(() => ({ node: { nowMs: 0, listening: false, tell: (_entries: object[]): void => {} } }))

vi.mock('node:perf_hooks', async (original) => ({
  ...(await original<typeof import('node:perf_hooks')>()),
  performance: { now: () => node.nowMs },
  PerformanceObserver: class {
    constructor(heard: (list: { getEntries(): object[] }) => void) {
      node.tell = (entries) => node.listening && heard({ getEntries: () => entries })
    }
    observe(): void {
      node.listening = true
    }
    disconnect(): void {
      node.listening = false
    }
    takeRecords(): object[] {
      return []
    }
  },
}))

const QUARTER_MS = 250
const minor = (duration: number): object => ({ duration, detail: { kind: constants.NODE_PERFORMANCE_GC_MINOR } })
const weak = (duration: number): object => ({ duration, detail: { kind: constants.NODE_PERFORMANCE_GC_WEAKCB } })

function quarter(collections: Collections, entries: object[]): void {
  node.nowMs += QUARTER_MS
  node.tell(entries)
  collections.sampled()
}

beforeEach(() => {
  node.listening = false
})

test('each of a few collections counts, and what runs after them does not count twice', () => {
  const collections = new Collections()
  collections.start()
  for (let quarters = 0; quarters < 8; quarters += 1) quarter(collections, [minor(3), minor(40), weak(2)])
  expect(collections.ms).toBe(8 * 43)
})

test('where they come thick one quarter of a second in four is listened to, and stands for the others', () => {
  const collections = new Collections()
  collections.start()
  const listened: boolean[] = []
  for (let quarters = 0; quarters < 12; quarters += 1) {
    listened.push(node.listening)
    quarter(
      collections,
      Array.from({ length: 10 }, () => minor(2)),
    )
  }
  expect(listened).toEqual(Array.from({ length: 12 }, (_, at) => at % 4 === 0))
  expect(collections.ms).toBeCloseTo(12 * 20)
})

test('it listens all the time again once they have become few', () => {
  const collections = new Collections()
  collections.start()
  quarter(
    collections,
    Array.from({ length: 10 }, () => minor(2)),
  )
  for (let quarters = 0; quarters < 3; quarters += 1) quarter(collections, [])
  const before = collections.ms
  for (let quarters = 0; quarters < 4; quarters += 1) quarter(collections, [minor(30)])
  expect(collections.ms - before).toBe(120)
})
