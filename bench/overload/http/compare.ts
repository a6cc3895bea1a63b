/**
 * The model and a real server side by side: the same scenario, the same oracle, once with `Controller` as the client
 * in the simulation and once with Headgate's whole runtime over HTTP. Rows have the shape of the lab's.
 */
import { median } from '../../harness.ts'
import { type Algorithm, HEADGATE } from '../algorithms/registry.ts'
import { measure, type PhaseScore } from '../measure.ts'
import { oracleRun } from '../oracle.ts'
import { gatesOf } from '../seeds.ts'
import { type OverloadRow, row } from '../verdict.ts'
import type { HttpRun } from './run.ts'
import { type HttpTrial, MOST_DIFFERENCE } from './scenarios.ts'

export const MODEL = 'model'

/** One run, on either side. */
export interface Figures {
  /** Successes of the judged phase ÷ the oracle's. */
  readonly goodput: number
  /** Of successful attempts, as the client sees them. */
  readonly p99Ms: number
  readonly wasted: number
  /** Sent while the downstream was down; 0 where it never is. */
  readonly outageAttempts: number
  readonly givenUp: number
}

export function figuresOfModel({ scenario, judged, outage }: HttpTrial, algorithm: Algorithm, seed: number): Figures {
  const { phases } = measure(scenario, seed, gatesOf(algorithm, seed))
  const { goodput, p99Ms, wasted } = phases[judged] as PhaseScore
  const outageAttempts = outage === undefined ? 0 : (phases[outage.phase] as PhaseScore).attempts
  return { goodput, p99Ms, wasted, outageAttempts, givenUp: 0 }
}

/** Goodput is what the server answered in time; how long a call took is what the client saw. */
export function figuresOfHttp({ scenario, judged, outage }: HttpTrial, run: HttpRun, seed: number): Figures {
  const { successes = 0, wastedShare = 0 } = run.phases[judged] ?? {}
  const best = oracleRun(scenario, seed).phases[judged]?.successes ?? 0
  return {
    goodput: successes / best,
    p99Ms: run.clientPhases[judged]?.p99Ms ?? 0,
    wasted: wastedShare,
    outageAttempts: outage === undefined ? 0 : (run.phases[outage.phase]?.attempts ?? 0),
    givenUp: run.givenUp,
  }
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
  }
  return rows
}
