/**
 * The gradient of long to short round trips: `Gradient2Limit` of Netflix's concurrency-limits (Java, Apache-2.0,
 * github.com/Netflix/concurrency-limits) in its window of a second, with its constants. It does not look at drops.
 */
import { clampLimit } from './limited.ts'
import { Windowed } from './windowed.ts'

const INITIAL = 20
const QUEUE = 4
const SMOOTHING = 0.2
const TOLERANCE = 1.5
const LONG_WINDOW = 600
const WARM_UP_SAMPLES = 10

export class Gradient2 extends Windowed {
  #samples = 0
  #sumMs = 0
  #longMs = 0

  constructor() {
    super(INITIAL)
  }

  protected update(shortMs: number, inFlight: number): void {
    if (this.#samples < WARM_UP_SAMPLES) {
      this.#samples += 1
      this.#sumMs += shortMs
      this.#longMs = this.#sumMs / this.#samples
    } else {
      this.#longMs += (2 / (LONG_WINDOW + 1)) * (shortMs - this.#longMs)
    }
    const longMs = this.#longMs
    // Latency came back to normal: the long average follows faster than by itself.
    if (longMs / shortMs > 2) this.#longMs *= 0.95
    if (inFlight < this.limit / 2) return
    const gradient = Math.max(0.5, Math.min(1, (TOLERANCE * longMs) / shortMs))
    const wanted = this.limit * gradient + QUEUE
    this.limit = clampLimit(this.limit * (1 - SMOOTHING) + wanted * SMOOTHING)
  }
}
