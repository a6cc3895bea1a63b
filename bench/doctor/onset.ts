/**
 * A fault that begins in the middle of a run and ends again: the pipeline is healthy, then the cause is there, then it
 * is healed and what has gathered is worked off. The doctor has to name it within ten seconds of the time at which it
 * shows, to say nothing before, and to take it back once the pipeline has caught up with one that never had it.
 */
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { type Base, baseOf } from './base.ts'
import type { Cause } from './causes.ts'
import { at, isSkew, reference } from './matrix.ts'
import type { TaskOf } from './task.ts'
import { type Answer, bindsFromMs, flipsPerMinute, type Look, NAMED_WITHIN_MS, namedAtMs, watch } from './trial.ts'

export interface OnsetCase {
  readonly cause: string
  readonly left: number
  readonly seed: number
  /** From the onset to the time at which it showed; null: it did not. */
  readonly showedMs: number | null
  /** From then to the right answer, which stood to the end of the fault; null: not given. */
  readonly tookMs: number | null
  readonly named: boolean
  /** From the time at which it had caught up to the last word of a bottleneck; null: it did not catch up in time. */
  readonly backMs: number | null
  readonly back: boolean
  /** Something was said before there was anything. */
  readonly early: boolean
  /** A minute, while nothing changed. */
  readonly flips: number
  readonly said: string
}

/** Busy enough for the fault to bind, and with room to catch up afterwards. */
const LOAD = 0.6
const HEALTHY_MS = 15_000
const FAULTY_MS = 20_000
/** A key or a partition holds others back only once its records fill the look-ahead. */
const SKEW_FAULTY_MS = 30_000
/** As long as the slowest takes to work off what has gathered. */
const CATCHES_UP_MS = 200_000
/** It is watched for so long afterwards. */
const AFTERWARDS_MS = 25_000
/** Behind by so much of the arrivals it has caught up. */
const CAUGHT_UP_SECONDS = 0.5

/** What it leaves: of the seeds one after another. */
const LEFT = [0.2, 0.4] as const

export function onsetTasks(seeds: readonly number[], causes: readonly Cause[]): TaskOf<'onset'>[] {
  return seeds.flatMap((seed, index) =>
    causes.map(({ name: cause }) => ({ kind: 'onset' as const, cause, left: LEFT[index % 2] as number, seed })),
  )
}

export function runOnset(cause: Cause, left: number, seed: number): OnsetCase {
  const skew = isSkew(cause)
  const healMs = HEALTHY_MS + (skew ? SKEW_FAULTY_MS : FAULTY_MS)
  const base = baseOf(seed, healMs + CATCHES_UP_MS)
  const arrivals = base.capacity * LOAD
  const faulty = at(cause.plant(base, left), arrivals)
  const healthy = at(withoutFault(base, faulty), arrivals)
  const changes = [
    { atMs: HEALTHY_MS, to: faulty },
    { atMs: healMs, to: healthy },
  ]
  // The same arrivals, and everything in time: what the plan rests on makes no difference to that.
  const never = reference(at(base.spec, arrivals), seed)
  const isCaughtUp = ({ atMs, completed }: Look): boolean =>
    atMs > healMs && completed >= completedBy(never, atMs) - arrivals * CAUGHT_UP_SECONDS
  let overMs = Number.POSITIVE_INFINITY
  const { looks } = watch({ ...healthy, changes }, seed, (look) => {
    if (isCaughtUp(look)) overMs = Math.min(overMs, look.atMs + AFTERWARDS_MS)
    return look.atMs >= overMs
  })
  const caughtUp = looks.find(isCaughtUp)
  const isRight = ({ kind, bottleneck }: Answer): boolean =>
    cause.kinds.includes(kind) && bottleneck === cause.bottleneck

  const before = looks.filter(({ atMs }) => atMs <= HEALTHY_MS)
  const during = looks.filter(({ atMs }) => atMs <= healMs)
  const bindsMs = bindsFromMs(during, never.slice(0, during.length), HEALTHY_MS)
  const namedMs = bindsMs === null ? null : namedAtMs(during, isRight)
  const tookMs = namedMs === null || bindsMs === null ? null : Math.max(0, namedMs - bindsMs)
  const lastWord = looks.findLast(({ diagnosis: { verdict } }) => verdict.kind !== 'none')
  const ended = looks.at(-1) as Look
  const backMs =
    caughtUp === undefined || lastWord === ended ? null : Math.max(0, (lastWord?.atMs ?? 0) - caughtUp.atMs)
  const steady = [
    flipsPerMinute(before, 0),
    bindsMs === null ? 0 : flipsPerMinute(during, bindsMs + NAMED_WITHIN_MS),
    caughtUp === undefined ? 0 : flipsPerMinute(looks, caughtUp.atMs + NAMED_WITHIN_MS),
  ]
  const { verdict } = (during.at(-1) as Look).diagnosis
  return {
    cause: cause.name,
    left,
    seed,
    showedMs: bindsMs === null ? null : bindsMs - HEALTHY_MS,
    tookMs,
    named: tookMs !== null && tookMs <= NAMED_WITHIN_MS,
    backMs,
    back: backMs !== null && backMs <= NAMED_WITHIN_MS,
    early: before.some(({ diagnosis }) => diagnosis.verdict.kind !== 'none'),
    flips: Math.max(...steady),
    said: `${verdict.kind} ${verdict.bottleneck ?? ''}`.trim(),
  }
}

function completedBy(looks: readonly Pick<Look, 'atMs' | 'completed'>[], atMs: number): number {
  return looks.findLast((look) => look.atMs <= atMs)?.completed ?? 0
}

/** What the plan rests on is there from the start and does no harm; what the fault does to the surroundings is not. */
function withoutFault({ spec, capacity }: Base, faulty: PipelineSpec): PipelineSpec {
  const { enrich, source } = faulty
  const { latencyMs, servers, quotaPerSecond, failShare, hangsFromMs } = spec.enrich
  return {
    ...faulty,
    parse: spec.parse,
    enrich: {
      ...enrich,
      latencyMs,
      servers,
      quotaPerSecond,
      failShare,
      hangsFromMs,
      ratePerSecond: enrich.ratePerSecond === null ? null : 3 * capacity,
      pool: enrich.pool === null ? null : enrich.slots,
    },
    source: { ...spec.source, perSecond: source.perSecond, fetchRecords: source.fetchRecords },
    store: spec.store,
    thread: spec.thread,
  }
}
