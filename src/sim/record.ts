/**
 * What a run wrote down: counts and latencies of each phase, and every 100 ms where things stood. An answer counts for
 * the phase in which it reaches its client, an attempt for the one in which it was sent.
 */
import { LatencyHistogram } from './latency.ts'
import type { Outcome } from './scenario.ts'

export const SAMPLE_MS = 100

export class PhaseRecord {
  readonly name: string
  readonly startMs: number
  readonly durationMs: number
  attempts = 0
  successes = 0
  throttled = 0
  unavailable = 0
  timeouts = 0
  failed = 0
  /** Of successful attempts, send to answer. */
  readonly latency = new LatencyHistogram()
  /** Of records, arrival to success. */
  readonly endToEnd = new LatencyHistogram()
  readonly successesByClient: Float64Array

  constructor(name: string, startMs: number, durationMs: number, clients: number) {
    this.name = name
    this.startMs = startMs
    this.durationMs = durationMs
    this.successesByClient = new Float64Array(clients)
  }

  get perSecond(): number {
    return (this.successes * 1000) / this.durationMs
  }

  get wasted(): number {
    return this.throttled + this.unavailable + this.timeouts + this.failed
  }

  /** Share of the attempts that ended in this phase and did not succeed. */
  get wastedShare(): number {
    const ended = this.successes + this.wasted
    return ended === 0 ? 0 : this.wasted / ended
  }

  ended(outcome: Outcome): void {
    if (outcome.kind === 'overloaded') {
      if (outcome.status === 429) this.throttled += 1
      else this.unavailable += 1
    } else if (outcome.kind === 'timeout') this.timeouts += 1
    else this.failed += 1
  }
}

/** One entry a sample; what happened is what happened since the one before. All clients together. */
export interface Series {
  readonly successes: number[]
  readonly latencySumMs: number[]
  readonly wasted: number[]
  readonly inFlight: number[]
  readonly limit: number[]
}

export class RunRecord {
  readonly phases: PhaseRecord[] = []
  readonly series: Series = { successes: [], latencySumMs: [], wasted: [], inFlight: [], limit: [] }
  /** Events that the run took. */
  events = 0
  #successes = 0
  #latencySumMs = 0
  #wasted = 0

  get phase(): PhaseRecord {
    return this.phases[this.phases.length - 1] as PhaseRecord
  }

  success(client: number, latencyMs: number, endToEndMs: number): void {
    const { phase } = this
    phase.successes += 1
    phase.successesByClient[client] = (phase.successesByClient[client] as number) + 1
    phase.latency.record(latencyMs)
    phase.endToEnd.record(endToEndMs)
    this.#successes += 1
    this.#latencySumMs += latencyMs
  }

  waste(outcome: Outcome): void {
    this.phase.ended(outcome)
    this.#wasted += 1
  }

  sample(inFlight: number, limit: number): void {
    const { series } = this
    series.successes.push(this.#successes)
    series.latencySumMs.push(this.#latencySumMs)
    series.wasted.push(this.#wasted)
    series.inFlight.push(inFlight)
    series.limit.push(limit)
    this.#successes = 0
    this.#latencySumMs = 0
    this.#wasted = 0
  }
}
