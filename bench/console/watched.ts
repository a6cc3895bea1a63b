/**
 * What looking costs a pipeline at full speed: the meter's looks at the process and at collections, the doctor's, and
 * somebody who asks for status and diagnosis as often as the console does. On the other side nobody looks; Headgate has
 * no option for it, so the meter is kept from starting. What the accounting in the engine costs is the last row of
 * `bench engine`.
 */
import { callsLookedAt } from '../engine/headgate-sides.ts'
import { all, counting } from '../engine/workload.ts'
import type { Contender } from '../harness.ts'
import { loadHeadgate, loadMeter } from '../headgate.ts'

export const LOOK_EVERY_MS = 500
const TURNS = { count: 24, seconds: 2 }

let patched: Promise<void> | undefined
/** Whether the meter of the next pipeline starts: both sides run the same code, compiled once. */
let starts = true

export async function watchedSide(key: string): Promise<Contender | null> {
  if (key !== 'watched' && key !== 'unwatched') return null
  const watched = key === 'watched'
  const headgate = await loadHeadgate()
  patched ??= makeMeterOptional()
  await patched
  const side = counting({ warm: 500_000 }, all, async (values) => {
    starts = watched
    return callsLookedAt(headgate, values, watched ? (running) => running.look() : null, LOOK_EVERY_MS)
  })
  return { ...side, turns: TURNS }
}

async function makeMeterOptional(): Promise<void> {
  const { prototype } = await loadMeter()
  const { start } = prototype
  prototype.start = function () {
    if (starts) start.call(this)
  }
}
