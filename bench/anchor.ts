/**
 * The anchor case, measured: the payment example against its fraud API, which sustains 20,000 requests a minute, once
 * with a small backlog and once with a large one. What counts is what the API itself counted, and the memory that the
 * operating system saw. Slow on purpose: the large backlog is appended first, for real.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { FraudStats } from '../examples/payment-enrichment/fraud-tally.ts'
import { type Child, scriptEnvironment, startFraudApi, startScript } from '../examples/payment-enrichment/processes.ts'
import type { Status } from '../src/model/status.ts'
import { type Result, verdict } from './harness.ts'

const SMALL_BACKLOG = 10_000
const MIB = 1024 * 1024
/** The share of a run after which code is compiled and buffers have their size. */
const WARM_SHARE = 0.4
/** Seconds at the start that the completion rate leaves out: connections open, the limiter begins. */
const RAMP_SECONDS = 5
const PROGRESS_EVERY_MS = 10_000

const whole = (count: number): string => count.toLocaleString('en-US')

export interface AnchorOptions {
  readonly seconds: number
  readonly backlog: number
}

interface Run {
  readonly stats: FraudStats
  readonly report: Status
  /** Completions a second, the ramp left out. */
  readonly perSecond: number
  /** Resident memory by the second, in bytes. */
  readonly rss: readonly number[]
}

export async function anchor({ seconds, backlog }: AnchorOptions): Promise<Result[]> {
  if (seconds < 4 * RAMP_SECONDS) throw new Error(`--seconds must be at least ${4 * RAMP_SECONDS}`)
  const small = await runWith(SMALL_BACKLOG, seconds)
  const large = await runWith(backlog, seconds)
  const label = (run: string) => `${run} records of backlog`
  const rows: Result[] = []
  for (const [name, run] of [
    [whole(SMALL_BACKLOG), small],
    [whole(backlog), large],
  ] as const) {
    const { stats, rss } = run
    const sustained = stats.capacityPerMinute / 60
    rows.push(
      result(`completions, ${label(name)}`, 'a second', run.perSecond, 'the API sustains', sustained, 0.98, {
        duplicates: stats.duplicates,
        'answers out of order': stats.orderViolations,
        'residence p99 ms': run.report.latencyMs.p99,
      }),
      // Upside down, so that higher is better here too: what share of the attempts was a completion.
      result(
        `completions per attempt, ${label(name)}`,
        '',
        stats.completed / Math.max(1, stats.attempts),
        'one attempt each',
        1,
        1 / 1.01,
        { 'attempts per completion': stats.attempts / Math.max(1, stats.completed) },
      ),
    )
    rows.push(memoryRow(`memory growth after warm-up, ${label(name)}`, Math.max(...warm(rss)) - (warm(rss)[0] ?? 0)))
  }
  rows.push(memoryRow('memory, large backlog over small', Math.max(...warm(large.rss)) - Math.max(...warm(small.rss))))
  return rows
}

function warm(rss: readonly number[]): readonly number[] {
  const from = rss.slice(Math.floor(rss.length * WARM_SHARE))
  if (from.length === 0) throw new Error('no memory was measured: this bench reads /proc and needs Linux')
  return from
}

function result(
  name: string,
  unit: string,
  headgate: number,
  peer: string,
  value: number,
  goal: number,
  notes: Readonly<Record<string, number>> = {},
): Result {
  const ratio = { [peer]: headgate / value }
  const goals = { [peer]: goal }
  return {
    ...{ name, unit, headgate, ratio, notes, skipped: {} },
    ...{ peers: { [peer]: value }, goal: goals, holds: verdict(goals, ratio) },
  }
}

/** Less is better here: the ratio is the allowance over what was used. */
function memoryRow(name: string, bytes: number): Result {
  const allowed = 64
  const used = Math.max(0.1, bytes / MIB)
  const ratio = { allowance: allowed / used }
  const goal = { allowance: 1 }
  const peers = { allowance: allowed }
  return { name, unit: 'MiB', headgate: used, peers, ratio, goal, holds: verdict(goal, ratio), notes: {}, skipped: {} }
}

