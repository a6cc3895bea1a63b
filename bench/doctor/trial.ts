/**
 * One planted case: the faulty pipeline and the same one without the fault, both from the same seed, in virtual time.
 * A fault binds when the pipeline gets more than a tenth more done without it; the doctor has ten seconds from the
 * time at which that shows.
 */
import { Doctor, PROBE_MS } from '../../src/diagnose/doctor.ts'
import { completed } from '../../src/diagnose/window.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { PipelineWorld } from '../../src/sim/pipeline/world.ts'

/** What was seen at one time. */
export interface Look {
  readonly atMs: number
  readonly completed: number
  readonly diagnosis: Diagnosis
}

export interface Watched {
  readonly looks: readonly Look[]
  readonly wallMs: number
}

/** Runs a spec with a doctor beside it, which may probe once; `isOver` is asked at each look whether that is enough. */
export function watch(spec: PipelineSpec, seed: number, isOver: (look: Look) => boolean = () => false): Watched {
  const doctor = new Doctor({ probe: true })
  const looks: Look[] = []
  const startMs = performance.now()
  new PipelineWorld(spec, seed, (status, world) => {
    doctor.observe(status)
    const probe = doctor.probe()
    if (probe !== null) world.trySlots(probe.concurrency, PROBE_MS)
    const look = { atMs: world.nowMs, completed: completed(status), diagnosis: doctor.diagnosis() as Diagnosis }
    looks.push(look)
    if (isOver(look)) world.end()
  }).run()
  return { looks, wallMs: performance.now() - startMs }
}

/** What is counted of a run without a doctor. */
export interface Count {
  readonly atMs: number
  readonly completed: number
  /** By stage: attempts that ended so far, and what they took in all. */
  readonly attempts: Readonly<Record<string, { readonly count: number; readonly ms: number }>>
}

export function count(spec: PipelineSpec, seed: number): readonly Count[] {
  const counts: Count[] = []
  new PipelineWorld(spec, seed, (status, world) => {
    const attempts = Object.fromEntries(
      status.stages.map(({ name, durations: { count, ms } }) => [name, { count, ms }]),
    )
    counts.push({ atMs: world.nowMs, completed: completed(status), attempts })
  }).run()
  return counts
}

/** Mean of a stage's attempts that ended in the last `forMs` before `atMs`; NaN when none did. */
export function attemptMsAt(counts: readonly Count[], stage: string, atMs: number, forMs: number): number {
  const to = counts.findLast((each) => each.atMs <= atMs)?.attempts[stage]
  const from = counts.findLast((each) => each.atMs <= atMs - forMs)?.attempts[stage]
  return to === undefined || from === undefined ? Number.NaN : (to.ms - from.ms) / (to.count - from.count)
}

/** Completed a second over the last `forMs` before `atMs`. */
export function paceAt(looks: readonly Pick<Look, 'atMs' | 'completed'>[], atMs: number, forMs: number): number {
  const to = looks.findLast((look) => look.atMs <= atMs)
  const from = looks.findLast((look) => look.atMs <= atMs - forMs)
  if (to === undefined || from === undefined || to.atMs === from.atMs) return Number.NaN
  return ((to.completed - from.completed) * 1000) / (to.atMs - from.atMs)
}

export const BINDS_FROM = 1.1
/** From the time that it shows. */
export const NAMED_WITHIN_MS = 10_000
const PACE_MS = 4000

/**
 * When a fault shows, or null: from then on the pace without it is more than a tenth higher, to the end. What shows so
 * late that there are no ten seconds left does not count.
 */
export function bindsFromMs(
  faulty: readonly Pick<Look, 'atMs' | 'completed'>[],
  healthy: readonly Pick<Look, 'atMs' | 'completed'>[],
  fromMs: number,
): number | null {
  const last = faulty.at(-1)
  if (last === undefined) return null
  let since: number | null = null
  for (const { atMs } of faulty) {
    const ratio = paceAt(healthy, atMs, PACE_MS) / paceAt(faulty, atMs, PACE_MS)
    if (Number.isNaN(ratio)) continue
    if (ratio > BINDS_FROM) since ??= Math.max(fromMs, atMs - PACE_MS)
    else since = null
  }
  const overall = paceAt(healthy, last.atMs, 2 * PACE_MS) / paceAt(faulty, last.atMs, 2 * PACE_MS)
  return since !== null && overall > BINDS_FROM && since + NAMED_WITHIN_MS <= last.atMs ? since : null
}

export type Answer = Pick<Diagnosis['verdict'], 'kind' | 'bottleneck'>

/** When the right answer was first given and not withdrawn again; null when it was not the last one. */
export function namedAtMs(looks: readonly Look[], isRight: (answer: Answer) => boolean): number | null {
  let since: number | null = null
  for (const { atMs, diagnosis } of looks) {
    if (isRight(diagnosis.verdict)) since ??= atMs
    else since = null
  }
  return since
}

/** How often the verdict became another one, a minute, after `fromMs`. */
export function flipsPerMinute(looks: readonly Look[], fromMs: number): number {
  let flips = 0
  let last: string | null = null
  let steadyMs = 0
  for (const { atMs, diagnosis } of looks) {
    if (atMs < fromMs) continue
    const key = `${diagnosis.verdict.kind} ${diagnosis.verdict.bottleneck}`
    if (last !== null && key !== last) flips += 1
    last = key
    steadyMs = atMs - fromMs
  }
  return steadyMs > 0 ? (flips * 60_000) / steadyMs : 0
}
