/** What an attempt's end means: the words for the limiter, and the errors that the stage itself gives. */
import type { AttemptOutcome } from '../control/limiter.ts'
import { HeadgateError, MAX_RETRY_AFTER_MS } from '../model/errors.ts'

export const SUCCEEDED: AttemptOutcome = { kind: 'success' }
export const TIMED_OUT: AttemptOutcome = { kind: 'timeout' }
const FAILED: AttemptOutcome = { kind: 'failed' }
export const IGNORED: AttemptOutcome = { kind: 'ignored' }

export function outcomeOf(error: HeadgateError): AttemptOutcome {
  if (error.code === 'HG_OVERLOADED') return { kind: 'overloaded', retryAfterMs: error.retryAfterMs }
  if (error.code === 'HG_TIMEOUT') return TIMED_OUT
  return error.code === 'HG_RECORD_REJECTED' ? IGNORED : FAILED
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