async function runWith(backlog: number, seconds: number): Promise<Run> {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-anchor-'))
  const errorsTo = join(directory, 'children.log')
  const logDirectory = join(directory, 'log')
  const generate = (...args: string[]) =>
    startScript('./generate.ts', { args: ['--child', '--path', logDirectory, ...args], errorsTo })
  let failed = true
  try {
    await fill(generate, backlog)
    const api = await startFraudApi({ args: ['--port', '0'], errorsTo })
    // Keeps the small backlog from running dry; beside the large one it makes no difference.
    const arrivals = generate('--per-minute', String(20_000), '--seed', '2')
    try {
      process.stderr.write(`  running for ${seconds} s\n`)
      const { report, rss } = await runPipeline(api.url, logDirectory, join(directory, 'report.json'), seconds)
      const stats = (await (await fetch(`${api.url}/stats`)).json()) as FraudStats
      failed = false
      return { stats, report, rss, perSecond: steadyRate(stats, seconds) }
    } finally {
      await Promise.all([arrivals.stop(), api.child.stop()])
    }
  } finally {
    if (failed) process.stderr.write(readFileSync(errorsTo, 'utf8').slice(-4_000))
    rmSync(directory, { recursive: true, force: true })
  }
}

/** Appends the backlog. All of it is due at once: the generator then writes as fast as the log takes it. */
async function fill(generate: (...args: string[]) => Child, backlog: number): Promise<void> {
  const startedAtMs = performance.now()
  const say = (text: string): void => void process.stderr.write(`  backlog of ${whole(backlog)} records: ${text}\n`)
  say('appending')
  const filling = generate('--per-minute', '1000000000000', '--count', String(backlog))
  const progress = setInterval(() => {
    const { generated = 0 } = (filling.lastLine ?? {}) as { generated?: number }
    say(`${whole(generated)} appended`)
  }, PROGRESS_EVERY_MS)
  const { code } = await filling.ended
  clearInterval(progress)
  if (code !== 0) throw new Error(`the backlog could not be appended (exit code ${code})`)
  say(`appended in ${((performance.now() - startedAtMs) / 1000).toFixed(1)} s`)
}

/** Whole seconds from the end of the ramp to the planned end, as the API counted them. */
function steadyRate(stats: FraudStats, seconds: number): number {
  const first = stats.completedPerSecond.findIndex((count) => count > 0)
  const steady = stats.completedPerSecond.slice(first + RAMP_SECONDS, first + seconds - 2)
  if (first < 0 || steady.length === 0) return 0
  return steady.reduce((sum, count) => sum + count, 0) / steady.length
}

async function runPipeline(
  url: string,
  log: string,
  reportPath: string,
  seconds: number,
): Promise<{ report: Status; rss: number[] }> {
  const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url))
  const script = path('../examples/payment-enrichment/pipeline.ts')
  const args = [path('../dist/cli/main.js'), 'run', script, '--for', `${seconds}s`, '--report', reportPath]
  const child = spawn(process.execPath, args, {
    env: { ...scriptEnvironment(), HEADGATE_FRAUD_URL: url, HEADGATE_LOG: log },
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const ended = new Promise<number | null>((resolve, reject) => child.once('error', reject).once('exit', resolve))
  const over = new AbortController()
  const rss: number[] = []
  const sampling = (async () => {
    while (!over.signal.aborted) {
      const now = residentBytes(child.pid)
      if (now > 0) rss.push(now)
      await delay(1_000, undefined, { signal: over.signal }).catch(() => {})
    }
  })()
  const code = await ended
  over.abort()
  await sampling
  if (code !== 0) throw new Error(`the pipeline ended with ${code}`)
  return { report: JSON.parse(readFileSync(reportPath, 'utf8')) as Status, rss }
}

/** Memory of the process that is its own; pages of the log's file, which the system can drop, are not counted. */
function residentBytes(pid: number | undefined): number {
  try {
    const kib = /^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))
    return kib ? Number(kib[1]) * 1024 : 0
  } catch {
    return 0
  }
}
