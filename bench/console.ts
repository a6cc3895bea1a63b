/**
 * What the console costs: the pace of a pipeline with ten open pages beside that of the same one with none, and of a
 * console without pages beside that of one that does not look; what the meter and the doctor cost a pipeline at full
 * speed; and how long it takes until the console shows that an API was killed. The sides are in `console/`.
 */

import { TIMES } from './console/timers.ts'
import type { Bench } from './harness.ts'

/** What looks so many times as often may cost as many percent. */
const ALLOWED = 1 / (1 + 0.01 * TIMES)

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
      name: `a console without pages that looks ${TIMES} times as often`,
      unit: 'records/s',
      headgate: 'many-looks',
      peers: { 'no looks': 'no-looks' },
      goals: { 'no looks': ALLOWED },
      inTurns: 'no looks',
    },
    {
      name: `a meter and a doctor that look ${TIMES} times as often`,
      unit: 'records/s',
      headgate: 'watched',
      peers: { 'nobody looks': 'unwatched' },
      goals: { 'nobody looks': ALLOWED },
      inTurns: 'nobody looks',
    },
    {
      name: 'a meter and a doctor: the measurement itself',
      unit: 'records/s',
      headgate: 'unwatched',
      peers: { 'the same again': 'unwatched' },
      goals: {},
      inTurns: 'the same again',
    },
  ],
  async contender(key) {
    const { consoleSide } = await import('./console/sides.ts')
    const { watchedSide } = await import('./console/watched.ts')
    const side = (await consoleSide(key)) ?? (await watchedSide(key))
    if (!side) throw new Error(`no side named '${key}'`)
    return side
  },
}
