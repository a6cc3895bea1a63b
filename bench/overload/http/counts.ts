/** What the server and the clients tell about a run, as JSON: the counts of each phase, and how late their own process was. */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { PhaseRecord } from '../../../src/sim/record.ts'

export interface PhaseCounts {
  readonly name: string
  readonly durationMs: number
  readonly attempts: number
  readonly successes: number
  readonly throttled: number
  readonly unavailable: number
  /** Given up by the client. */
  readonly timeouts: number
  readonly failed: number
  readonly wastedShare: number
  /** Of successful attempts; 0 where there was none. */
  readonly p99Ms: number
}

export interface ServerCounts {
  readonly isOver: boolean
  readonly phases: readonly PhaseCounts[]
  /** Of each `SAMPLE_MS` since the first phase began. */
  readonly successes: readonly number[]
  /** Calls that hold a server or wait for one now. */
  readonly inside: number
  readonly loopDelayP99Ms: number
}

export interface ClientCounts {
  readonly phases: readonly PhaseCounts[]
  /** Records that reached the sink. */
  readonly written: number
  /** Records that were given up for good. */
  readonly givenUp: number
  /** Connections and time-outs apart, what went wrong; empty when nothing did. */
  readonly error: string
  readonly loopDelayP99Ms: number
}

export function countsOf(record: PhaseRecord): PhaseCounts {
  const { name, durationMs, attempts, successes, throttled, unavailable, timeouts, failed, wastedShare } = record
  const p99Ms = successes === 0 ? 0 : record.latency.quantile(0.99)
  return { name, durationMs, attempts, successes, throttled, unavailable, timeouts, failed, wastedShare, p99Ms }
}

/** How late the turns of this process's event loop are; asked at the end. */
export function watchLoop(): () => number {
  const delay = monitorEventLoopDelay({ resolution: 5 })
  delay.enable()
  return () => Number((delay.percentile(99) / 1e6).toFixed(1))
}
