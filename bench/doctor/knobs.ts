/**
 * Every knob that a diagnosis recommends or discourages is really turned, in a second run of the same pipeline from the
 * same seed: what the capacity model predicted ÷ what came of it, of the rate and, where it says so, of an attempt.
 */
import type { Knob } from '../../src/model/diagnosis.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { baseOf } from './base.ts'
import type { Cause } from './causes.ts'
import { at, lastsMs } from './matrix.ts'
import type { TaskOf } from './task.ts'
import { attemptMsAt, type Count, count, type Look, paceAt, watch } from './trial.ts'

export interface Turned {
  readonly cause: string
  readonly left: number
  readonly seed: number
  readonly knob: string
  readonly advice: Knob['advice']
  readonly predicted: number
  readonly measured: number
  /** predicted ÷ measured − 1, without its sign. */
  readonly error: number
  /** The same of what an attempt takes, in ms; null where nothing is predicted of it. */
  readonly attempt: { readonly predicted: number; readonly measured: number; readonly error: number } | null
}

const PACE_MS = 8000

export function knobTasks(
  seeds: readonly number[],
  severities: readonly number[],
  load: number,
  causes: readonly Cause[],
): TaskOf<'knobs'>[] {
  return causes.flatMap(({ name: cause }) =>
    seeds.flatMap((seed) => severities.map((left) => ({ kind: 'knobs' as const, cause, left, load, seed }))),
  )
}

export function turnAll(cause: Cause, left: number, load: number, seed: number): Turned[] {
  const base = baseOf(seed, lastsMs([cause]))
  const spec = at(cause.plant(base, left), base.capacity * load)
  const { diagnosis, atMs } = watch(spec, seed).looks.at(-1) as Look
  const { verdict } = diagnosis
  if (!cause.kinds.includes(verdict.kind) || verdict.bottleneck !== cause.bottleneck) return []
  return diagnosis.knobs.flatMap((knob) => {
    const changed = turn(spec, cause, knob)
    if (changed === null) return []
    const counts = count(changed, seed)
    const measured = paceAt(counts, atMs, PACE_MS)
    if (!(measured > 0)) return []
    const predicted = knob.predicted.completionPerSecond
    return [
      {
        cause: cause.name,
        left,
        seed,
        knob: knob.sentence,
        advice: knob.advice,
        predicted,
        measured,
        error: Math.abs(predicted / measured - 1),
        attempt: attemptOf(knob, counts, atMs),
      },
    ]
  })
}

function attemptOf(
  { stage, predicted: { latencyMs } }: Knob,
  counts: readonly Count[],
  atMs: number,
): Turned['attempt'] {
  const measured = stage === null ? Number.NaN : attemptMsAt(counts, stage, atMs, PACE_MS)
  if (latencyMs === null || !(measured > 0)) return null
  return { predicted: latencyMs, measured, error: Math.abs(latencyMs / measured - 1) }
}

/** The spec with the knob turned; null for one that this world does not have (more processes, a key split in two). */
function turn(spec: PipelineSpec, cause: Cause, { setting, stage, from, to }: Knob): PipelineSpec | null {
  const { enrich, store, batch, source, thread, admission } = spec
  const factor = from !== null && to !== null && from > 0 ? to / from : null
  switch (setting) {
    case 'concurrency':
      if (factor === null) return null
      if (stage === 'store')
        return { ...spec, store: { ...store, writes: Math.max(1, Math.round(store.writes * factor)) } }
      return stage === 'enrich' ? { ...spec, enrich: { ...enrich, slots: to as number } } : null
    case 'rate':
      return { ...spec, enrich: { ...enrich, ratePerSecond: to } }
    case 'batch-records':
      return factor === null
        ? null
        : { ...spec, batch: { ...batch, records: Math.max(1, Math.round(batch.records * factor)) } }
    case 'pool':
      return { ...spec, enrich: { ...enrich, pool: to } }
    case 'keys':
      return {
        ...spec,
        source: { ...source, hottestKey: source.hottestKey / 2, largestPartition: halfPartition(spec) },
      }
    case 'downstream':
      return stage === 'store'
        ? { ...spec, store: { ...store, fixedMs: store.fixedMs / FASTER, eachMs: store.eachMs / FASTER } }
        : faster(spec, cause)
    case 'own-code':
      if (stage === null) return { ...spec, thread: { ...thread, blockMs: 0 } }
      return stage === 'parse' ? { ...spec, parse: { cpuMs: spec.parse.cpuMs / 2 } } : null
    case 'fetch':
      return { ...spec, source: { ...source, fetchMs: source.fetchMs / 2 } }
    case 'commit':
      return { ...spec, admission: { ...admission, uncommittedRecords: admission.uncommittedRecords * 2 } }
    case 'heap':
      return { ...spec, thread: { ...thread, gcEveryRecords: thread.gcEveryRecords * 4 } }
    case 'retry-budget':
      return { ...spec, enrich: { ...enrich, failShare: 0 } }
    default:
      return null
  }
}

const FASTER = 1.5

function faster({ enrich, ...spec }: PipelineSpec, cause: Cause): PipelineSpec {
  if (cause.kinds.includes('remote-limit'))
    return { ...spec, enrich: { ...enrich, quotaPerSecond: (enrich.quotaPerSecond ?? 0) * FASTER } }
  if (enrich.servers !== null)
    return { ...spec, enrich: { ...enrich, servers: Math.max(1, Math.round(enrich.servers * FASTER)) } }
  return { ...spec, enrich: { ...enrich, latencyMs: enrich.latencyMs / FASTER } }
}

/** Half of what makes the largest partition larger than the others. */
function halfPartition({ source: { largestPartition, partitions } }: PipelineSpec): number {
  return largestPartition > 2 / partitions ? largestPartition / 2 : largestPartition
}
