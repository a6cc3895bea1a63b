/**
 * From the scores of several seeds to rows with a verdict. A figure is the median over the seeds; a goodput goal also
 * needs every seed at .75 at least. Everything is computed from what was measured.
 */
import { median } from '../harness.ts'
import { HEADGATE } from './algorithms/registry.ts'
import type { PhaseScore } from './measure.ts'
import type { Trial } from './trial.ts'

/** Shaped as the rows of the other benchmarks are, with a goal that may be a bound from above. */
export interface OverloadRow {
  readonly name: string
  readonly unit: string
  readonly headgate: number | null
  readonly peers: Readonly<Record<string, number>>
  /** Headgate ÷ peer. */
  readonly ratio: Readonly<Record<string, number>>
  readonly goal: { readonly least?: number; readonly most?: number; readonly eachSeedLeast?: number }
  /** Null when Headgate's side was not measured, or there is no goal. */
  readonly holds: boolean | null
  readonly skipped: Readonly<Record<string, string>>
  readonly notes: Readonly<Record<string, number>>
}

export interface Summary {
  readonly goodput: number
  readonly worstGoodput: number
  readonly p99: number
  readonly wasted: number
  readonly recoveryMs: number
  readonly shedMs: number
  readonly endToEnd: number
  readonly jain: number
  readonly outageAttempts: number
}

export const LEAST_OF_A_SEED = 0.75
/** The note of a row: ns that a step of the reference loop took in the same moment. */
export const REFERENCE = 'reference loop'

export function summarize(trial: Trial, runs: readonly (readonly PhaseScore[])[]): Summary {
  const judged = runs.map((phases) => phases[trial.judged] as PhaseScore)
  const of = (figure: (score: PhaseScore) => number): number => median(judged.map(figure))
  return {
    goodput: of((score) => score.goodput),
    worstGoodput: Math.min(...judged.map((score) => score.goodput)),
    p99: of((score) => endless(score.p99)),
    wasted: of((score) => score.wasted),
    recoveryMs: of((score) => score.recoveryMs),
    shedMs: of((score) => score.shedMs),
    endToEnd: of((score) => endless(score.endToEnd)),
    jain: of((score) => score.jain),
    outageAttempts:
      trial.outage === undefined ? 0 : median(runs.map((run) => (run[trial.outage as number] as PhaseScore).attempts)),
  }
}

/** Where nothing succeeded there is no latency, and no goal for it is met. */
function endless(ratio: number): number {
  return Number.isNaN(ratio) ? Number.POSITIVE_INFINITY : ratio
}

interface Figure {
  readonly name: string
  readonly unit: string
  readonly goal: OverloadRow['goal'] | null
  value(summary: Summary): number
}

function figuresOf({ goals }: Trial): Figure[] {
  const most = (value: number | undefined): OverloadRow['goal'] | null => (value === undefined ? null : { most: value })
  const figures: Figure[] = [
    {
      name: 'goodput',
      unit: '÷ oracle',
      goal: goals.goodput === undefined ? null : { least: goals.goodput, eachSeedLeast: LEAST_OF_A_SEED },
      value: (summary) => summary.goodput,
    },
    { name: 'p99', unit: '÷ oracle', goal: most(goals.p99), value: (summary) => summary.p99 },
    { name: 'waste', unit: 'share of attempts', goal: most(goals.waste), value: (summary) => summary.wasted },
    { name: 'recovery', unit: 'ms', goal: most(goals.recoveryMs), value: (summary) => summary.recoveryMs },
    { name: 'in flight shed', unit: 'ms', goal: most(goals.shedMs), value: (summary) => summary.shedMs },
    { name: 'end-to-end p99', unit: '÷ oracle', goal: most(goals.endToEnd), value: (summary) => summary.endToEnd },
    {
      name: 'fairness',
      unit: 'Jain',
      goal: goals.jain === undefined ? null : { least: goals.jain },
      value: (summary) => summary.jain,
    },
    {
      name: 'attempts in the outage',
      unit: 'attempts',
      goal: most(goals.outageAttempts),
      value: (summary) => summary.outageAttempts,
    },
  ]
  return figures.filter((figure) => figure.goal !== null)
}

export function rowsOf(trial: Trial, summaries: ReadonlyMap<string, Summary>): OverloadRow[] {
  return figuresOf(trial).map((figure) => {
    const values = new Map([...summaries].map(([name, summary]) => [name, figure.value(summary)]))
    const ours = summaries.get(HEADGATE)
    const notes: Record<string, number> = ours && figure.name === 'goodput' ? { 'worst seed': ours.worstGoodput } : {}
    return row(`${trial.scenario.name} · ${figure.name}`, figure.unit, values, figure.goal ?? {}, notes)
  })
}

export function row(
  name: string,
  unit: string,
  values: ReadonlyMap<string, number>,
  goal: OverloadRow['goal'],
  notes: Readonly<Record<string, number>> = {},
): OverloadRow {
  const headgate = values.get(HEADGATE) ?? null
  const peers = Object.fromEntries([...values].filter(([label]) => label !== HEADGATE))
  const ratio =
    headgate === null
      ? {}
      : Object.fromEntries(Object.entries(peers).map(([label, value]) => [label, headgate / value]))
  const holds = headgate === null ? null : verdict(headgate, goal, notes['worst seed'])
  return { name, unit, headgate, peers, ratio, goal, holds, skipped: {}, notes }
}

/** A figure that could not be measured (NaN) does not hold. */
function verdict(value: number, goal: OverloadRow['goal'], worstSeed: number | undefined): boolean | null {
  if (goal.least === undefined && goal.most === undefined) return null
  const least = goal.least === undefined || value >= goal.least
  const most = goal.most === undefined || value <= goal.most
  const each = goal.eachSeedLeast === undefined || worstSeed === undefined || worstSeed >= goal.eachSeedLeast
  return least && most && each
}
