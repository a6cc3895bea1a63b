/**
 * The matrix: every cause × what it leaves of the capacity × load × seed, and pairs of causes. Each case is judged by
 * what really happens without the fault. The baselines answer from the same last look.
 */
import { SeededRandom } from '../../src/control/random.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { type Base, baseOf } from './base.ts'
import { type BaselineName, baselineAnswers } from './baselines.ts'
import { CAUSES, type Cause } from './causes.ts'
import type { TaskOf } from './task.ts'
import {
  type Answer,
  bindsFromMs,
  count,
  flipsPerMinute,
  type Look,
  NAMED_WITHIN_MS,
  namedAtMs,
  watch,
} from './trial.ts'

export const SEVERITIES = [0.8, 0.5, 0.2]
export const LOADS = [0.5, 0.9, 1.2, 3]

export interface Case {
  readonly cause: string
  readonly left: number
  readonly load: number
  readonly seed: number
  /** When it began to bind; null: it does not. */
  readonly bindsMs: number | null
  /** From then to the right answer; null: never given, or withdrawn. */
  readonly tookMs: number | null
  readonly named: boolean
  /** Of a fault that does not bind: nothing wrong was said. With more arrivals than even the healthy one takes, it has a bottleneck of its own. */
  readonly quiet: boolean
  readonly said: string
  readonly flips: number
  readonly baselines: Readonly<Record<BaselineName, boolean>>
}

export interface Shape {
  readonly seeds: readonly number[]
  readonly severities: readonly number[]
  readonly loads: readonly number[]
}

const LASTS_MS = 22_000
/** A key or a partition holds others back only once its records fill the look-ahead. */
const SKEW_LASTS_MS = 60_000

export function singleTasks({ seeds, severities, loads }: Shape, causes: readonly Cause[]): TaskOf<'single'>[] {
  return causes.flatMap(({ name: cause }) =>
    seeds.flatMap((seed) =>
      severities.flatMap((left) => loads.map((load) => ({ kind: 'single' as const, cause, left, load, seed }))),
    ),
  )
}

const references = new Map<string, ReturnType<typeof count>>()

export function reference(spec: PipelineSpec, seed: number): ReturnType<typeof count> {
  const key = `${seed} ${JSON.stringify(spec)}`
  let looks = references.get(key)
  if (looks === undefined) {
    looks = count(spec, seed)
    references.set(key, looks)
  }
  return looks
}

export function lastsMs(causes: readonly Cause[]): number {
  return causes.some(isSkew) ? SKEW_LASTS_MS : LASTS_MS
}

export function isSkew({ kinds }: Cause): boolean {
  return kinds.includes('key-skew') || kinds.includes('partition-skew')
}

export function at(spec: PipelineSpec, perSecond: number): PipelineSpec {
  return { ...spec, source: { ...spec.source, perSecond } }
}

export function runSingle(cause: Cause, left: number, load: number, seed: number): Case {
  const base = baseOf(seed, lastsMs([cause]))
  const arrivals = base.capacity * load
  const healthy = reference(at(base.spec, arrivals), seed)
  const { looks } = watch(at(cause.plant(base, left), arrivals), seed)
  const isRight = ({ kind, bottleneck }: Answer): boolean =>
    cause.kinds.includes(kind) && bottleneck === cause.bottleneck
  return {
    cause: cause.name,
    left,
    load,
    seed,
    ...judge(looks, bindsFromMs(looks, healthy, cause.fromMs), isRight, load > 1),
  }
}

