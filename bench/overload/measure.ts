/**
 * One run of a scenario by an algorithm, phase by phase beside the oracle's run with the same seed.
 *
 * Goodput and p99 are of the whole phase, settling-in included; p99 is of successful attempts, because those that did
 * not succeed are in the wasted share. Recovery is the end of the first span that carries 90 % of the oracle's mean
 * rate in this phase; a span is half a second, or as long as the oracle takes for 30 calls where that is longer.
 */
import { type PhaseRecord, type RunRecord, SAMPLE_MS } from '../../src/sim/record.ts'
import { type MakeGate, simulate } from '../../src/sim/run.ts'
import type { Scenario } from '../../src/sim/scenario.ts'
import { oracleRun, settingsOf } from './oracle.ts'

export interface PhaseScore {
  readonly name: string
  /** ÷ oracle; NaN where the oracle had no success. */
  readonly goodput: number
  readonly p99: number
  readonly endToEnd: number
  readonly wasted: number
  /** From the phase's start; Infinity when it was not reached. */
  readonly recoveryMs: number
  readonly shedMs: number
  readonly jain: number
  readonly attempts: number
  readonly perSecond: number
  readonly p99Ms: number
}

export interface Score {
  readonly phases: readonly PhaseScore[]
  readonly record: RunRecord
}

const RECOVERED = 0.9
const SHED = 1.5
const LEAST_SPAN_MS = 500
const SPAN_CALLS = 30

/** `makeGate` is told the seed as well, for algorithms that draw. */
export function measure(scenario: Scenario, seed: number, makeGate: MakeGate): Score {
  const oracle = oracleRun(scenario, seed)
  const limits = settingsOf(scenario)
  const record = simulate(scenario, seed, makeGate)
  const phases = record.phases.map((phase, index) =>
    scorePhase(phase, record, oracle.phases[index] as PhaseRecord, limits[index]?.limit ?? 0),
  )
  return { phases, record }
}

function scorePhase(phase: PhaseRecord, run: RunRecord, oracle: PhaseRecord, oracleLimit: number): PhaseScore {
  return {
    name: phase.name,
    goodput: oracle.successes === 0 ? Number.NaN : phase.successes / oracle.successes,
    p99: phase.latency.quantile(0.99) / oracle.latency.quantile(0.99),
    endToEnd: phase.endToEnd.quantile(0.99) / oracle.endToEnd.quantile(0.99),
    wasted: phase.wastedShare,
    recoveryMs: recoveryMs(phase, run, oracle.perSecond * RECOVERED, oracle.perSecond),
    shedMs: shedMs(phase, run, oracleLimit * SHED),
    jain: jain(phase.successesByClient),
    attempts: phase.attempts,
    perSecond: phase.perSecond,
    p99Ms: phase.latency.quantile(0.99),
  }
}

function recoveryMs(phase: PhaseRecord, run: RunRecord, wanted: number, oraclePerSecond: number): number {
  const { successes } = run.series
  const spanMs = Math.max(LEAST_SPAN_MS, (SPAN_CALLS * 1000) / oraclePerSecond)
  const span = Math.ceil(spanMs / SAMPLE_MS)
  const first = Math.round(phase.startMs / SAMPLE_MS)
  const end = Math.min(successes.length, Math.round((phase.startMs + phase.durationMs) / SAMPLE_MS))
  let sum = 0
  for (let index = first; index < end; index += 1) {
    sum += successes[index] as number
    if (index - first >= span) sum -= successes[index - span] as number
    if (index - first >= span - 1 && (sum * 1000) / (span * SAMPLE_MS) >= wanted) {
      return (index + 1 - first) * SAMPLE_MS
    }
  }
  return Number.POSITIVE_INFINITY
}

function shedMs(phase: PhaseRecord, run: RunRecord, most: number): number {
  const { inFlight } = run.series
  const first = Math.round(phase.startMs / SAMPLE_MS)
  const end = Math.min(inFlight.length, Math.round((phase.startMs + phase.durationMs) / SAMPLE_MS))
  for (let index = first; index < end; index += 1) {
    if ((inFlight[index] as number) <= most) return (index - first) * SAMPLE_MS
  }
  return Number.POSITIVE_INFINITY
}

/** (Σx)² ÷ (n·Σx²): 1 when all have the same, 1/n when one has everything. */
export function jain(shares: Float64Array): number {
  let sum = 0
  let squares = 0
  for (const share of shares) {
    sum += share
    squares += share * share
  }
  return squares === 0 ? 1 : (sum * sum) / (shares.length * squares)
}
