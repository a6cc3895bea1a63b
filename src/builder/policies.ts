/**
 * The small values that options are made of: what becomes of a failed record, how fast calls may start, how many
 * may be in flight, how retries back off. User code calls them. Invariant: what they return is plain, checked data, ready for a plan.
 */
import type { DeadLetter, Sink } from '../model/connector.ts'
import { show } from '../model/option.ts'
import type { BackoffPlan, FailurePolicy, RatePlan } from '../model/plan.ts'
import { type AdaptiveConcurrency, adaptiveSchema, type FixedConcurrency, slotsSchema } from './concurrency-options.ts'
import type { AdaptiveOptions, ExponentialOptions, RateOptions } from './option-types.ts'
import { parseOptions, refuse } from './problems.ts'
import { isSink } from './recognize.ts'
import { backoffSchema, rateSchema } from './stage-options.ts'

const STOP: FailurePolicy = Object.freeze({ kind: 'stop' })
const SKIP: FailurePolicy = Object.freeze({ kind: 'skip' })

/** Failed records stop the pipeline with their error; nothing is lost. The default everywhere. */
export function stop(): FailurePolicy {
  return STOP
}

/** Failed records are dropped and counted as skipped. */
export function skip(): FailurePolicy {
  return SKIP
}

/** Failed records go to `sink` as they arrived, with the reason; the record is done once they are durable there. */
export function deadLetter(sink: Sink<DeadLetter>): FailurePolicy {
  if (!isSink(sink)) refuse(`deadLetter(sink): expected a sink, got ${show(sink)}`)
  return Object.freeze({ kind: 'deadLetter', sink })
}

/** At most `records` starts a second. `burst` (default: a tenth of a second of them) may start at once. */
export function perSecond(records: number, options?: RateOptions): RatePlan {
  return makeRate('perSecond(records)', records, records, options)
}

/** At most `records` starts a minute. `burst` (default: a tenth of a second of them) may start at once. */
export function perMinute(records: number, options?: RateOptions): RatePlan {
  return makeRate('perMinute(records)', records, records / 60, options)
}

const burstSchema = rateSchema.pick({ burst: true })

function makeRate(where: string, given: unknown, perSecondValue: number, options?: RateOptions): RatePlan {
  if (typeof given !== 'number') refuse(`${where}: expected a number of records, got ${show(given)}`)
  const { perSecond: rate } = rateSchema.shape
  if (!rate.safeParse(perSecondValue).success) {
    refuse(`${where}: expected from 0.0001 to 10,000,000 records a second, got ${show(given)}`)
  }
  const parsed = parseOptions(burstSchema, options, where)
  return Object.freeze(settleRate({ perSecond: perSecondValue, burst: parsed.burst }))
}

/** The burst that was given, or what the rate allows in a tenth of a second: more than a timer can be late. */
export function settleRate(rate: { readonly perSecond: number; readonly burst?: number | undefined }): RatePlan {
  return { perSecond: rate.perSecond, burst: rate.burst ?? Math.max(1, Math.ceil(rate.perSecond / 10)) }
}

/** Delays of `baseMs`, `baseMs × factor`, … up to `maxMs`, each with jitter. Defaults: 100 ms, 10 s, 2. */
export function exponential(options?: ExponentialOptions): BackoffPlan {
  const backoff = parseOptions(backoffSchema, options, 'exponential()')
  checkBackoff(backoff, options, 'exponential()')
  return Object.freeze(settleBackoff(backoff, options))
}

/** Refuses a first delay that is above the longest one. A `maxMs` that was not given follows `baseMs`. */
export function checkBackoff(backoff: BackoffPlan, given: ExponentialOptions | undefined, where: string): void {
  if (given?.maxMs === undefined || backoff.maxMs >= backoff.baseMs) return
  refuse(`${where}: maxMs (${show(backoff.maxMs)}) is below baseMs (${show(backoff.baseMs)}); no delay would fit`)
}

export function settleBackoff(backoff: BackoffPlan, given: ExponentialOptions | undefined): BackoffPlan {
  return given?.maxMs === undefined ? { ...backoff, maxMs: Math.max(backoff.maxMs, backoff.baseMs) } : backoff
}

/** Exactly `calls` calls in flight at most: the same as the plain number. */
export function fixed(calls: number): FixedConcurrency {
  const parsed = slotsSchema.safeParse(calls)
  if (!parsed.success) refuse(`fixed(calls): expected an integer from 1 to 100,000, got ${show(calls)}`)
  return Object.freeze({ kind: 'fixed', limit: parsed.data })
}

/**
 * As many calls in flight as the downstream can take: found from latency, refusals, time-outs and what the downstream
 * says in Retry-After and RateLimit headers, and followed when it moves. The default of every `call`.
 */
export function adaptive(options?: AdaptiveOptions): AdaptiveConcurrency {
  const { initial, min, max, target, limiter } = parseOptions(adaptiveSchema, options, 'adaptive()')
  // A maximum that was not given follows the minimum.
  const most = options?.max === undefined ? Math.max(max, min, initial ?? 1) : max
  if (min > most) refuse(`adaptive(): expected min ≤ max, got min ${show(min)} and max ${show(most)}`)
  if (initial !== undefined && (initial < min || initial > most)) {
    refuse(`adaptive(): expected min ≤ initial ≤ max, got initial ${show(initial)}, min ${min} and max ${most}`)
  }
  return Object.freeze({ kind: 'adaptive', limiter: limiter ?? null, initial: initial ?? null, min, max: most, target })
}
