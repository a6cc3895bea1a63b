/**
 * Limits that are changed while a pipeline runs: admission, and each call stage's slots, rate and time-out. The engine
 * checks them here before it takes any of them, so a wrong figure changes nothing. The ranges are those of the options.
 */
import { RateLimit } from '../control/rate.ts'
import { HeadgateError } from '../model/errors.ts'
import { checkInteger, show } from '../model/option.ts'
import type { AdmissionPlan, RatePlan } from '../model/plan.ts'
import { formatNumber, KIB, MAX_TIMER_MS } from '../model/units.ts'

export interface StageLimits {
  /** Calls in flight: exactly this many of a fixed limit, the most that an adaptive one may find. */
  readonly concurrency?: number
  readonly perSecond?: number
  readonly timeoutMs?: number
}

export interface Limits {
  readonly admission?: Partial<AdmissionPlan>
  /** By the name of the call stage. */
  readonly stages?: Readonly<Record<string, StageLimits>>
}

const MOST_CALLS = 50_000
const MOST_PER_SECOND = 10_000_000

const ADMISSION = {
  records: { min: 1, max: 10_000_000, unit: 'records' },
  bytes: { min: KIB, max: 2 ** 40, unit: 'bytes' },
  residenceMs: { min: 1, max: MAX_TIMER_MS, unit: 'milliseconds' },
  maxRecordBytes: { min: 1, max: 2 ** 40, unit: 'bytes' },
  uncommittedRecords: { min: 1, max: 100_000_000, unit: 'records' },
} as const satisfies Record<keyof AdmissionPlan, unknown>

/** Throws `HG_OPTION_INVALID` for a stage that is not among `calls`, and for a figure that is none of its range. */
export function checkLimits({ admission, stages }: Limits, present: AdmissionPlan, calls: readonly string[]): void {
  for (const [name, value] of Object.entries(admission ?? {})) {
    const range = ADMISSION[name as keyof AdmissionPlan]
    if (range === undefined) throw unknown(`admission.${name}`, Object.keys(ADMISSION))
    checkInteger(`limits › admission.${name}`, value, range)
  }
  const { bytes, maxRecordBytes } = { ...present, ...admission }
  if (maxRecordBytes > bytes) {
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `limits › admission: a record of ${formatNumber(maxRecordBytes)} bytes (maxRecordBytes) would never be admitted ` +
        `with ${formatNumber(bytes)} bytes; raise \`bytes\` or lower \`maxRecordBytes\``,
    )
  }
  for (const [name, limits] of Object.entries(stages ?? {})) {
    if (!calls.includes(name)) {
      const known = calls.map((call) => `'${call}'`).join(', ') || 'none'
      throw new HeadgateError('HG_OPTION_INVALID', `there is no call stage '${name}'; the call stages are: ${known}`)
    }
    checkStage(name, limits)
  }
}

function checkStage(stage: string, limits: StageLimits): void {
  const where = (name: string): string => `limits › stage '${stage}' › ${name}`
  const { concurrency, perSecond, timeoutMs, ...foreign } = limits
  const [other] = Object.keys(foreign)
  if (other !== undefined) throw unknown(where(other), ['concurrency', 'perSecond', 'timeoutMs'])
  if (concurrency !== undefined)
    checkInteger(where('concurrency'), concurrency, { min: 1, max: MOST_CALLS, unit: 'calls in flight' })
  if (timeoutMs !== undefined)
    checkInteger(where('timeoutMs'), timeoutMs, { min: 1, max: MAX_TIMER_MS, unit: 'milliseconds' })
  if (perSecond === undefined || (typeof perSecond === 'number' && perSecond >= 0.0001 && perSecond <= MOST_PER_SECOND))
    return
  const expected = `a number from 0.0001 to ${formatNumber(MOST_PER_SECOND)} (per second)`
  throw new HeadgateError('HG_OPTION_INVALID', `${where('perSecond')}: expected ${expected}, got ${show(perSecond)}`)
}

function unknown(where: string, names: readonly string[]): HeadgateError {
  const known = names.map((name) => `\`${name}\``).join(', ')
  return new HeadgateError('HG_OPTION_INVALID', `${where}: there is no such limit; the limits here are ${known}`)
}

/** The rate from now on, with the burst that the plan's rate has in proportion; `present` null: there was none. */
export function changeRate(present: RateLimit | null, perSecond: number, plan: RatePlan | null): RateLimit {
  const burst = Math.max(1, Math.ceil((perSecond * (plan?.burst ?? 1)) / (plan?.perSecond ?? perSecond)))
  if (present === null) return new RateLimit(perSecond, burst)
  present.change(perSecond, burst)
  return present
}

/** The limits of a call stage as they are; `perSecond` is null without a rate. */
export interface PresentStageLimits {
  readonly concurrency: number
  readonly perSecond: number | null
  readonly timeoutMs: number
}

/** The limits as they are, those that were changed included. */
export interface PresentLimits {
  readonly admission: AdmissionPlan
  /** By the name of the call stage. */
  readonly stages: Readonly<Record<string, PresentStageLimits>>
}
