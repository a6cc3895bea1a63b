/**
 * Tables of the `log` commands: no borders, figures to the right, dim headings on a terminal. `tail`, `list` and
 * `groups` print through it.
 */
import Table from 'cli-table3'
import { colourOn } from '../output.ts'

export interface Column {
  readonly name: string
  readonly align?: 'left' | 'right'
}

const NO_BORDERS = Object.fromEntries(
  [
    ['top', 'top-mid', 'top-left', 'top-right', 'bottom', 'bottom-mid', 'bottom-left', 'bottom-right'],
    ['left', 'left-mid', 'mid', 'mid-mid', 'right', 'right-mid'],
  ]
    .flat()
    .map((part) => [part, '']),
)

export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const table = new Table({
    head: columns.map(({ name }) => name),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    chars: { ...NO_BORDERS, middle: '  ' },
    style: { head: colourOn(process.stdout) ? ['grey'] : [], border: [], 'padding-left': 0, 'padding-right': 0 },
  })
  table.push(...rows.map((row) => row.map((cell) => cell.replace(/\p{Cc}/gu, ' '))))
  return table
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')
}
