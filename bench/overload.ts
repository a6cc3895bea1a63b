/**
 * The overload lab: every scenario with every algorithm on the simulated downstream of `src/sim`, beside an oracle, and
 * random scenarios that were never tuned on. Nothing here takes real time, so the figures are the same on every
 * machine and in every run; only the CPU cost of a call is measured.
 */
import { type Algorithm, HEADGATE, loadAlgorithms, STORMY } from './overload/algorithms/registry.ts'
import { costOfCall, FEW_ROUNDS, ROUNDS } from './overload/cpu.ts'
import { NEVER_TUNED_SEEDS, seedsOf, TUNING_SEEDS } from './overload/generator.ts'
import { measure } from './overload/measure.ts'
import { forgetRuns } from './overload/oracle.ts'
import { writePlots } from './overload/plots.ts'
import { LEAST_PASSED, type RandomScore, runRandom } from './overload/random-trials.ts'
import { METASTABLE, TRIALS } from './overload/scenarios.ts'
import { gatesOf } from './overload/seeds.ts'
import { type Line, printGoals, printRandom, printScenarios } from './overload/table.ts'
import type { Trial } from './overload/trial.ts'
import { type OverloadRow, REFERENCE, row, rowsOf, type Summary, summarize } from './overload/verdict.ts'

export interface OverloadOptions {
  /** Only scenarios whose name contains this; `random` and `tuning` are the generated ones. */
  readonly scenario: string
  /** Only algorithms whose name contains this; the oracle always runs. */
  readonly algorithm: string
  /** Only this seed, and another set of never-tuned scenarios. */
  readonly seed: number | null
  /** How many random scenarios are drawn. */
  readonly draws: number
  readonly repeats: number
  /** A short run over a few scenarios. */
  readonly smoke: boolean
  /** Only write the plots, into this folder. */
  readonly plots: string | null
  /** No tables. */
  readonly json: boolean
}

const RANDOM = 'random, never tuned'
const TUNING = 'tuning, random'
const CPU = 'CPU of a call'
export const RANDOM_SCENARIOS = 60
export const SMOKE_SCENARIOS = 6
/** More would be part of the next set. */
export const MOST_SCENARIOS = 1000
const MOST_CPU_NS = 300
const SMOKE_TRIALS: ReadonlySet<string> = new Set([
  'steady, 40 servers',
  'thrash',
  '429 + Retry-After',
  'drop by 70 %',
  'outage of 20 s by 503',
  '4 clients',
])

export async function overload(options: OverloadOptions): Promise<OverloadRow[]> {
  const { algorithms: all, missing } = await loadAlgorithms()
  for (const name of missing) say(`${name} is not in this tree and is listed as missing`)
  const wanted = (algorithm: Algorithm): boolean => algorithm.name.includes(options.algorithm)
  const algorithms = all.filter(wanted)
  if (options.plots !== null) {
    for (const file of writePlots(options.plots, all, options.seed ?? 1)) say(`wrote ${file}`)
    return []
  }
  const seeds =
    options.seed === null ? Array.from({ length: options.repeats }, (_, index) => index + 1) : [options.seed]
  const rows: OverloadRow[] = []

  const lines: Line[] = []
  for (const trial of [...TRIALS, METASTABLE]) {
    if (!trial.scenario.name.includes(options.scenario)) continue
    if (options.smoke && !SMOKE_TRIALS.has(trial.scenario.name)) continue
    const sides = trial === METASTABLE ? [...algorithms, ...STORMY.filter(wanted)] : algorithms
    const summaries = runTrial(trial, sides, seeds)
    lines.push({ scenario: trial.scenario.name, summaries })
    rows.push(...rowsOf(trial, summaries))
  }
  if (!options.json && lines.length > 0) printScenarios(lines, seeds)

  if (RANDOM.includes(options.scenario)) rows.push(...generated('never-tuned', algorithms, options))
  else if (options.scenario !== '' && TUNING.includes(options.scenario)) {
    rows.push(...generated('tuning', algorithms, options))
  }
  if (CPU.includes(options.scenario)) rows.push(cpuRow(algorithms, options.smoke ? FEW_ROUNDS : ROUNDS))
  if (rows.length === 0) throw new Error(`no scenario's name contains '${options.scenario}'`)
  if (!options.json) printGoals(rows)
  const reasons = Object.fromEntries(missing.map((name) => [name, 'missing: src/control/controller.ts']))
  return rows.map((each) => ({ ...each, skipped: reasons }))
}

function runTrial(trial: Trial, algorithms: readonly Algorithm[], seeds: readonly number[]): Map<string, Summary> {
  const startMs = performance.now()
  const summaries = new Map<string, Summary>()
  for (const algorithm of algorithms) {
    const runs = seeds.map((seed) => measure(trial.scenario, seed, gatesOf(algorithm, seed)).phases)
    summaries.set(algorithm.name, summarize(trial, runs))
  }
  forgetRuns()
  say(`${trial.scenario.name}: ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
  return summaries
}

function generated(
  split: 'tuning' | 'never-tuned',
  algorithms: readonly Algorithm[],
  { smoke, seed, draws, json }: OverloadOptions,
): OverloadRow[] {
  const seeds = seedsOf(split, draws, seed ?? 1)
  const scores = runRandom(algorithms, seeds, say)
  const rule = split === 'tuning' ? `tuned on, seeds ${TUNING_SEEDS}` : `never tuned on, seeds ${NEVER_TUNED_SEEDS}`
  const title = `random three-phase scenarios (${rule}; here ${seeds[0]} to ${seeds.at(-1)})`
  if (!json) printRandom(title, scores)
  const of = (figure: (score: RandomScore) => number): Map<string, number> =>
    new Map([...scores].map(([name, score]) => [name, figure(score)]))
  const name = split === 'tuning' ? TUNING : RANDOM
  const passed = of((score) => score.passed / score.phases)
  const worst = of((score) => score.worst.reached)
  // Few phases say nothing about a share of 85 %.
  const least = split === 'never-tuned' && !smoke ? { least: Math.max(LEAST_PASSED, bestOfPeers(passed)) } : {}
  const ahead = split === 'never-tuned' && !smoke ? { least: bestOfPeers(worst) } : {}
  return [
    row(`${name} · phases passed`, 'share', passed, least),
    row(`${name} · worst phase`, 'share of its figures reached', worst, ahead),
  ]
}

/** What Headgate has to be ahead of. */
function bestOfPeers(values: ReadonlyMap<string, number>): number {
  return Math.max(0, ...[...values].filter(([name]) => name !== HEADGATE).map(([, value]) => value))
}

function cpuRow(algorithms: readonly Algorithm[], rounds: number): OverloadRow {
  const costs = algorithms.map(({ name, bare }) => ({ name, ...costOfCall(bare(1, 0), rounds) }))
  const values = new Map(costs.map(({ name, nanoseconds }) => [name, nanoseconds]))
  const ours = costs.find(({ name }) => name === HEADGATE)
  const notes: Record<string, number> = ours === undefined ? {} : { [REFERENCE]: ours.referenceNanoseconds }
  return row(`${CPU}: admit, sent and settled`, 'ns', values, { most: MOST_CPU_NS }, notes)
}

function say(text: string): void {
  process.stderr.write(`  ${text}\n`)
}
