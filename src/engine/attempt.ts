/** What an attempt's end means: the words for the limiter, and the errors that the stage itself gives. */
import type { AttemptOutcome } from '../control/limiter.ts'
import { HeadgateError, MAX_RETRY_AFTER_MS } from '../model/errors.ts'
import type { RateLimitFigures } from '../model/rate-limit.ts'

const SUCCEEDED: AttemptOutcome = { kind: 'success' }
const TIMED_OUT: AttemptOutcome = { kind: 'timeout' }
/** A result that came after the time-out: too late to call it a success, but an answer. */
export const ANSWERED_LATE: AttemptOutcome = { kind: 'timeout', answered: true }
const FAILED: AttemptOutcome = { kind: 'failed' }
export const IGNORED: AttemptOutcome = { kind: 'ignored' }
/** What the downstream answered concerns this record alone. */
const ANSWERED: AttemptOutcome = { kind: 'ignored', answered: true }

export function successOf(heard: RateLimitFigures | undefined): AttemptOutcome {
  return heard === undefined ? SUCCEEDED : { kind: 'success', rateLimit: heard }
}

export function outcomeOf(error: HeadgateError, heard: RateLimitFigures | undefined): AttemptOutcome {
  if (error.code === 'HG_OVERLOADED') {
    const { status, retryAfterMs } = error
    return { kind: 'overloaded', status, retryAfterMs, rateLimit: error.rateLimit ?? heard }
  }
  if (error.code === 'HG_TIMEOUT') return TIMED_OUT
  if (error.code === 'HG_CONNECTION_LOST') return FAILED
  return error.scope === 'record' ? ANSWERED : IGNORED
}

export function timeoutError(timeoutMs: number): HeadgateError {
  return new HeadgateError('HG_TIMEOUT', `no result within ${timeoutMs} ms`)
}

export function undefinedResult(stage: string): HeadgateError {
  return new HeadgateError(
    'HG_RECORD_REJECTED',
    `call '${stage}' returned undefined. Return a value (null is one), or the input if the call is made for its effect`,
  )
}

/** How long the downstream asked to be left alone, in ms; 0 when it did not say. */
export function retryAfterOf(error: HeadgateError): number {
  return Math.min(MAX_RETRY_AFTER_MS, Math.max(0, error.retryAfterMs ?? 0))
}
