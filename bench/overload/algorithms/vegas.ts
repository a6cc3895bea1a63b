/**
 * TCP Vegas for calls: `VegasLimit` of Netflix's concurrency-limits (Java, Apache-2.0,
 * github.com/Netflix/concurrency-limits) in its window of a second, with its constants. The queue is estimated from
 * the least round trip seen, which is forgotten every 15 to 30 × limit windows.
 */
import { SeededRandom } from '../../../src/control/random.ts'
import { clampLimit } from './limited.ts'
import { Windowed } from './windowed.ts'

const INITIAL = 20
const PROBE_MULTIPLIER = 30

export class Vegas extends Windowed {
  readonly #random: SeededRandom
  #leastRttMs = 0
  #windows = 0
  #jitter: number

  constructor(seed: number) {
    super(INITIAL)
    this.#random = new SeededRandom(seed)
    this.#jitter = this.#drawJitter()
  }

  protected update(rttMs: number, inFlight: number, dropped: boolean): void {
    this.#windows += 1
    if (this.#jitter * PROBE_MULTIPLIER * this.limit <= this.#windows) {
      this.#jitter = this.#drawJitter()
      this.#windows = 0
      this.#leastRttMs = rttMs
      return
    }
    if (this.#leastRttMs === 0 || rttMs < this.#leastRttMs) {
      this.#leastRttMs = rttMs
      return
    }
    const queue = Math.ceil(this.limit * (1 - this.#leastRttMs / rttMs))
    const step = log10Step(this.limit)
    if (dropped) this.limit -= step
    else if (inFlight * 2 < this.limit) return
    else if (queue <= step) this.limit += 6 * step
    else if (queue < 3 * step) this.limit += step
    else if (queue > 6 * step) this.limit -= step
    this.limit = clampLimit(this.limit)
  }

  #drawJitter(): number {
    return 0.5 + this.#random.next() / 2
  }
}

function log10Step(limit: number): number {
  return Math.max(1, Math.floor(Math.log10(Math.floor(limit))))
}
