/**
 * `npm run bench -- BENCH`, see `USAGE`: runs one benchmark and prints each row beside its named peers, all measured in
 * this same run. `--json` prints the figures for a machine, `--repeats N` sets how often, `--only text`
 * takes the rows whose names contain the text. The exit code says whether every goal holds
 * (with `--smoke`: whether every side could be measured).
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { availableParallelism, cpus } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Table from 'cli-table3'
import { anchor } from './anchor.ts'
import { killedApi } from './console/killed-api.ts'
import { SHARE, shareOfLooks } from './console/share.ts'
import { bench as consoleBench } from './console.ts'
import { doctorBench } from './doctor.ts'
import { bench as engine } from './engine.ts'
import { type Bench, formatValue, measureRow, type Result } from './harness.ts'
import { kafka } from './kafka.ts'
import { bench as log } from './log.ts'
import { overloadHttp } from './overload/http/bench.ts'
import { MOST_SCENARIOS, overload, RANDOM_SCENARIOS, SMOKE_SCENARIOS } from './overload.ts'

const BENCHES: readonly string[] = ['engine', 'log', 'anchor', 'kafka', 'overload', 'console', 'doctor']

const REPEATS = 5
const KAFKA_REPEATS = 3

const USAGE = `npm run bench -- <engine|log|anchor|kafka|overload|console|doctor> [options]

  engine   the cost of a record in the engine: Effect Stream, RxJS, Node streams, p-limit
  log      durable appends and reads of the embedded log: raw LMDB, Redis Streams
  anchor   the payment example against an API that sustains 20,000 requests a minute
  console  what open pages, the meter and the doctor cost, and how soon an API that was killed is shown
  kafka    the Kafka source on a broker started for it: KafkaJS by hand, Confluent's Parallel Consumer
  overload the limiters on a simulated downstream: Vegas, Gradient2, Envoy, Vector ARC, failsafe-go, AWS, fixed
  doctor   planted causes in virtual time: the doctor beside the boundary rule, Clinic's categories, highest latency

  --json        print { bench, rows } instead of a table
  --repeats N   measurements of each side (default 5; kafka 3, which takes it about half an hour)
  --only TEXT   only rows whose name contains TEXT
  --smoke       fail only on a side that could not be measured, not on a missed goal: a shared machine is no judge
  --seconds N   anchor: how long one run takes (default 60)
  --backlog N   anchor: the larger backlog, in records (default 10,000,000)
  --broker H:P  kafka: use this broker, which must be fresh, instead of starting one
  --scenario T  kafka: only scenarios whose name contains T
                overload: only scenarios whose name contains T; 'random' for the never-tuned, 'tuning' for the others
  --algorithm T overload: only algorithms whose name contains T
  --seed N      overload: only this seed, and another set of never-tuned scenarios
  --draws N     overload: how many random scenarios (default ${RANDOM_SCENARIOS}, at most ${MOST_SCENARIOS})
  --plots DIR   overload: write the plots of five scenarios into DIR, and nothing else
  --http        overload: the main scenarios on real servers over loopback HTTP beside the model, and a retry storm;
                takes six minutes, with --smoke one
  --tuning      doctor: on the seeds that its thresholds were chosen with
  --seeds N     doctor: how many of the five seeds (default 5)
  --processes N doctor: among how many processes the matrix is divided (default: one for each core)`

const HERE = fileURLToPath(new URL('.', import.meta.url))

/** The peers are installed at first use; they are no part of Headgate. */
function installPeers(): void {
  if (existsSync(`${HERE}node_modules/rxjs`)) return
  process.stderr.write('The peers are not installed yet: npm ci --prefix bench (about 90 MB, this once)\n')
  const { status } = spawnSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.stderr.write('They could not be installed; rows are measured without them.\n')
}

async function runRows(bench: Bench, repeats: number, only: string): Promise<Result[]> {
  installPeers()
  const rows = bench.rows.filter((row) => row.name.includes(only))
  if (rows.length === 0) throw new Error(`no row's name contains '${only}'`)
  const results: Result[] = []
  for (const row of rows) {
    results.push(await measureRow(bench.name, row, repeats, (text) => process.stderr.write(`  ${text}\n`)))
  }
  return results
}

function verdictText(holds: boolean | null): string {
  return holds === null ? 'not measured' : holds ? 'holds' : 'MISSED'
}

function goalText(goal: number, ratio: number | undefined, lower: boolean): string {
  const met = ratio !== undefined && (lower ? ratio <= goal : ratio >= goal)
  return `${lower ? '≤' : '≥'} ${goal.toFixed(2)}${ratio === undefined ? '' : met ? ' ✓' : ' ✗'}`
}

function print(name: string, results: readonly Result[]): void {
  const cpu = cpus()[0]?.model.trim() ?? 'unknown CPU'
  console.log(`bench ${name} · Node.js ${process.version} · ${availableParallelism()} × ${cpu}`)
  const table = new Table({
    head: ['row', 'side', 'value', 'headgate ÷ side', 'goal'],
    style: { head: [], border: [], compact: true },
  })
  for (const row of results) {
    const ours = row.headgate === null ? '–' : `${formatValue(row.headgate)} ${row.unit}`
    table.push([row.name, 'headgate', ours, '', verdictText(row.holds)])
    for (const label of new Set([...Object.keys(row.peers), ...Object.keys(row.goal)])) {
      const value = row.peers[label]
      const ratio = row.ratio[label]
      const goal = row.goal[label]
      table.push([
        '',
        label,
        value === undefined ? '–' : `${formatValue(value)} ${row.unit}`,
        ratio === undefined ? '–' : ratio.toFixed(2),
        goal === undefined ? '' : goalText(goal, ratio, row.lower ?? false),
      ])
    }
  }
  console.log(table.toString())
  for (const row of results) {
    for (const [note, value] of Object.entries(row.notes)) console.log(`${row.name} · ${note}: ${formatValue(value)}`)
    for (const [label, reason] of Object.entries(row.skipped)) console.log(`SKIPPED ${row.name} · ${label}: ${reason}`)
  }
  console.log(summaryOf(results))
}

