/**
 * The client's own count of its attempts by phase. A phase begins so many ms after the server's first, on the client's
 * clock, which is a few ms off at most; the server's counts are the ones that are judged.
 */
import { PhaseRecord } from '../../../src/sim/record.ts'
import type { Outcome } from '../../../src/sim/scenario.ts'
import { countsOf, type PhaseCounts } from './counts.ts'

export interface Span {
  readonly name: string
  readonly durationMs: number
}

export class Attempts {
  readonly #phases: PhaseRecord[] = []
  /** What comes after the end, such as calls that are aborted by it, counts for nothing. */
  readonly #over = new PhaseRecord('over', 0, 0, 1)
  readonly #beganMs: number

  constructor(spans: readonly Span[], beganMs: number) {
    this.#beganMs = beganMs
    let startMs = 0
    for (const { name, durationMs } of spans) {
      this.#phases.push(new PhaseRecord(name, startMs, durationMs, 1))
      startMs += durationMs
    }
  }

  /** Counts what `send` comes to, and gives it back. */
  async count<T>(send: () => Promise<T>, outcomeOf: (thrown: unknown) => Outcome): Promise<T> {
    const sentMs = performance.now()
    this.#at(sentMs).attempts += 1
    try {
      const answer = await send()
      const nowMs = performance.now()
      const phase = this.#at(nowMs)
      phase.successes += 1
      phase.latency.record(nowMs - sentMs)
      return answer
    } catch (thrown) {
      this.#at(performance.now()).ended(outcomeOf(thrown))
      throw thrown
    }
  }

  counts(): PhaseCounts[] {
    return this.#phases.map(countsOf)
  }

  #at(nowMs: number): PhaseRecord {
    const sinceMs = nowMs - this.#beganMs
    return this.#phases.find(({ startMs, durationMs }) => sinceMs < startMs + durationMs) ?? this.#over
  }
}
