/**
 * The plots of docs/overload: limit, goodput and latency over time for five scenarios, Headgate beside three published
 * limiters and the oracle. Written by `npm run bench -- overload --plots docs/overload`.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type RunRecord, SAMPLE_MS } from '../../src/sim/record.ts'
import { simulate } from '../../src/sim/run.ts'
import type { Scenario } from '../../src/sim/scenario.ts'
import { type Algorithm, HEADGATE, STORMY } from './algorithms/registry.ts'
import { oracleRun, settingsOf } from './oracle.ts'
import { METASTABLE, TRIALS } from './scenarios.ts'
import { gatesOf } from './seeds.ts'
import { type Curve, drawingToSvg } from './svg.ts'

interface Plot {
  readonly file: string
  readonly scenario: string
  readonly algorithms: readonly string[]
}

const USUAL = [HEADGATE, 'vegas', 'gradient2', 'envoy']

export const PLOTS: readonly Plot[] = [
  { file: 'steady.svg', scenario: 'steady, 40 servers', algorithms: USUAL },
  { file: 'drop-with-thrash.svg', scenario: 'drop by 70 % with thrash, 1 s timeout', algorithms: USUAL },
  { file: 'rtt-shift.svg', scenario: 'RTT shift by 80 ms', algorithms: USUAL },
  { file: 'outage.svg', scenario: 'outage of 20 s by 503', algorithms: USUAL },
  { file: 'retry-storm.svg', scenario: METASTABLE.scenario.name, algorithms: [HEADGATE, 'vegas', 'naive'] },
]

const COLORS: Readonly<Record<string, string>> = {
  [HEADGATE]: '#0969da',
  vegas: '#bf8700',
  gradient2: '#1a7f37',
  envoy: '#cf222e',
  naive: '#cf222e',
}
const ORACLE_COLOR = '#6e7781'
/** Samples that make a point. */
const POINT_SAMPLES = 5
const POINT_MS = POINT_SAMPLES * SAMPLE_MS

/** Returns the files that were written. Algorithms that are not there are left out. */
export function writePlots(folder: string, algorithms: readonly Algorithm[], seed: number): string[] {
  mkdirSync(folder, { recursive: true })
  return PLOTS.map((plot) => {
    const trial = [...TRIALS, METASTABLE].find((each) => each.scenario.name === plot.scenario)
    if (trial === undefined) throw new Error(`no scenario is called '${plot.scenario}'`)
    const file = join(folder, plot.file)
    const drawn = [...algorithms, ...STORMY].filter(({ name }) => plot.algorithms.includes(name))
    writeFileSync(file, plotToSvg(trial.scenario, drawn, seed))
    return file
  })
}

export function plotToSvg(scenario: Scenario, algorithms: readonly Algorithm[], seed: number): string {
  const oracle = oracleRun(scenario, seed)
  const runs = algorithms.map(({ name, make }) => {
    const record = simulate(scenario, seed, gatesOf({ name, make, bare: make }, seed))
    return { name, record }
  })
  const curves = (figure: (record: RunRecord) => number[]): Curve[] => [
    { label: 'oracle', color: ORACLE_COLOR, dashed: true, values: figure(oracle) },
    ...runs.map(({ name, record }) => ({ label: name, color: COLORS[name] ?? '#57606a', values: figure(record) })),
  ]
  const mostLimit = Math.max(...settingsOf(scenario).map(({ limit }) => limit))
  const mostLatencyMs = 6 * Math.max(...oracle.phases.map((phase) => phase.latency.quantile(0.5) || 0))
  let startMs = 0
  const marks = scenario.phases.map(({ name, durationMs }) => {
    startMs += durationMs
    return { atMs: startMs - durationMs, label: name }
  })
  return drawingToSvg({
    title: scenario.name,
    stepMs: POINT_MS,
    marks: marks.slice(1),
    panels: [
      { title: 'limit', unit: 'calls in flight', top: mostLimit * 3, curves: curves(limits) },
      { title: 'goodput', unit: 'successes a second', curves: curves(goodput) },
      { title: 'latency', unit: 'mean ms of a success', top: mostLatencyMs, curves: curves(latency) },
    ],
  })
}

const limits = ({ series }: RunRecord): number[] => points(series.limit, (sum) => sum / POINT_SAMPLES)

const goodput = ({ series }: RunRecord): number[] => points(series.successes, (sum) => (sum * 1000) / POINT_MS)

const latency = ({ series }: RunRecord): number[] => {
  const counts = points(series.successes, (sum) => sum)
  return points(series.latencySumMs, (sum, index) => sum / (counts[index] as number))
}

/** Sums of each `POINT_SAMPLES` samples, turned into the figure of a point. */
function points(samples: readonly number[], figure: (sum: number, index: number) => number): number[] {
  const sums: number[] = []
  for (let at = 0; at + POINT_SAMPLES <= samples.length; at += POINT_SAMPLES) {
    let sum = 0
    for (let step = 0; step < POINT_SAMPLES; step += 1) sum += samples[at + step] as number
    sums.push(figure(sum, sums.length))
  }
  return sums
}
