/** The way between client and downstream: half the round trip in each direction, constant or a random walk. */
import type { SeededRandom } from '../control/random.ts'
import type { NetworkSpec } from './scenario.ts'

export class Network {
  oneWayMs = 0
  #spec: NetworkSpec = { rttMs: 0 }
  readonly #random: SeededRandom

  constructor(random: SeededRandom) {
    this.#random = random
  }

  change(spec: NetworkSpec): void {
    this.#spec = spec
    this.oneWayMs = spec.rttMs / 2
  }

  /** One step of the walk, reflected at its bounds; the time until the next one, or Infinity. */
  step(): number {
    const { walk } = this.#spec
    if (walk === undefined) return Number.POSITIVE_INFINITY
    let rttMs = this.oneWayMs * 2 + (this.#random.next() * 2 - 1) * walk.stepMs
    if (rttMs < walk.minMs) rttMs = 2 * walk.minMs - rttMs
    if (rttMs > walk.maxMs) rttMs = 2 * walk.maxMs - rttMs
    this.oneWayMs = rttMs / 2
    return walk.everyMs
  }
}
