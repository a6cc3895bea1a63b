/**
 * The doctor's figures: planted causes, pairs of them, healthy controls and turned knobs, all in virtual time over the
 * real engine, on seeds that no threshold has seen, beside three simpler rules that answer from the same look. Only the
 * cost of a look is measured in real time.
 */
import { availableParallelism } from 'node:os'
import Table from 'cli-table3'
import { NEVER_TUNED_SEEDS, TUNING_SEEDS } from './doctor/base.ts'
import { BASELINES, type BaselineName } from './doctor/baselines.ts'
import { CAUSES, type Cause } from './doctor/causes.ts'
import { CONTROLS, controlTasks } from './doctor/controls.ts'
import { doctorShare } from './doctor/cost.ts'
import { knobTasks, type Turned } from './doctor/knobs.ts'
import { type Case, LOADS, pairTasks, SEVERITIES, singleTasks } from './doctor/matrix.ts'
import { onsetTasks } from './doctor/onset.ts'
import { Pool } from './doctor/pool.ts'

export interface DoctorBenchOptions {
  /** A few cases, to see that all of it runs. */
  readonly smoke: boolean
  /** On the seeds that the thresholds were chosen with. */
  readonly tuning: boolean
  /** Only causes whose name contains this, and neither pairs nor controls. */
  readonly only: string
  /** How many of the five seeds. */
  readonly seeds: number
  /** Among how many processes the matrix is divided; default: one for each core. */
  readonly processes: number | null
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

/** What of the matrix is run. */
interface Extent {
  readonly seeds: readonly number[]
  readonly causes: readonly Cause[]
  readonly smoke: boolean
  readonly json: boolean
}

const CONTROL_MINUTES = 200
/** Drawn for each seed; about five in eight of them bind. Fewer would leave the share good to three points at best. */
const PAIRS = 48
/** With more than even the healthy pipeline takes, a knob shows all that it brings. */
const KNOB_LOAD = 3
const KNOB_ERROR = 0.15

export async function doctorBench(options: DoctorBenchOptions): Promise<DoctorRow[]> {
  const { smoke, tuning, only, json, processes } = options
  const causes = CAUSES.filter(({ name }) => name.includes(only))
  if (causes.length === 0) throw new Error(`no cause's name contains '${only}'`)
  const seeds = (tuning ? TUNING_SEEDS : NEVER_TUNED_SEEDS).slice(0, smoke ? 1 : options.seeds)
  const extent = { seeds, causes, smoke, json }
  const startMs = performance.now()
  const pool = new Pool(processes ?? availableParallelism(), say)
  try {
    const rows = [...(await singleRows(pool, extent)), ...(await onsetRows(pool, extent))]
    if (only === '') rows.push(await pairRow(pool, extent), await controlRow(pool, extent))
    rows.push(...(await knobRows(pool, extent)))
    rows.push(row('a look by the doctor, twice a second', 'share of the time', doctorShare(), { most: 0.01 }))
    say(`all of it took ${((performance.now() - startMs) / 60_000).toFixed(1)} minutes`)
    if (!json) printRows(rows)
    return rows
  } finally {
    pool.close()
  }
}

async function singleRows(pool: Pool, { seeds, causes, smoke, json }: Extent): Promise<DoctorRow[]> {
  const shape = { seeds, severities: smoke ? [0.5] : SEVERITIES, loads: smoke ? [1.2] : LOADS }
  const singles = await pool.performAll('single causes', singleTasks(shape, causes))
  const binding = singles.filter(({ bindsMs }) => bindsMs !== null)
  const others = singles.filter(({ bindsMs }) => bindsMs === null)
  if (!json) printCauses(singles)
  return [
    row(
      'binding single causes named within 10 s',
      'share',
      shareOf(binding, ({ named }) => named),
      { least: 1 },
      baselines(binding),
      {
        'binding cases': binding.length,
        cases: singles.length,
        'slowest, s': most(binding.map(({ tookMs }) => tookMs ?? 0)) / 1000,
      },
    ),
    row(
      'causes that do not bind: nothing wrong said',
      'share',
      shareOf(others, ({ quiet }) => quiet),
      {},
    ),
    row(
      'verdict flips in steady state',
      'a minute',
      mean(binding.map(({ flips }) => flips)),
      { most: 1 },
      {},
      { worst: most(binding.map(({ flips }) => flips)) },
    ),
  ]
}

async function onsetRows(pool: Pool, { seeds, causes }: Extent): Promise<DoctorRow[]> {
  const onsets = await pool.performAll('begun in mid-run', onsetTasks(seeds, causes))
  const shown = onsets.filter(({ showedMs }) => showedMs !== null)
  for (const each of onsets) {
    const where = `begun in mid-run, ${each.cause}, ${each.left} left, seed ${each.seed}`
    if (each.early) say(`${where}: said something before it began`)
    if (each.showedMs !== null && !each.named) say(`${where}: not named in time, said ${each.said}`)
    if (!each.back) say(`${where}: not taken back in time (${each.backMs === null ? 'never' : each.backMs / 1000})`)
  }
  return [
    row(
      'causes that begin in mid-run, named within 10 s',
      'share',
      shareOf(shown, ({ named, early }) => named && !early),
      { least: 1 },
      {},
      {
        cases: onsets.length,
        'that show': shown.length,
        'slowest from when it shows, s': most(shown.map(({ tookMs }) => tookMs ?? 0)) / 1000,
        'shows after the onset, at most, s': most(shown.map(({ showedMs }) => showedMs ?? 0)) / 1000,
      },
    ),
    row(
      'taken back within 10 s of being healed and worked off',
      'share',
      shareOf(onsets, ({ back }) => back),
      { least: 1 },
      {},
      {
        'slowest, s': most(onsets.map(({ backMs }) => backMs ?? 0)) / 1000,
        'flips a minute while nothing changes, worst': most(onsets.map(({ flips }) => flips)),
      },
    ),
  ]
}

async function pairRow(pool: Pool, { seeds, smoke }: Extent): Promise<DoctorRow> {
  const all = await pool.performAll('pairs', pairTasks(seeds, smoke ? 4 : PAIRS))
  const pairs = all.filter(({ bindsMs }) => bindsMs !== null)
  for (const { causes: names, load, seed, said, named } of pairs)
    if (!named) say(`pair missed: ${names}, load ${load}, seed ${seed}: ${said}`)
  return row(
    'pairs: a binding cause named',
    'share',
    shareOf(pairs, ({ named }) => named),
    { least: 0.95 },
    baselines(pairs),
    { pairs: pairs.length, named: pairs.filter(({ named }) => named).length },
  )
}

async function controlRow(pool: Pool, { seeds, smoke }: Extent): Promise<DoctorRow> {
  const lastsMs = smoke ? 60_000 : (CONTROL_MINUTES * 60_000) / (seeds.length * CONTROLS.length)
  const controls = await pool.performAll('healthy pipelines', controlTasks(seeds, lastsMs))
  for (const { name, alarms } of controls) for (const alarm of alarms.slice(0, 3)) say(`false alarm, ${name}, ${alarm}`)
  const minutes = controls.reduce((sum, control) => sum + control.minutes, 0)
  const alarms = controls.reduce((sum, control) => sum + control.alarms.length, 0)
  const flips = most(controls.map((control) => control.flips))
  const name = `false alarms over ${Math.round(minutes)} healthy minutes`
  return row(name, 'alarms', alarms, { most: 0 }, {}, { minutes, 'flips a minute, worst': flips })
}

async function knobRows(pool: Pool, { seeds, causes, smoke }: Extent): Promise<DoctorRow[]> {
  const severities = smoke ? [0.5] : [0.5, 0.2]
  const turned = (await pool.performAll('knobs', knobTasks(seeds, severities, KNOB_LOAD, causes))).flat()
  turned.sort((one, other) => other.error - one.error)
  for (const { error, predicted, measured, ...each } of turned)
    if (error > KNOB_ERROR) say(knobText(each, `${predicted.toFixed(0)}/s`, `${measured.toFixed(0)}/s`))
  const attempts = turned.flatMap(({ attempt, ...each }) => (attempt === null ? [] : [{ ...each, ...attempt }]))
  for (const { error, predicted, measured, ...each } of attempts)
    if (error > KNOB_ERROR) say(knobText(each, `${predicted.toFixed(0)} ms a call`, `${measured.toFixed(0)} ms`))
  return [
    predictionRow(
      'predicted ÷ measured after turning a knob, 90th percentile',
      turned.map(({ error }) => error),
    ),
    predictionRow(
      'the same of what a call takes then, 90th percentile',
      attempts.map(({ error }) => error),
    ),
  ]
}

function predictionRow(name: string, unordered: readonly number[]): DoctorRow {
  const errors = unordered.toSorted((one, other) => one - other)
  const notes = { 'knobs turned': errors.length, median: errors[errors.length >> 1] ?? Number.NaN }
  return row(name, 'off by', errors[Math.floor(errors.length * 0.9)] ?? null, { most: KNOB_ERROR }, {}, notes)
}

function knobText(
  { cause, left, seed, knob }: Pick<Turned, 'cause' | 'left' | 'seed' | 'knob'>,
  predicted: string,
  measured: string,
): string {
  return `predicted ${predicted}, measured ${measured}: ${cause}, ${left} left, seed ${seed}: ${knob}`
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

function most(values: readonly number[]): number {
  return Math.max(0, ...values)
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
