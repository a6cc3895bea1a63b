/**
 * What the console costs: the pace of a pipeline with ten open pages beside that of the same one with none, and of a console that nobody looks at beside
 * that of none at all; and how long it takes until the console shows that an API was killed. The sides are in `console/`.
 */
import type { Bench } from './harness.ts'

export const bench: Bench = {
  name: 'console',
  rows: [
    {
      name: 'ten open pages',
      unit: 'records/s',
      headgate: 'pages-10',
      peers: { 'none open': 'pages-0' },
      goals: { 'none open': 1 / 1.02 },
      inTurns: 'none open',
    },
    {
      name: 'a console that nobody looks at',
      unit: 'records/s',
      headgate: 'pages-0',
      peers: { 'no console': 'no-console' },
      goals: { 'no console': 1 / 1.01 },
      inTurns: 'no console',
    },
  ],
  async contender(key) {
    const { consoleSide } = await import('./console/sides.ts')
    const side = await consoleSide(key)
    if (!side) throw new Error(`no side named '${key}'`)
    return side
  },
}