function summaryOf(results: readonly Result[]): string {
  const withGoals = results.filter(({ goal, holds }) => holds !== null || Object.keys(goal).length > 0)
  const named = (text: string, holds: boolean | null): string => {
    const rows = withGoals.filter((row) => row.holds === holds).map(({ name }) => name)
    return rows.length === 0 ? '' : `, ${rows.length} ${text}: ${rows.join('; ')}`
  }
  const held = withGoals.filter(({ holds }) => holds === true).length
  return `${held} of ${withGoals.length} rows hold their goals${named('missed', false)}${named('not measured', null)}`
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} must be a whole number from 1, got '${text}'`)
  return value
}

function repeatsOf(bench: string, { repeats }: { readonly repeats?: string | undefined }): number {
  return repeats === undefined ? (bench === 'kafka' ? KAFKA_REPEATS : REPEATS) : positive('repeats', repeats)
}

function drawsOf(text: string | undefined): number {
  const draws = text === undefined ? RANDOM_SCENARIOS : positive('draws', text)
  if (draws > MOST_SCENARIOS) throw new Error(`--draws must be at most ${MOST_SCENARIOS}, got '${text}'`)
  return draws
}

async function main(): Promise<boolean> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      repeats: { type: 'string' },
      only: { type: 'string', default: '' },
      smoke: { type: 'boolean', default: false },
      seconds: { type: 'string', default: '60' },
      backlog: { type: 'string', default: '10000000' },
      scenario: { type: 'string', default: '' },
      algorithm: { type: 'string', default: '' },
      broker: { type: 'string' },
      seeds: { type: 'string', default: '5' },
      processes: { type: 'string' },
      seed: { type: 'string' },
      draws: { type: 'string' },
      plots: { type: 'string' },
      http: { type: 'boolean', default: false },
      tuning: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const name = positionals[0]
  if (values.help || name === undefined || !BENCHES.includes(name)) {
    console.log(USAGE)
    return values.help
  }
  // For the child processes.
  if (values.smoke) process.env['HEADGATE_SMOKE'] = '1'
  if (name === 'overload') return runOverload(values)
  if (name === 'doctor') {
    const seeds = positive('seeds', values.seeds)
    const processes = values.processes === undefined ? null : positive('processes', values.processes)
    const rows = await doctorBench({ ...values, seeds, processes })
    if (values.json) console.log(JSON.stringify({ bench: 'doctor', rows }, null, 2))
    return values.smoke || rows.every(({ holds }) => holds !== false)
  }
  const results = await measured(name, values)
  if (values.json) console.log(JSON.stringify({ bench: name, rows: results }, null, 2))
  else print(name, results)
  const reasons = results.flatMap((row) => Object.values(row.skipped))
  if (values.smoke) return reasons.length === 0
  return results.every((row) => row.holds !== false) && !reasons.some((reason) => reason.startsWith('failed'))
}

async function runConsole(repeats: number, only: string): Promise<Result[]> {
  const rows = consoleBench.rows.some((row) => row.name.includes(only))
    ? await runRows(consoleBench, repeats, only)
    : []
  if (SHARE.includes(only)) rows.push(await shareOfLooks(repeats))
  if ('a killed API is shown'.includes(only)) rows.push(await killedApi(repeats))
  return rows
}

interface RowValues {
  readonly seconds: string
  readonly backlog: string
  readonly repeats?: string | undefined
  readonly only: string
  readonly scenario: string
  readonly smoke: boolean
  readonly broker?: string | undefined
}

async function measured(name: string, values: RowValues): Promise<Result[]> {
  const { seconds, backlog, scenario, smoke, broker = null } = values
  const repeats = repeatsOf(name, values)
  if (name === 'anchor') return anchor({ seconds: positive('seconds', seconds), backlog: positive('backlog', backlog) })
  if (name === 'kafka') return kafka({ scenario, smoke, broker, repeats })
  if (name === 'console') return runConsole(repeats, values.only)
  return runRows(name === 'engine' ? engine : log, repeats, values.only)
}

interface OverloadValues {
  readonly scenario: string
  readonly algorithm: string
  readonly seed?: string | undefined
  readonly draws?: string | undefined
  readonly plots?: string | undefined
  readonly http: boolean
  readonly repeats?: string | undefined
  readonly smoke: boolean
  readonly json: boolean
}

/** Prints its own tables: it compares many algorithms on many scenarios. */
async function runOverload({
  scenario,
  algorithm,
  seed,
  draws,
  plots,
  http,
  repeats,
  smoke,
  json,
}: OverloadValues): Promise<boolean> {
  const common = { scenario, seed: seed === undefined ? null : positive('seed', seed), smoke, json }
  const rows = http
    ? await overloadHttp(common)
    : await overload({
        ...common,
        algorithm,
        draws: smoke ? SMOKE_SCENARIOS : drawsOf(draws),
        repeats: smoke ? 1 : repeatsOf('overload', { repeats }),
        plots: plots ?? null,
      })
  if (json) console.log(JSON.stringify({ bench: http ? 'overload-http' : 'overload', rows }, null, 2))
  if (smoke) return rows.every((row) => Object.keys(row.skipped).length === 0)
  return rows.every((row) => row.holds !== false)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 2
}
