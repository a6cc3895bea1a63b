/**
 * The limit that held before a fall, and when to try for it again. What took capacity away is often over in seconds,
 * and tracking alone finds its return too late where few calls are in flight: a handful of them says little of one
 * call more. So where the queue that is aimed at does not stand, a climb towards the old limit is tried soon after the
 * fall, and then at intervals that double; one that fails costs a turn or two of calls that wait longer. Called by
 * `queue-limit.ts`. Invariant: at most `MOST_TRIES` climbs for one fall, and never above what held for a while.
 */
import type { Baseline } from './baseline.ts'
import type { Measures } from './measures.ts'

const FIRST_MS = 1000
const LONGEST_MS = 16_000
/** In durations of calls: what a try has queued is over long before the next one. */
const LEAST_DURATIONS = 40
const MOST_TRIES = 6
/** Nearer to the old limit than this, tracking is as fast. */
const NEAR = 0.5
/** What was reached for a moment only is no level to come back to: of clients that share, one would take it all. */
const HELD_MS = 2000
const HELD_DURATIONS = 40
/** Less than this share of the queue that is aimed at, by the mean of calls enough to tell: none stands. */
const STANDS = 0.5
const ERRORS = 2
/** Up to eight calls a climb begins by doubling; more of them say enough with smaller steps. */
const FEW = 8
const GROWTH = 2
const GROWTH_OF_MANY = 1.5

export class Regain {
  #level = 0
  /** The mean of what was in use lately. */
  #held = 0
  #heldMs = 0
  #tries = 0
  #waitMs = FIRST_MS
  #notBeforeMs = 0
  /** Of the latency since the last try. */
  #mean = 0
  #n = 0

  /** The limit to come back to; 0 when there is none. */
  get level(): number {
    return this.#level
  }

  /** So many calls are in flight, and calls are not slower for it. */
  held(calls: number, nowMs: number, typicalMs: number): void {
    const memoryMs = Math.max(HELD_MS, HELD_DURATIONS * typicalMs)
    this.#held += (calls - this.#held) * (1 - Math.exp((this.#heldMs - nowMs) / memoryMs))
    this.#heldMs = nowMs
  }

  /** The limit falls from `limit`. A fall in steps is one from where it began. */
  fell(limit: number, nowMs: number, typicalMs: number): void {
    this.#n = 0
    const level = Math.min(limit, this.#held)
    if (level <= this.#level) return
    this.#level = level
    this.#tries = 0
    this.#waitMs = Math.max(FIRST_MS, LEAST_DURATIONS * typicalMs)
    this.#notBeforeMs = nowMs + this.#waitMs
  }

  /** After a window that found the limit full; `target`: calls to queue. True when the way up seems to be free. */
  isDue(limit: number, target: number, { window, variance }: Measures, baseline: Baseline, nowMs: number): boolean {
    if (limit >= NEAR * this.#level) {
      this.#level = 0
      return false
    }
    const rise = (STANDS * target) / limit
    const needed = (variance * ERRORS * ERRORS) / (rise * rise)
    const n = Math.min(this.#n, needed)
    this.#mean = (this.#mean * n + window.mean * window.n) / (n + window.n)
    this.#n = n + window.n
    // A baseline of few calls may be too low by chance, and a try costs less than to wait for a better one.
    const most = rise + Math.sqrt(variance / baseline.n)
    return nowMs >= this.#notBeforeMs && this.#n >= needed && this.#mean - baseline.value <= most
  }

  /** A climb begins at `limit`; the factor of its steps. */
  tried(limit: number, nowMs: number, typicalMs: number): number {
    this.#n = 0
    this.#tries += 1
    if (this.#tries === MOST_TRIES) this.#level = 0
    this.#waitMs = Math.min(2 * this.#waitMs, Math.max(LONGEST_MS, LEAST_DURATIONS * typicalMs))
    this.#notBeforeMs = nowMs + this.#waitMs
    return limit < FEW ? GROWTH : GROWTH_OF_MANY
  }
}
