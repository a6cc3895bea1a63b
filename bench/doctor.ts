/**
 * The doctor's figures: planted causes, pairs of them, healthy controls and turned knobs, all in virtual time over the
 * real engine, on seeds that no threshold has seen, beside three simpler rules that answer from the same look. Only the
 * cost of a look is measured in real time.
 */
import Table from 'cli-table3'
import { NEVER_TUNED_SEEDS, TUNING_SEEDS } from './doctor/base.ts'
import { BASELINES, type BaselineName } from './doctor/baselines.ts'
import { CAUSES } from './doctor/causes.ts'
import { runControls } from './doctor/controls.ts'
import { doctorShare } from './doctor/cost.ts'
import { turnKnobs } from './doctor/knobs.ts'
import { type Case, LOADS, runPairs, runSingles, SEVERITIES } from './doctor/matrix.ts'

export interface DoctorBenchOptions {
  /** A few cases, to see that all of it runs. */
  readonly smoke: boolean
  /** On the seeds that the thresholds were chosen with. */
  readonly tuning: boolean
  /** Only causes whose name contains this, and no controls. */
  readonly only: string
  /** How many of the five seeds. */
  readonly seeds: number
  readonly json: boolean
}

/** Shaped as the rows of the other benchmarks are. */
export interface DoctorRow {
  readonly name: string
  readonly unit: string
  readonly headgate: number | null
  readonly peers: Readonly<Record<string, number>>
  readonly ratio: Readonly<Record<string, number>>
  readonly goal: { readonly least?: number; readonly most?: number }
  readonly holds: boolean | null
  readonly skipped: Readonly<Record<string, string>>
  readonly notes: Readonly<Record<string, number>>
}

const CONTROL_MINUTES = 200
const SMOKE_SEEDS = 1
const PAIRS = 16
/** Every knob is a run of its own. */
const KNOB_SEEDS = 2

export function doctorBench({ smoke, tuning, only, json, seeds: count }: DoctorBenchOptions): DoctorRow[] {
  const all = tuning ? TUNING_SEEDS : NEVER_TUNED_SEEDS
  const seeds = all.slice(0, smoke ? SMOKE_SEEDS : count)
  const causes = CAUSES.filter(({ name }) => name.includes(only))
  if (causes.length === 0) throw new Error(`no cause's name contains '${only}'`)
  const rows: DoctorRow[] = []

  const singles = runSingles(
    { seeds, severities: smoke ? [0.5] : SEVERITIES, loads: smoke ? [1.2] : LOADS },
    causes,
    say,
  )
  const binding = singles.filter(({ bindsMs }) => bindsMs !== null)
  if (!json) printCauses(singles)
  rows.push(
    row(
      'binding single causes named within 10 s',
      'share',
      shareOf(binding, ({ named }) => named),
      { least: 1 },
      baselines(binding),
      {
        'binding cases': binding.length,
        cases: singles.length,
        'slowest, s': Math.max(0, ...binding.map(({ tookMs }) => tookMs ?? 0)) / 1000,
      },
    ),
    row(
      'causes that do not bind: nothing wrong said',
      'share',
      shareOf(
        singles.filter(({ bindsMs }) => bindsMs === null),
        ({ quiet }) => quiet,
      ),
      {},
    ),
    row(
      'verdict flips in steady state',
      'a minute',
      mean(binding.map(({ flips }) => flips)),
      { most: 1 },
      {},
      { worst: Math.max(0, ...binding.map(({ flips }) => flips)) },
    ),
  )
  if (only === '') {
    const pairs = runPairs(seeds, smoke ? 4 : PAIRS, say).filter(({ bindsMs }) => bindsMs !== null)
    for (const { causes: names, load, seed, said, named } of pairs)
      if (!named) say(`pair missed: ${names}, load ${load}, seed ${seed}: ${said}`)
    rows.push(
      row(
        'pairs: a binding cause named',
        'share',
        shareOf(pairs, ({ named }) => named),
        { least: 0.95 },
        baselines(pairs),
        { pairs: pairs.length },
      ),
    )
    const lastsMs = smoke ? 60_000 : (CONTROL_MINUTES * 60_000) / (seeds.length * 10)
    const controls = runControls(seeds, lastsMs, say)
    for (const { name, alarms } of controls)
      for (const alarm of alarms.slice(0, 3)) say(`false alarm, ${name}, ${alarm}`)
    const minutes = controls.reduce((sum, control) => sum + control.minutes, 0)
    const alarms = controls.reduce((sum, control) => sum + control.alarms.length, 0)
    rows.push(
      row(`false alarms over ${Math.round(minutes)} healthy minutes`, 'alarms', alarms, { most: 0 }, {}, { minutes }),
    )
  }
  const turned = turnKnobs(seeds.slice(0, KNOB_SEEDS), smoke ? [0.5] : [0.5, 0.2], 3, say).filter(({ cause }) =>
    cause.includes(only),
  )
  const errors = turned.map(({ error }) => error).sort((one, other) => one - other)
  for (const { cause, knob, predicted, measured, error } of turned)
    if (error > 0.15) say(`${cause}: ${knob} predicted ${predicted.toFixed(0)}/s, measured ${measured.toFixed(0)}/s`)
  rows.push(
    row(
      'predicted ÷ measured after turning a knob, 90th percentile',
      'off by',
      errors[Math.floor(errors.length * 0.9)] ?? null,
      { most: 0.15 },
      {},
      {
        'knobs turned': errors.length,
        median: errors[errors.length >> 1] ?? Number.NaN,
      },
    ),
    row('a look by the doctor, twice a second', 'share of the time', doctorShare(), { most: 0.01 }),
  )
  if (!json) printRows(rows)
  return rows
}

