/** The time of collections, from what Node would tell of them: where they come thick a part stands for all of it. */
import { constants, type PerformanceEntry } from 'node:perf_hooks'
import { expect, test } from 'vitest'
import { Collections } from '../../src/runtime/collections.ts'

const QUARTER_MS = 250
function entry(duration: number, kind: number): PerformanceEntry {
  const told = { name: 'gc', entryType: 'gc' as const, startTime: 0, duration, detail: { kind }, toJSON: () => null }
  return told
}
const minor = (duration: number): PerformanceEntry => entry(duration, constants.NODE_PERFORMANCE_GC_MINOR)
const weak = (duration: number): PerformanceEntry => entry(duration, constants.NODE_PERFORMANCE_GC_WEAKCB)

/** A Node that tells of the collections that a test makes, by quarters of a second. */
class Node {
  listening = false
  readonly collections: Collections
  #nowMs = 0
  #tell = (_entries: PerformanceEntry[]): void => {}

  constructor() {
    const node = this
    class Observer {
      constructor(heard: (list: { getEntries(): PerformanceEntry[] }) => void) {
        node.#tell = (entries) => heard({ getEntries: () => entries })
      }
      observe(): void {
        node.listening = true
      }
      disconnect(): void {
        node.listening = false
      }
      takeRecords(): PerformanceEntry[] {
        return []
      }
    }
    this.collections = new Collections(Observer, { now: () => this.#nowMs })
    this.collections.start()
  }

  quarter(entries: PerformanceEntry[]): void {
    this.#nowMs += QUARTER_MS
    if (this.listening) this.#tell(entries)
    this.collections.sampled()
  }
}

test('each of a few collections counts, and what runs after them does not count twice', () => {
  const node = new Node()
  for (let quarters = 0; quarters < 8; quarters += 1) node.quarter([minor(3), minor(40), weak(2)])
  expect(node.collections.ms).toBe(8 * 43)
})

test('where they come thick one quarter of a second in four is listened to, and stands for the others', () => {
  const node = new Node()
  const listened: boolean[] = []
  for (let quarters = 0; quarters < 12; quarters += 1) {
    listened.push(node.listening)
    node.quarter(Array.from({ length: 10 }, () => minor(2)))
  }
  expect(listened).toEqual(Array.from({ length: 12 }, (_, at) => at % 4 === 0))
  expect(node.collections.ms).toBeCloseTo(12 * 20)
})

test('it listens all the time again once they have become few', () => {
  const node = new Node()
  node.quarter(Array.from({ length: 10 }, () => minor(2)))
  for (let quarters = 0; quarters < 3; quarters += 1) node.quarter([])
  const before = node.collections.ms
  for (let quarters = 0; quarters < 4; quarters += 1) node.quarter([minor(30)])
  expect(node.collections.ms - before).toBe(120)
})

test('it begins anew when it is started again, also in the middle of quarters of a second that are left out', () => {
  const node = new Node()
  node.quarter(Array.from({ length: 10 }, () => minor(2)))
  node.collections.stop()
  node.collections.start()
  expect(node.collections.ms).toBe(0)
  node.quarter([minor(3)])
  expect(node.collections.ms).toBe(3)
})
