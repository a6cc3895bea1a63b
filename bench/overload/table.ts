/** Prints the lab's results as text: every scenario beside every algorithm, and Headgate's figures beside the goals. */
import Table from 'cli-table3'
import { HEADGATE } from './algorithms/registry.ts'
import type { RandomScore } from './random-trials.ts'
import { type OverloadRow, REFERENCE, type Summary } from './verdict.ts'

export interface Line {
  readonly scenario: string
  readonly summaries: ReadonlyMap<string, Summary>
}

const BORDERS = { head: [], border: [], compact: true }

/** goodput / p99 / waste in percent, the first two ÷ oracle; no waste is left out. */
function cell(summary: Summary | undefined): string {
  if (summary === undefined) return ''
  const { goodput, p99, wasted } = summary
  if (!Number.isFinite(p99)) return `${goodput.toFixed(2)}/–/${percent(wasted)}`
  const rest = wasted >= 0.00005 ? `/${percent(wasted)}` : ''
  return `${goodput.toFixed(2)}/${p99.toFixed(1)}${rest}`
}

export function printScenarios(lines: readonly Line[], seeds: readonly number[]): void {
  const names = [...new Set(lines.flatMap((line) => [...line.summaries.keys()]))]
  console.log(`\ngoodput ÷ oracle / p99 ÷ oracle / wasted %, median of ${seeds.length} seed(s): ${seeds.join(', ')}`)
  const table = new Table({ head: ['scenario', ...names], style: BORDERS })
  for (const { scenario, summaries } of lines) table.push([scenario, ...names.map((name) => cell(summaries.get(name)))])
  console.log(table.toString())
}

export function printRandom(title: string, scores: ReadonlyMap<string, RandomScore>): void {
  console.log(`\n${title}: a phase passes with goodput ≥ .9, p99 ≤ 1.5 ×, waste < 1 %`)
  const table = new Table({ head: ['algorithm', 'phases passed', 'its worst phase', 'there'], style: BORDERS })
  for (const [name, { passed, phases, worst }] of scores) {
    const { goodput, p99, wasted, name: phase } = worst.phase
    const figures = `${goodput.toFixed(2)} / ${Number.isNaN(p99) ? '–' : p99.toFixed(1)} / ${percent(wasted)} %`
    table.push([name, `${passed} of ${phases} (${percent(passed / phases)} %)`, `${worst.scenario}, ${phase}`, figures])
  }
  console.log(table.toString())
}

export function printGoals(rows: readonly OverloadRow[]): void {
  console.log('\nHeadgate beside the goals')
  const table = new Table({ head: ['figure', HEADGATE, 'best peer', 'goal', ''], style: BORDERS })
  for (const row of rows) {
    const { least, most, eachSeedLeast } = row.goal
    const worst = row.notes['worst seed']
    const reference = row.notes[REFERENCE]
    const seeds = eachSeedLeast !== undefined && worst !== undefined ? ` (worst seed ${worst.toFixed(2)})` : ''
    const beside = reference !== undefined ? ` (${REFERENCE} ${reference.toFixed(1)})` : ''
    const goal = least !== undefined ? `≥ ${show(least)}` : most !== undefined ? `≤ ${show(most)}` : ''
    table.push([
      `${row.name}, ${row.unit}`,
      row.headgate === null ? '–' : `${show(row.headgate)}${seeds}${beside}`,
      bestPeer(row),
      goal,
      row.holds === null ? '' : row.holds ? 'holds' : 'MISSED',
    ])
  }
  console.log(table.toString())
}

function bestPeer({ peers, goal }: OverloadRow): string {
  const higherIsBetter = goal.least !== undefined
  const sorted = Object.entries(peers)
    .filter(([, value]) => !Number.isNaN(value))
    .sort(([, a], [, b]) => (higherIsBetter ? b - a : a - b))
  const [first] = sorted
  return first === undefined ? '–' : `${show(first[1])} ${first[0]}`
}

function percent(share: number): string {
  const value = share * 100
  return value >= 9.95 ? value.toFixed(0) : value >= 0.995 ? value.toFixed(1) : value.toFixed(2)
}

function show(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return 'never'
  if (value >= 100) return value.toFixed(0)
  return value >= 10 ? value.toFixed(1) : String(Number(value.toFixed(3)))
}