function judge(
  looks: readonly Look[],
  bindsMs: number | null,
  isRight: (answer: Answer) => boolean,
  overloaded: boolean,
): Omit<Case, 'cause' | 'left' | 'load' | 'seed'> {
  const { verdict } = (looks.at(-1) as Look).diagnosis
  const namedMs = bindsMs === null ? null : namedAtMs(looks, isRight)
  const tookMs = namedMs === null || bindsMs === null ? null : Math.max(0, namedMs - bindsMs)
  return {
    bindsMs,
    tookMs,
    named: tookMs !== null && tookMs <= NAMED_WITHIN_MS,
    quiet: overloaded || looks.every(({ diagnosis: { verdict: said } }) => said.kind === 'none' || isRight(said)),
    said: `${verdict.kind} ${verdict.bottleneck ?? ''}`.trim(),
    flips: bindsMs === null ? 0 : flipsPerMinute(looks, bindsMs + NAMED_WITHIN_MS),
    baselines: baselineAnswers((looks.at(-1) as Look).diagnosis, isRight),
  }
}

export interface PairCase extends Omit<Case, 'cause' | 'left'> {
  readonly causes: string
}

/** Two causes at once, of different severity. Right is whichever binds when the other stays. */
export function pairTasks(seeds: readonly number[], pairs: number): TaskOf<'pair'>[] {
  const tasks: TaskOf<'pair'>[] = []
  for (const seed of seeds) {
    const random = new SeededRandom(seed ^ 0x9a125)
    for (let pair = 0; pair < pairs; pair += 1) {
      const one = CAUSES[Math.floor(random.next() * CAUSES.length)] as Cause
      const other = CAUSES[Math.floor(random.next() * CAUSES.length)] as Cause
      if (one === other || clash(one, other)) continue
      const left = random.next() < 0.5 ? ([0.5, 0.2] as const) : ([0.8, 0.4] as const)
      const load = random.next() < 0.5 ? 1.2 : 3
      tasks.push({ kind: 'pair', one: one.name, other: other.name, left, load, seed })
    }
  }
  return tasks
}

export function runPair(
  one: Cause,
  other: Cause,
  [leftOne, leftOther]: readonly [number, number],
  load: number,
  seed: number,
): PairCase {
  const base = baseOf(seed, lastsMs([one, other]))
  const arrivals = base.capacity * load
  const both = merge(base, one.plant(base, leftOne), other.plant(base, leftOther))
  const { looks } = watch(at(both, arrivals), seed)
  // Without the one, and without the other: what raises the pace is at fault.
  const withoutOne = bindsFromMs(looks, reference(at(other.plant(base, leftOther), arrivals), seed), one.fromMs)
  const withoutOther = bindsFromMs(looks, reference(at(one.plant(base, leftOne), arrivals), seed), other.fromMs)
  const guilty = [...(withoutOne === null ? [] : [one]), ...(withoutOther === null ? [] : [other])]
  const isRight = ({ kind, bottleneck }: Answer): boolean =>
    guilty.some((cause) => cause.kinds.includes(kind) && cause.bottleneck === bottleneck)
  const times = [withoutOne, withoutOther].filter((ms) => ms !== null)
  const bindsMs = times.length === 0 ? null : Math.min(...times)
  return {
    causes: `${one.name} ${leftOne} + ${other.name} ${leftOther}`,
    load,
    seed,
    ...judge(looks, bindsMs, isRight, load > 1),
  }
}

/** Both change the same setting, so that one would undo the other. */
function clash(one: Cause, other: Cause): boolean {
  return one.undoes.some((setting) => other.undoes.includes(setting))
}

/** Each side's changes against the base. */
export function merge({ spec }: Base, one: PipelineSpec, other: PipelineSpec): PipelineSpec {
  const merged: Record<string, unknown> = {}
  for (const part of Object.keys(spec) as (keyof PipelineSpec)[]) {
    const was = spec[part] as unknown
    const [first, second] = [one[part] as unknown, other[part] as unknown]
    if (typeof was !== 'object' || was === null) merged[part] = first
    else {
      const changed = Object.entries(second as object).filter(
        ([name, value]) => value !== (was as Record<string, unknown>)[name],
      )
      merged[part] = { ...(first as object), ...Object.fromEntries(changed) }
    }
  }
  return merged as unknown as PipelineSpec
}
