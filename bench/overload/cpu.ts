/**
 * What a gate costs: CPU time of one call's admit, sent and settled, with 40 servers of 50 ms behind it. The loop
 * around it is a ring of permits and is part of the figure, some ten nanoseconds. A loop of plain arithmetic beside it
 * tells a slow gate from a slow machine: where a neighbour shares the core, both take longer.
 */
import type { Gate, Outcome } from '../../src/sim/scenario.ts'

const SERVICE_MS = 50
const PER_CALL_MS = 1.25
const RING = 2048
const WARM_CALLS = 200_000
const TIMED_CALLS = 400_000
/** Of a run, and of a smoke run. */
export const ROUNDS = 80
export const FEW_ROUNDS = 4
const REFERENCE_STEPS = 4_000_000
const REFERENCE_CELLS = 4096
const SUCCESS: Outcome = { kind: 'success', status: 200 }

export interface CallCost {
  readonly nanoseconds: number
  /** What a step of the reference loop took in the same moment, in ns. */
  readonly referenceNanoseconds: number
}

/**
 * CPU time of the process, so that a busy machine does not count; the least of so many `rounds`, since a neighbour
 * on the same core slows it down for seconds.
 */
export function costOfCall(gate: Gate, rounds: number): CallCost {
  const loop = new Loop(gate)
  const reference = new Reference()
  loop.run(WARM_CALLS)
  reference.run(REFERENCE_STEPS)
  let best: CallCost = { nanoseconds: Number.POSITIVE_INFINITY, referenceNanoseconds: Number.POSITIVE_INFINITY }
  for (let round = 0; round < rounds; round += 1) {
    const nanoseconds = cpuNanoseconds(() => loop.run(TIMED_CALLS)) / TIMED_CALLS
    const referenceNanoseconds = cpuNanoseconds(() => reference.run(REFERENCE_STEPS)) / REFERENCE_STEPS
    if (nanoseconds < best.nanoseconds) best = { nanoseconds, referenceNanoseconds }
  }
  return best
}

function cpuNanoseconds(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) * 1000
}

/** Arithmetic, logarithms and memory, about as a gate uses them, and nothing of Headgate. */
class Reference {
  readonly #cells = new Float64Array(REFERENCE_CELLS)
  #noise = 1

  run(steps: number): void {
    const cells = this.#cells
    for (let step = 0; step < steps; step += 1) {
      this.#noise = next(this.#noise)
      const at = this.#noise & (REFERENCE_CELLS - 1)
      cells[at] = Math.log(2 + (cells[at] as number) + step)
    }
  }
}

/** A linear congruential generator (the constants are those of the C standard's example). */
function next(noise: number): number {
  return (Math.imul(noise, 1_103_515_245) + 12_345) & 0x7fffffff
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
      this.#noise = next(this.#noise)
      const servedMs = (this.#sentMs[this.#first] as number) + SERVICE_MS * (0.9 + (this.#noise & 1023) / 5000)
      this.#nowMs = Math.max(this.#nowMs + PER_CALL_MS, servedMs)
      gate.settled(this.#permits[this.#first], this.#nowMs, SUCCESS)
      this.#first = (this.#first + 1) & (RING - 1)
      this.#inFlight -= 1
    }
  }
}
