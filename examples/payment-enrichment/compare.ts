/**
 * `npm run compare`: the naive consumer and Headgate, one after the other, against the same fraud API and the same
 * load, and one table. Each is measured for a minute (`--seconds`), and killed with SIGKILL in the middle of a
 * shorter run of its own. What was achieved is read from the API's counters. `--json FILE` keeps the figures.
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { type Contestant, type Killed, killInTheMiddle, type Measured, measure } from './contestants.ts'
import { numberFlag } from './flags.ts'

const { values: flags } = parseArgs({
  options: {
    seconds: { type: 'string' },
    'kill-seconds': { type: 'string' },
    seed: { type: 'string' },
    only: { type: 'string' },
    json: { type: 'string' },
  },
})

const CONTESTANTS: readonly Contestant[] = [
  { name: 'naive', script: './naive.ts', group: 'naive' },
  { name: 'Headgate', script: './headgate-run.ts', group: 'enrichers' },
]

type Result = Measured & { readonly killed: Killed }

const whole = (value: number): string => Math.round(value).toLocaleString('en-US')

const ROWS: readonly (readonly [string, (result: Result) => string])[] = [
  ['completions a minute', (result) => whole(result.completionsPerMinute)],
  ["share of the API's capacity", (result) => `${result.sharePercent.toFixed(1)} %`],
  ['attempts per completion', (result) => result.attemptsPerCompletion.toFixed(2)],
  ['refused with 429', (result) => whole(result.refused429)],
  ['refused with 503', (result) => whole(result.refused503)],
  ['timeouts', (result) => whole(result.timeouts)],
  ['payments given up', (result) => whole(result.gaveUp)],
  ['scored out of order', (result) => whole(result.orderViolations)],
  ['p99 latency of a completed call', (result) => `${whole(result.latencyP99Ms)} ms`],
  ['peak memory (RSS)', (result) => `${whole(result.rssPeakMiB)} MiB`],
  ['lost by a kill -9 in the middle', (result) => whole(result.killed.lost)],
  ['scored twice after it', (result) => whole(result.killed.scoredTwice)],
]

function table(results: ReadonlyMap<string, Result>): string {
  const lines = [['', ...results.keys()], ...ROWS.map(([title, cell]) => [title, ...[...results.values()].map(cell)])]
  const widths = lines[0]!.map((_, column) => Math.max(...lines.map((line) => line[column]!.length), 3))
  const row = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => (column ? cell.padStart(widths[column]!) : cell.padEnd(widths[column]!))).join(' | ')} |`
  const rule = `| ${widths.map((width, column) => (column ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width))).join(' | ')} |`
  return [row(lines[0]!), rule, ...lines.slice(1).map(row)].join('\n')
}

const seconds = numberFlag('seconds', flags.seconds, 60)
const killSeconds = numberFlag('kill-seconds', flags['kill-seconds'], Math.min(20, seconds))
const seed = numberFlag('seed', flags.seed, 1)
const results = new Map<string, Result>()

console.log(`100,000 payments a minute arrive; the fraud API takes 20,000. ${seconds} s for each consumer.\n`)
for (const contestant of CONTESTANTS) {
  if (flags.only !== undefined && flags.only !== contestant.name.toLowerCase()) continue
  const say = (text: string): void => console.log(`${contestant.name.padEnd(8)}  ${text}`)
  const measured = await measure(contestant, seed, seconds * 1000, say)
  const killed = await killInTheMiddle(contestant, seed, killSeconds * 1000, say)
  results.set(contestant.name, { ...measured, killed })
}
console.log(`\n${table(results)}`)
if (flags.json !== undefined) {
  const figures = { seconds, killSeconds, seed, node: process.version, results: Object.fromEntries(results) }
  writeFileSync(flags.json, `${JSON.stringify(figures, null, 2)}\n`)
}
