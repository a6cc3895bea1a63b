/** Where a client's records come from: a backlog without end, or arrivals at random with a rate that may alternate. */
import type { SeededRandom } from '../control/random.ts'
import { NumberRing } from './ring.ts'
import type { SourceSpec } from './scenario.ts'
import { unitExponential } from './service-time.ts'

export class Source {
  readonly endless: boolean
  /** Arrival times of the records that wait; a record that failed comes back to the front with its own. */
  readonly #waiting = new NumberRing()
  readonly #spec: SourceSpec
  readonly #share: number
  readonly #random: SeededRandom

  /** `share`: of all records that this client gets. */
  constructor(spec: SourceSpec, share: number, random: SeededRandom) {
    this.#spec = spec
    this.#share = share
    this.#random = random
    this.endless = spec.kind === 'endless'
  }

  get isEmpty(): boolean {
    return !this.endless && this.#waiting.size === 0
  }

  get waiting(): number {
    return this.endless ? Number.POSITIVE_INFINITY : this.#waiting.size
  }

  /** When the record arrived, which is now if the backlog has no end. */
  take(nowMs: number): number {
    return this.endless ? nowMs : this.#waiting.shift()
  }

  arrive(nowMs: number): void {
    this.#waiting.push(nowMs)
  }

  giveBack(recordMs: number): void {
    if (!this.endless) this.#waiting.unshift(recordMs)
  }

  /** When the next record arrives, or Infinity. */
  nextMs(nowMs: number): number {
    const spec = this.#spec
    if (spec.kind === 'endless') return Number.POSITIVE_INFINITY
    let left = unitExponential(this.#random)
    if (spec.kind === 'poisson') return nowMs + (left * 1000) / (spec.perSecond * this.#share)
    // A Poisson process of varying rate: an exponential share of its integral lies between two arrivals.
    const cycleMs = spec.highMs + spec.lowMs
    let atMs = nowMs
    for (;;) {
      const inCycleMs = atMs % cycleMs
      const high = inCycleMs < spec.highMs
      const perMs = ((high ? spec.highPerSecond : spec.lowPerSecond) * this.#share) / 1000
      const endMs = atMs - inCycleMs + (high ? spec.highMs : cycleMs)
      if (left <= perMs * (endMs - atMs)) return atMs + left / perMs
      left -= perMs * (endMs - atMs)
      atMs = endMs
    }
  }
}
