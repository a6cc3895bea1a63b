/** A downstream in a few lines for the controller's tests: servers, a queue before them, and a client with endless work. */
import type { Controller } from '../../src/control/controller.ts'
import type { AttemptOutcome } from '../../src/control/limiter.ts'
import { SeededRandom } from '../../src/control/random.ts'

const SUCCESS: AttemptOutcome = { kind: 'success' }

interface Call {
  readonly permit: unknown
  endMs: number
  outcome: AttemptOutcome
}

export class Toy {
  nowMs = 0
  servers = 20
  serviceMs = 50
  /** What a call is answered with at once, or null when it is served. */
  refuse: ((nowMs: number) => AttemptOutcome | null) | null = null
  /** Calls are given up after this time while the downstream takes none. */
  hangMs = 0
  sent = 0
  done = 0
  inFlight = 0
  readonly controller: Controller
  #calls: Call[] = []
  #freeMs: number[] = []
  readonly #random = new SeededRandom(7)

  constructor(controller: Controller) {
    this.controller = controller
  }

  /** Runs for so long; returns calls that succeeded a second. */
  run(forMs: number): number {
    const endMs = this.nowMs + forMs
    const before = this.done
    for (;;) {
      let askMs = this.#pump()
      this.#calls.sort((a, b) => a.endMs - b.endMs)
      const next = this.#calls[0]
      askMs = Math.min(askMs, endMs)
      if (next === undefined || next.endMs > askMs) {
        this.nowMs = askMs
        if (askMs >= endMs) return ((this.done - before) * 1000) / forMs
        continue
      }
      this.nowMs = next.endMs
      this.#calls.shift()
      this.inFlight -= 1
      if (next.outcome.kind === 'success') this.done += 1
      this.controller.settled(next.permit, this.nowMs, next.outcome)
    }
  }

  /** Sends what may be sent; returns when to ask again. */
  #pump(): number {
    for (;;) {
      const askMs = this.controller.admit(this.nowMs)
      if (askMs !== 0) return askMs
      this.sent += 1
      this.inFlight += 1
      const permit = this.controller.sent(this.nowMs)
      this.#calls.push({ permit, ...this.#end() })
    }
  }

  #end(): { endMs: number; outcome: AttemptOutcome } {
    if (this.hangMs > 0) return { endMs: this.nowMs + this.hangMs, outcome: { kind: 'timeout' } }
    const refusal = this.refuse?.(this.nowMs) ?? null
    if (refusal !== null) return { endMs: this.nowMs + 1, outcome: refusal }
    while (this.#freeMs.length > this.servers) this.#freeMs.sort((a, b) => a - b).shift()
    while (this.#freeMs.length < this.servers) this.#freeMs.push(this.nowMs)
    this.#freeMs.sort((a, b) => a - b)
    const startMs = Math.max(this.nowMs, this.#freeMs[0] as number)
    const endMs = startMs + this.serviceMs * (0.8 + 0.4 * this.#random.next())
    this.#freeMs[0] = endMs
    return { endMs, outcome: SUCCESS }
  }
}
