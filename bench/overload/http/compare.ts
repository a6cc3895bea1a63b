/**
 * The model and a real server side by side: the same scenario, the same oracle, once with `Controller` as the client
 * in the simulation and once with Headgate's whole runtime over HTTP. Rows have the shape of the lab's.
 *
 * After an outage, goodput depends on chance above all: on when a probe, whose time is drawn, finds the downstream back.
 * Three runs and nine would differ by more than the goal in four comparisons of ten, though they were of the same
 * process. So a run over HTTP is compared with those runs of the model that found the downstream back as late as it
 * did, and how late that is has a row of its own.
 */
import { type PhaseRecord, SAMPLE_MS } from '../../../src/sim/record.ts'
import { median } from '../../harness.ts'
import { type Algorithm, HEADGATE } from '../algorithms/registry.ts'
import { measure, type PhaseScore } from '../measure.ts'
import { oracleRun } from '../oracle.ts'
import { gatesOf } from '../seeds.ts'
import { type OverloadRow, row } from '../verdict.ts'
import type { HttpRun } from './run.ts'
import { type HttpTrial, MOST_DIFFERENCE } from './scenarios.ts'

export const MODEL = 'model'
const RECOVERED = 0.9
const SPAN_MS = 500
/** The lab's goal after an outage. */
const MOST_RECOVERY_MS = 6000
/** Runs of the model that a run over HTTP is compared with after an outage. */
const ALIKE = 9

/** One run, on either side. */
export interface Figures {
  /** Successes of the judged phase ÷ the oracle's. */
  readonly goodput: number
  /** Of successful attempts, as the client sees them. */
  readonly p99Ms: number
  readonly wasted: number
  /** Sent while the downstream was down; 0 where it never is. */
  readonly outageAttempts: number
  /** From the judged phase's start until half a second carried 90 % of the oracle's mean rate. */
  readonly recoveryMs: number
  /** From the judged phase's start until the end of the first sample with a success; Infinity when there was none. */
  readonly foundMs: number
  readonly givenUp: number
}

export function figuresOfModel({ scenario, judged, outage }: HttpTrial, algorithm: Algorithm, seed: number): Figures {
  const { phases, record } = measure(scenario, seed, gatesOf(algorithm, seed))
  const { goodput, p99Ms, wasted, recoveryMs } = phases[judged] as PhaseScore
  const foundMs = foundOf(record.series.successes, record.phases[judged] as PhaseRecord)
  const outageAttempts = outage === undefined ? 0 : (phases[outage.phase] as PhaseScore).attempts
  return { goodput, p99Ms, wasted, outageAttempts, recoveryMs, foundMs, givenUp: 0 }
}

/** Goodput is what the server answered in time; how long a call took is what the client saw. */
export function figuresOfHttp({ scenario, judged, outage }: HttpTrial, run: HttpRun, seed: number): Figures {
  const { successes = 0, wastedShare = 0 } = run.phases[judged] ?? {}
  const oracle = oracleRun(scenario, seed).phases[judged] as PhaseRecord
  return {
    goodput: successes / oracle.successes,
    p99Ms: run.clientPhases[judged]?.p99Ms ?? 0,
    wasted: wastedShare,
    outageAttempts: outage === undefined ? 0 : (run.phases[outage.phase]?.attempts ?? 0),
    recoveryMs: recoveryOf(run.successes, oracle),
    foundMs: foundOf(run.successes, oracle),
    givenUp: run.givenUp,
  }
}

/** As the lab has it for scenarios of this size, see `measure.ts`. */
export function recoveryOf(successes: readonly number[], { startMs, durationMs, perSecond }: PhaseRecord): number {
  const span = SPAN_MS / SAMPLE_MS
  const wanted = (RECOVERED * perSecond * SPAN_MS) / 1000
  const first = startMs / SAMPLE_MS
  for (let end = first + span; end <= first + durationMs / SAMPLE_MS; end += 1) {
    const sum = successes.slice(end - span, end).reduce((total, count) => total + count, 0)
    if (sum >= wanted) return (end - first) * SAMPLE_MS
  }
  return Number.POSITIVE_INFINITY
}

export function foundOf(successes: readonly number[], { startMs }: PhaseRecord): number {
  const first = Math.round(startMs / SAMPLE_MS)
  const found = successes.findIndex((count, index) => index >= first && count > 0)
  return found < 0 ? Number.POSITIVE_INFINITY : (found + 1) * SAMPLE_MS - startMs
}

/** What the model makes of a downstream that is found back so late: the mean of the runs nearest to it. */
function expectedAfter(foundMs: number, model: readonly Figures[]): number {
  const off = (figures: Figures): number => Math.abs(figures.foundMs - foundMs)
  const alike = [...model].sort((a, b) => off(a) - off(b)).slice(0, ALIKE)
  return alike.reduce((sum, { goodput }) => sum + goodput, 0) / alike.length
}

/** Medians of both sides; the goal for goodput is that they differ by no more than `MOST_DIFFERENCE`. */
export function rowsOf(trial: HttpTrial, model: readonly Figures[], http: readonly Figures[]): OverloadRow[] {
  const { name } = trial.scenario
  const both = (figure: (figures: Figures) => number): Map<string, number> =>
    new Map([
      [HEADGATE, median(http.map(figure))],
      [MODEL, median(model.map(figure))],
    ])
  const goodput = both((figures) => figures.goodput)
  if (trial.outage !== undefined) {
    goodput.set(MODEL, median(http.map(({ foundMs }) => expectedAfter(foundMs, model))))
  }
  const expected = goodput.get(MODEL) as number
  const goal = trial.isGoal ? { least: expected - MOST_DIFFERENCE, most: expected + MOST_DIFFERENCE } : {}
  const ofModel = model.map((figures) => figures.goodput)
  const rows = [
    row(`${name} · goodput`, '÷ oracle', goodput, goal, {
      difference: (goodput.get(HEADGATE) as number) - expected,
      'least of the model': Math.min(...ofModel),
      'most of the model': Math.max(...ofModel),
      'given up': http.reduce((sum, figures) => sum + figures.givenUp, 0),
    }),
    row(
      `${name} · p99`,
      'ms',
      both((figures) => figures.p99Ms),
      {},
    ),
    row(
      `${name} · waste`,
      'share of attempts',
      both((figures) => figures.wasted),
      {},
    ),
  ]
  if (trial.outage !== undefined) {
    const attempts = both((figures) => figures.outageAttempts)
    rows.push(row(`${name} · attempts in the outage`, 'attempts', attempts, { most: trial.outage.mostAttempts }))
    const recovery = both((figures) => figures.recoveryMs)
    rows.push(row(`${name} · recovery`, 'ms', recovery, { most: MOST_RECOVERY_MS }))
    const latest = (runs: readonly Figures[]): number => Math.max(...runs.map(({ foundMs }) => foundMs))
    const found = new Map([
      [HEADGATE, latest(http)],
      [MODEL, latest(model)],
    ])
    rows.push(row(`${name} · found back, latest run`, 'ms', found, { most: latest(model) + SAMPLE_MS }))
  }
  return rows
}