function row(
  name: string,
  unit: string,
  headgate: number | null,
  goal: DoctorRow['goal'],
  peers: Readonly<Record<string, number>> = {},
  notes: Readonly<Record<string, number>> = {},
): DoctorRow {
  const { least, most } = goal
  const ratio = Object.fromEntries(
    Object.entries(peers).map(([peer, value]) => [peer, (headgate ?? Number.NaN) / value]),
  )
  const ahead = Object.values(peers).every((value) => (headgate ?? 0) > value)
  const inside =
    headgate !== null && (least === undefined || headgate >= least) && (most === undefined || headgate <= most)
  const holds = least === undefined && most === undefined ? null : headgate === null ? null : inside && ahead
  return { name, unit, headgate, peers, ratio, goal, holds, skipped: {}, notes }
}

function shareOf<T>(cases: readonly T[], good: (one: T) => boolean): number | null {
  return cases.length === 0 ? null : cases.filter(good).length / cases.length
}

function baselines(
  cases: readonly { readonly baselines: Readonly<Record<BaselineName, boolean>> }[],
): Record<string, number> {
  return Object.fromEntries(BASELINES.map((name) => [name, shareOf(cases, (each) => each.baselines[name]) ?? 0]))
}

function mean(values: readonly number[]): number {
  return values.length === 0 ? 0 : values.reduce((sum, value) => sum + value, 0) / values.length
}

const BORDERS = { head: [], border: [], compact: true }

function printCauses(cases: readonly Case[]): void {
  const table = new Table({
    head: ['cause', 'binding', 'named', ...BASELINES, 'slowest', 'said instead'],
    style: BORDERS,
  })
  for (const name of new Set(cases.map(({ cause }) => cause))) {
    const mine = cases.filter((each) => each.cause === name && each.bindsMs !== null)
    const wrong = mine
      .filter(({ named }) => !named)
      .map(({ said, left, load, seed }) => `${said} (${left}, ${load}, ${seed})`)
    table.push([
      name,
      mine.length,
      mine.filter(({ named }) => named).length,
      ...BASELINES.map((baseline) => mine.filter((each) => each.baselines[baseline]).length),
      `${(Math.max(0, ...mine.map(({ tookMs }) => tookMs ?? 0)) / 1000).toFixed(1)} s`,
      [...new Set(wrong)].slice(0, 2).join('; '),
    ])
  }
  console.log(table.toString())
}

function printRows(rows: readonly DoctorRow[]): void {
  const table = new Table({ head: ['figure', 'headgate', ...BASELINES, 'goal', ''], style: BORDERS })
  for (const { name, unit, headgate, peers, goal, holds } of rows) {
    const wanted = goal.least !== undefined ? `≥ ${goal.least}` : goal.most !== undefined ? `≤ ${goal.most}` : ''
    const verdict = holds === null ? '' : holds ? 'holds' : 'MISSED'
    table.push([
      `${name}, ${unit}`,
      show(headgate),
      ...BASELINES.map((baseline) => show(peers[baseline] ?? null)),
      wanted,
      verdict,
    ])
  }
  console.log(table.toString())
  for (const { name, notes } of rows) {
    const text = Object.entries(notes).map(([note, value]) => `${note} ${show(value)}`)
    if (text.length > 0) console.log(`${name} · ${text.join(' · ')}`)
  }
}

function show(value: number | null): string {
  return value === null ? '–' : String(Number(value.toPrecision(3)))
}

function say(text: string): void {
  process.stderr.write(`  ${text}\n`)
}
