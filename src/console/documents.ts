/**
 * What the console's server sends and takes, as plain JSON, beside a `Status` (`/status`) and a `Diagnosis`
 * (`/diagnosis`): the page and `headgate doctor` import these shapes and nothing else of the server. Times are epoch milliseconds, rates per second, durations milliseconds.
 */
import type { PresentLimits } from '../engine/limits.ts'
import type { Diagnosis, HealthKind } from '../model/diagnosis.ts'
import type { Status } from '../model/status.ts'
import type { PartOptions } from '../runtime/part-options.ts'

/** One event of `/events`, named `tick`, twice a second. */
export interface ConsoleTick {
  readonly status: Status
  readonly diagnosis: Diagnosis
  /** What `POST /control` can change, as it is now. */
  readonly limits: PresentLimits
  /** The latest sample of the history; its `atMs` tells whether it is a new one. Null before the first. */
  readonly sample: HistorySample | null
  /** The verdict spans that overlap the last minute; they replace those of the history with the same `fromMs`. */
  readonly verdicts: readonly VerdictSpan[]
  /** The latest changes made through the console, the last one first, 20 at most. */
  readonly audit: readonly AuditEntry[]
}

export const FLOW_SERIES = [
  'inPerSecond',
  'donePerSecond',
  'failedPerSecond',
  'latencyP50Ms',
  'latencyP99Ms',
  'queueAgeMs',
  'backlogRecords',
  'inFlight',
  'admissionLimit',
  'rssBytes',
  'loopShare',
] as const
export type FlowSeries = (typeof FLOW_SERIES)[number]

export const STAGE_SERIES = [
  'okPerSecond',
  'refusedPerSecond',
  'failedPerSecond',
  'inFlight',
  'limit',
  'latencyP50Ms',
  'busyShare',
] as const
export type StageSeries = (typeof STAGE_SERIES)[number]

/** Null where it is not known: nothing completed, or the broker cannot tell. */
export type Figures<Name extends string> = Readonly<Record<Name, number | null>>

export interface HistorySample {
  readonly atMs: number
  readonly flow: Figures<FlowSeries>
  /** By name; the stages that have slots. */
  readonly stages: Readonly<Record<string, Figures<StageSeries>>>
}

/** For so long the verdict was this one; `untilMs` of the last one is when it was last seen. */
export interface VerdictSpan {
  readonly fromMs: number
  readonly untilMs: number
  readonly health: HealthKind
  readonly bottleneck: string | null
  readonly kind: string
  readonly sentence: string
}

/** `/history`: columns, as charts want them. All columns are as long as `atMs`. */
export interface HistoryDocument {
  readonly intervalMs: number
  /** The most samples that are kept. */
  readonly capacity: number
  readonly atMs: readonly number[]
  readonly flow: Readonly<Record<FlowSeries, readonly (number | null)[]>>
  readonly stages: Readonly<Record<string, Readonly<Record<StageSeries, readonly (number | null)[]>>>>
  readonly verdicts: readonly VerdictSpan[]
}

/** `/options`: what each part was told when it was made; what was changed since is in `/limits`. */
export interface OptionsDocument {
  readonly parts: readonly PartOptions[]
}

/**
 * The body of `POST /control`. `confirm` repeats what is to be changed: the name of the stage for `stage`, the name of
 * the pipeline for everything else. Without it nothing happens.
 */
export type ControlRequest =
  | {
      readonly action: 'stage'
      readonly stage: string
      readonly concurrency?: number
      readonly perSecond?: number
      readonly timeoutMs?: number
      readonly confirm: string
    }
  | {
      readonly action: 'admission'
      readonly records?: number
      readonly bytes?: number
      readonly residenceMs?: number
      readonly confirm: string
    }
  | { readonly action: 'pause' | 'resume' | 'drain'; readonly confirm: string }

/** The answer to a change that was made. */
export interface ControlAnswer {
  readonly done: AuditEntry
}

/** One change through the console; the same goes to the log. */
export interface AuditEntry {
  readonly atMs: number
  readonly action: ControlRequest['action']
  /** The stage, or null for the pipeline. */
  readonly stage: string | null
  /** What was asked for, for example `concurrency 8, perSecond 300`; empty for pause, resume and drain. */
  readonly change: string
  /** Before it, in the same form. */
  readonly before: string
  /** `page` or `script`, and the address that it came from. */
  readonly by: string
}

/** The answer to every request that was refused. */
export interface RefusalDocument {
  readonly error: {
    /** `HG_…`, or one of `unauthorised`, `forbidden`, `not-found`, `bad-request`, `conflict`, `busy`. */
    readonly code: string
    /** What is wrong and what to do. */
    readonly message: string
  }
}

/** `/healthz` and `/readyz`. */
export interface ProbeDocument {
  readonly ok: boolean
  readonly reason: string
}
