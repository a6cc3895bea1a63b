/**
 * Healthy pipelines, of which nothing bad may be said: at rest, half and nearly fully loaded, in bursts, starting up,
 * in a rebalance, throttled on purpose, with a slow tenth of calls, with a noisy neighbour on the machine.
 */
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { type Base, baseOf } from './base.ts'
import type { TaskOf } from './task.ts'
import { flipsPerMinute, type Look, watch } from './trial.ts'

export interface Control {
  readonly name: string
  make(base: Base): PipelineSpec
}

function loaded({ spec, capacity }: Base, load: number, more: Partial<PipelineSpec> = {}): PipelineSpec {
  return { ...spec, ...more, source: { ...spec.source, ...more.source, perSecond: capacity * load } }
}

export const CONTROLS: readonly Control[] = [
  { name: 'idle', make: (base) => loaded(base, 0) },
  { name: 'a trickle', make: (base) => loaded(base, 0.02) },
  { name: 'half loaded', make: (base) => loaded(base, 0.5) },
  { name: 'nine tenths loaded', make: (base) => loaded(base, 0.9) },
  { name: 'a burst', make: (base) => loaded(base, 0.5, { burst: { factor: 4, fromMs: 15_000, forMs: 3000 } }) },
  { name: 'a rebalance', make: (base) => loaded(base, 0.6, { rebalanceAtMs: 15_000 }) },
  {
    name: 'throttled on purpose',
    make: (base) => loaded(base, 0.5, { enrich: { ...base.spec.enrich, ratePerSecond: base.capacity * 0.6 } }),
  },
  {
    name: 'a slow tenth',
    make: (base) => loaded(base, 0.45, { enrich: { ...base.spec.enrich, slowShare: 0.1 } }),
  },
  { name: 'a noisy neighbour', make: (base) => loaded(base, 0.6, { thread: { ...base.spec.thread, granted: 0.6 } }) },
  {
    name: 'a few failures',
    make: (base) => loaded(base, 0.6, { enrich: { ...base.spec.enrich, failShare: 0.02 } }),
  },
]

export interface ControlResult {
  readonly name: string
  readonly minutes: number
  /** What was said that should not have been, with its time. */
  readonly alarms: readonly string[]
  readonly flips: number
}

export function controlTasks(seeds: readonly number[], durationMs: number): TaskOf<'control'>[] {
  return CONTROLS.flatMap(({ name }) => seeds.map((seed) => ({ kind: 'control' as const, name, durationMs, seed })))
}

export function runControl(name: string, seed: number, durationMs: number): ControlResult {
  const control = CONTROLS.find((each) => each.name === name)
  if (control === undefined) throw new Error(`there is no control '${name}'`)
  const { looks } = watch(control.make(baseOf(seed, durationMs)), seed)
  return {
    name,
    minutes: durationMs / 60_000,
    alarms: looks.filter(isAlarm).map((look) => textOf(look, seed)),
    flips: flipsPerMinute(looks, 0),
  }
}

const ALARMING: ReadonlySet<string> = new Set(['overload', 'retry-storm', 'stalled', 'failed'])
const CALM: ReadonlySet<string> = new Set(['idle', 'starting', 'keeping-up'])

/** A bad state, or a bottleneck of a pipeline that keeps up. A burst that is worked off at a limit is neither. */
function isAlarm({ diagnosis: { health, verdict } }: Look): boolean {
  return ALARMING.has(health.kind) || (CALM.has(health.kind) && verdict.kind !== 'none')
}

function textOf({ atMs, diagnosis: { health, verdict } }: Look, seed: number): string {
  return `seed ${seed} at ${(atMs / 1000).toFixed(1)} s: ${health.kind}, ${verdict.kind} ${verdict.bottleneck ?? ''}`
}
