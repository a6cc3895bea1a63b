/** A fixed limit: what `concurrency: 1000` in a configuration file does. */
import type { Gate } from '../../../src/sim/scenario.ts'

export class Fixed implements Gate {
  readonly #limit: number
  #inFlight = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  admit(): number {
    return this.#inFlight < this.#limit ? 0 : Number.POSITIVE_INFINITY
  }

  sent(): unknown {
    this.#inFlight += 1
    return null
  }

  settled(): void {
    this.#inFlight -= 1
  }

  snapshot(): { readonly limit: number } {
    return { limit: this.#limit }
  }
}
