/**
 * What other rules would have said at the same look: the boundary rule (the last stage that is busy, with no look at the
 * process or at what the slots wait for), Clinic's four categories, and the stage with the highest latency. Each is
 * given the benefit of the doubt: its answer counts as right where it points at the right stage or category.
 */
import type { CauseKind, Diagnosis } from '../../src/model/diagnosis.ts'
import type { Answer } from './trial.ts'

export const BASELINES = ['boundary rule', "Clinic's categories", 'highest latency'] as const
export type BaselineName = (typeof BASELINES)[number]

export function baselineAnswers(
  diagnosis: Diagnosis,
  isRight: (answer: Answer) => boolean,
): Record<BaselineName, boolean> {
  return {
    'boundary rule': pointsAt(boundary(diagnosis), isRight),
    "Clinic's categories": clinic(diagnosis).some((kind) =>
      ANYWHERE.some((bottleneck) => isRight({ kind, bottleneck })),
    ),
    'highest latency': pointsAt(slowest(diagnosis), isRight),
  }
}

const ANYWHERE = [null, 'parse', 'enrich', 'batch', 'store', 'orders']

/** A rule that names a stage and no kind is right with any kind of that stage that a stage can have. */
function pointsAt(stage: string | null, isRight: (answer: Answer) => boolean): boolean {
  return stage !== null && STAGE_KINDS.some((kind) => isRight({ kind, bottleneck: stage }))
}

const STAGE_KINDS: readonly CauseKind[] = [
  'own-cpu', 'per-record-overhead', 'downstream-latency', 'downstream-saturated', 'remote-limit', 'local-limit',
  'pool-wait', 'key-skew', 'partition-skew', 'small-batches', 'slow-sink', 'retry-storm', 'stalled', 'slow-fetch',
  'slow-commit',
] // biome-ignore format: a list reads better in rows

/** The last stage that is busy for more than 85 % of its slots' time and not pushed back. */
function boundary({ stages }: Diagnosis): string | null {
  return stages.findLast(({ states }) => 1 - states.IDLE - states.BLOCKED > 0.85 && states.BLOCKED < 0.1)?.name ?? null
}

/** CPU usage, event loop delay, memory and handles, as Clinic.js Doctor tells them apart. */
function clinic({ process }: Diagnosis): readonly CauseKind[] {
  if (process.gcShare > 0.1) return ['memory']
  if (process.loopUtilisation > 0.9)
    return (process.cpuPerBusy ?? 1) > 0.9 ? ['own-cpu', 'foreign-code'] : ['foreign-code']
  // A potential I/O issue: it does not say which.
  return ['downstream-latency']
}

function slowest({ stages }: Diagnosis): string | null {
  let most: Diagnosis['stages'][number] | null = null
  for (const stage of stages) if ((stage.latencyMs ?? 0) > (most?.latencyMs ?? 0)) most = stage
  return most?.name ?? null
}
