/**
 * What part of its thread's time a pipeline at full speed spends being looked at, by a profile of the thread: the meter's
 * looks at the process and at collections, the doctor's, and somebody who asks for the diagnosis as often as the console
 * does. Beside the row of `watched.ts`, which has what looking does to the rest as well.
 */
import { type Profiler, Session } from 'node:inspector/promises'
import { callsLookedAt } from '../engine/headgate-sides.ts'
import { median, type Result, verdict } from '../harness.ts'
import { loadHeadgate } from '../headgate.ts'
import { LOOK_EVERY_MS } from './watched.ts'

const ALLOWED = 0.01
const RECORDS = 4_000_000
/** Pipelines one after another in a repeat; one more before them is not counted. */
const PIPELINES = 6
const INTERVAL_US = 500
/** Where looking begins. Only the meter has Node.js tell it of collections. */
const LOOKS = /\/(?:runtime\/(?:meter|process-clock|collections)|diagnose\/[\w-]+)\.js$|^node:internal\/perf\/observe$/
const NOBODY: ReadonlySet<string> = new Set(['(idle)', '(root)'])

export const SHARE = 'the thread for a meter and a doctor'

export async function shareOfLooks(repeats: number): Promise<Result> {
  const headgate = await loadHeadgate()
  const values = Array.from({ length: RECORDS }, (_, index) => index)
  const pipelineOnce = (): Promise<number> =>
    callsLookedAt(headgate, values, (running) => running.look(), LOOK_EVERY_MS)
  await pipelineOnce()
  const shares: number[] = []
  const rates: number[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const startedMs = performance.now()
    const profile = await profileOf(async () => {
      for (let count = 0; count < PIPELINES; count += 1) await pipelineOnce()
    })
    rates.push((PIPELINES * RECORDS * 1000) / (performance.now() - startedMs))
    const share = shareIn(profile)
    process.stderr.write(`  ${SHARE}: repeat ${repeat + 1}, ${(share * 100).toFixed(2)} %\n`)
    shares.push(share)
  }
  const measured = median(shares)
  const ratio = { allowance: measured / ALLOWED }
  const goal = { allowance: 1 }
  return {
    ...{ name: SHARE, unit: '%', headgate: measured * 100, peers: { allowance: ALLOWED * 100 }, lower: true },
    ...{ ratio, goal, holds: verdict(goal, ratio, true), skipped: {} },
    notes: { 'records/s meanwhile': median(rates) },
  }
}

async function profileOf(work: () => Promise<void>): Promise<Profiler.Profile> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: INTERVAL_US })
    await session.post('Profiler.start')
    await work()
    return (await session.post('Profiler.stop')).profile
  } finally {
    session.disconnect()
  }
}

/** Of the time in which the thread did something. */
function shareIn({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): number {
  const byId = new Map(nodes.map((node) => [node.id, node]))
  /** By node, whether it or what called it looks. */
  const looks = new Map<number, boolean>()
  const walk = (id: number, within: boolean): void => {
    const { callFrame, children = [] } = byId.get(id) as Profiler.ProfileNode
    const isLook = within || LOOKS.test(callFrame.url) || callFrame.functionName === 'look'
    looks.set(id, isLook)
    for (const child of children) walk(child, isLook)
  }
  walk((nodes[0] as Profiler.ProfileNode).id, false)
  let busy = 0
  let looking = 0
  for (const [index, id] of samples.entries()) {
    if (NOBODY.has((byId.get(id) as Profiler.ProfileNode).callFrame.functionName)) continue
    const us = timeDeltas[index] as number
    busy += us
    if (looks.get(id)) looking += us
  }
  return looking / busy
}
