/** Prints the rows of the comparison and of the retry storm as text. */
import Table from 'cli-table3'
import { HEADGATE } from '../algorithms/registry.ts'
import type { OverloadRow } from '../verdict.ts'
import { MODEL } from './compare.ts'
import { MOST_DIFFERENCE } from './scenarios.ts'
import { NAIVE, type StormRuns } from './storm.ts'

const BORDERS = { head: [], border: [], compact: true }

export function comparisonText(rows: readonly OverloadRow[]): string {
  const table = new Table({ head: ['figure', MODEL, 'HTTP', 'difference', 'goal', ''], style: BORDERS })
  for (const row of rows) {
    const model = row.peers[MODEL] ?? Number.NaN
    const http = row.headgate ?? Number.NaN
    const isGoodput = row.notes['difference'] !== undefined
    table.push([
      `${row.name}, ${row.unit}`,
      show(model) + (isGoodput ? rangeOf(row) : ''),
      show(http),
      isGoodput ? signed(http - model) : '',
      goalOf(row, isGoodput),
      verdictOf(row.holds),
    ])
  }
  return table.toString()
}

export function stormText(rows: readonly OverloadRow[], { http, model }: StormRuns): string {
  const phases = http.headgate.map(({ name }) => `${name}, 1/s`)
  const table = new Table({ head: ['client', ...phases, 'after ÷ before', 'goal', ''], style: BORDERS })
  const lines = [
    { name: `${HEADGATE}, HTTP`, run: http.headgate, verdict: rows.find(({ goal }) => goal.least !== undefined) },
    { name: `${NAIVE}, HTTP`, run: http.naive, verdict: rows.find(({ goal }) => goal.most !== undefined) },
    { name: `${HEADGATE}, ${MODEL}`, run: model.headgate },
    { name: `${NAIVE}, ${MODEL}`, run: model.naive },
  ]
  for (const { name, run, verdict } of lines) {
    const first = run[0]?.perSecond ?? Number.NaN
    const last = run.at(-1)?.perSecond ?? Number.NaN
    table.push([
      name,
      ...run.map(({ perSecond }) => show(perSecond)),
      show(last / first),
      verdict === undefined ? '' : goalOf(verdict, false),
      verdict === undefined ? '' : verdictOf(verdict.holds),
    ])
  }
  return table.toString()
}

function rangeOf({ notes }: OverloadRow): string {
  return ` (${show(notes['least of the model'] ?? Number.NaN)} to ${show(notes['most of the model'] ?? Number.NaN)})`
}

function goalOf({ goal }: OverloadRow, isGoodput: boolean): string {
  const { least, most } = goal
  if (least === undefined && most === undefined) return ''
  if (isGoodput) return `|difference| ≤ ${show(MOST_DIFFERENCE)}`
  return least === undefined ? `≤ ${show(most as number)}` : `≥ ${show(least)}`
}

function verdictOf(holds: boolean | null): string {
  return holds === null ? '' : holds ? 'holds' : 'MISSED'
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(3)}`
}

function show(value: number): string {
  if (Number.isNaN(value)) return '–'
  if (value === Number.POSITIVE_INFINITY) return 'never'
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return Math.abs(value) >= 10 ? value.toFixed(1) : String(Number(value.toFixed(3)))
}
