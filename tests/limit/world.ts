/** Time that stands still until a test moves it, and the timers that are set in it. */
import type { LimitWorld } from '../../src/limit/world.ts'

interface FakeTimer {
  readonly atMs: number
  readonly ring: () => void
}

const START_MS = Date.UTC(2026, 0, 5, 12, 0, 0)

export class FakeWorld implements LimitWorld {
  /** The steady clock. */
  atMs = START_MS
  readonly timers = new Set<FakeTimer>()
  #seed = 0

  nowMs(): number {
    return this.atMs
  }

  wallMs(): number {
    return this.atMs
  }

  setTimer(delayMs: number, ring: () => void): () => void {
    const timer: FakeTimer = { atMs: this.atMs + Math.max(1, delayMs), ring }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  seed(): number {
    this.#seed += 1
    return this.#seed
  }

  /** Moves the time on, ringing what falls due, each at its time. */
  async pass(ms: number): Promise<void> {
    const endMs = this.atMs + ms
    for (;;) {
      const due = [...this.timers].filter((timer) => timer.atMs <= endMs).sort((a, b) => a.atMs - b.atMs)[0]
      if (due === undefined) break
      this.atMs = Math.max(this.atMs, due.atMs)
      this.timers.delete(due)
      due.ring()
      await settle()
    }
    this.atMs = endMs
    await settle()
  }
}

/** Lets every promise that can go on do so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}

/** A downstream in the hands of the test: every call to it stays open until the test ends it. */
export class FakeDownstream {
  /** What was called, in order. */
  readonly made: string[] = []
  readonly #open = new Map<string, { resolve: (value: unknown) => void; reject: (error: unknown) => void }>()

  /** The function to give to `limit`. */
  call(name: string): () => Promise<unknown> {
    return () =>
      new Promise((resolve, reject) => {
        this.made.push(name)
        this.#open.set(name, { resolve, reject })
      })
  }

  get open(): string[] {
    return [...this.#open.keys()]
  }

  async answer(name: string, value: unknown = name): Promise<void> {
    this.#take(name).resolve(value)
    await settle()
  }

  async fail(name: string, error: unknown): Promise<void> {
    this.#take(name).reject(error)
    await settle()
  }

  #take(name: string) {
    const open = this.#open.get(name)
    if (open === undefined) throw new Error(`'${name}' is not in flight`)
    this.#open.delete(name)
    return open
  }
}
