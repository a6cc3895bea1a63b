/**
 * How long garbage collections took since `start`. What Node tells of each one costs a busy thread more than all other
 * looks at the process: where collections come thick they are much alike, and only every fourth quarter of a second is
 * listened to, which then stands for the next three. `ProcessClock` owns one and says when a quarter of a second is over.
 */
import { constants, type PerformanceEntry, PerformanceObserver, performance } from 'node:perf_hooks'

/** More than so many in a quarter of a second come thick: each is then a small part of what they take together. */
const THICK = 4
/** Quarters of a second that one stands for, beside itself. */
const SKIPPED = 3

/** What tells of collections: Node's own, or a test's. */
export type Observer = new (
  heard: (list: { getEntries(): PerformanceEntry[] }) => void,
) => Pick<PerformanceObserver, 'observe' | 'disconnect' | 'takeRecords'>

export class Collections {
  readonly #observer: InstanceType<Observer>
  readonly #clock: { now(): number }
  #ms = 0
  /** Of the last quarter of a second that was listened to. */
  #count = 0
  #msThen = 0
  #share = 0
  /** Quarters of a second for which nobody listens. */
  #skips = 0
  #sinceMs = 0

  constructor(observer: Observer = PerformanceObserver, clock: { now(): number } = performance) {
    this.#observer = new observer((list) => this.#add(list.getEntries()))
    this.#clock = clock
  }

  get ms(): number {
    return this.#ms
  }

  start(): void {
    this.#ms = 0
    this.#skips = 0
    this.#sinceMs = this.#clock.now()
    this.#listen()
  }

  stop(): void {
    this.#observer.disconnect()
  }

  /** A quarter of a second is over, or about so much. */
  sampled(): void {
    const nowMs = this.#clock.now()
    const elapsedMs = nowMs - this.#sinceMs
    this.#sinceMs = nowMs
    if (this.#skips > 0) {
      this.#ms += elapsedMs * this.#share
      this.#skips -= 1
      if (this.#skips === 0) this.#listen()
      return
    }
    this.#add(this.#observer.takeRecords())
    if (this.#count > THICK && elapsedMs > 0) {
      this.#share = Math.min(1, (this.#ms - this.#msThen) / elapsedMs)
      this.#skips = SKIPPED
      this.#observer.disconnect()
    } else {
      this.#count = 0
      this.#msThen = this.#ms
    }
  }

  #listen(): void {
    this.#count = 0
    this.#msThen = this.#ms
    this.#observer.observe({ entryTypes: ['gc'] })
  }

  #add(entries: readonly PerformanceEntry[]): void {
    for (const entry of entries) {
      if (runsWeakCallbacks(entry)) continue
      this.#ms += entry.duration
      this.#count += 1
    }
  }
}

/** They are reported with the collection that they follow, which would then count twice. */
function runsWeakCallbacks(entry: PerformanceEntry): boolean {
  const { detail } = entry as { detail?: { kind?: number } }
  return detail?.kind === constants.NODE_PERFORMANCE_GC_WEAKCB
}
