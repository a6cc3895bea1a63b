/**
 * What a gate costs: CPU time of one call's admit, sent and settled, with 40 servers of 50 ms behind it. The loop
 * around it is a ring of permits and is part of the figure, some ten nanoseconds.
 */
import type { Gate, Outcome } from '../../src/sim/scenario.ts'

const SERVICE_MS = 50
const PER_CALL_MS = 1.25
const RING = 2048
const WARM_CALLS = 200_000
const TIMED_CALLS = 400_000
const ROUNDS = 20
const SUCCESS: Outcome = { kind: 'success', status: 200 }

/**
 * CPU time of the process, so that a busy machine does not count; the least of many rounds, since a neighbour on the
 * same core slows it down for seconds.
 */
export function nanosecondsPerCall(gate: Gate): number {
  const loop = new Loop(gate)
  loop.run(WARM_CALLS)
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round += 1) {
    const before = process.cpuUsage()
    loop.run(TIMED_CALLS)
    const { user, system } = process.cpuUsage(before)
    best = Math.min(best, ((user + system) * 1000) / TIMED_CALLS)
  }
  return best
}

class Loop {
  readonly #gate: Gate
  readonly #permits: unknown[] = new Array(RING).fill(null)
  readonly #sentMs = new Float64Array(RING)
  #first = 0
  #inFlight = 0
  #nowMs = 0
  #noise = 1

  constructor(gate: Gate) {
    this.#gate = gate
  }

  run(calls: number): void {
    const gate = this.#gate
    for (let done = 0; done < calls; done += 1) {
      while (this.#inFlight < RING - 1 && gate.admit(this.#nowMs) === 0) {
        const at = (this.#first + this.#inFlight) & (RING - 1)
        this.#permits[at] = gate.sent(this.#nowMs)
        this.#sentMs[at] = this.#nowMs
        this.#inFlight += 1
      }
      if (this.#inFlight === 0) {
        this.#nowMs += PER_CALL_MS
        continue
      }
      this.#noise = (Math.imul(this.#noise, 1_103_515_245) + 12_345) & 0x7fffffff
      const servedMs = (this.#sentMs[this.#first] as number) + SERVICE_MS * (0.9 + (this.#noise & 1023) / 5000)
      this.#nowMs = Math.max(this.#nowMs + PER_CALL_MS, servedMs)
      gate.settled(this.#permits[this.#first], this.#nowMs, SUCCESS)
      this.#first = (this.#first + 1) & (RING - 1)
      this.#inFlight -= 1
    }
  }
}
