/**
 * Errors, named by the reaction they cause. Connectors and handlers throw them; the engine asks `classify` what any
 * thrown value means. `scope` says whose fault it is: a record's own (it uses up attempts), the downstream's (it is
 * waited out), or the pipeline's (it stops).
 */
import type { RateLimitFigures } from './rate-limit.ts'

export type ErrorCode =
  | 'HG_OPTION_INVALID'
  | 'HG_CONNECTION_LOST'
  | 'HG_OVERLOADED'
  | 'HG_TIMEOUT'
  | 'HG_HANDLER_FAILED'
  | 'HG_RECORD_REJECTED'
  | 'HG_FENCED'
  | 'HG_COMMIT_FAILED'
  | 'HG_STORAGE'
  | 'HG_INVARIANT'

export type ErrorScope = 'record' | 'downstream' | 'pipeline'

interface Reaction {
  readonly retryable: boolean
  readonly scope: ErrorScope
}

/** The one table: what each code makes the runtime do. */
export const REACTIONS: Readonly<Record<ErrorCode, Reaction>> = {
  HG_OPTION_INVALID: { retryable: false, scope: 'pipeline' },
  HG_CONNECTION_LOST: { retryable: true, scope: 'downstream' },
  HG_OVERLOADED: { retryable: true, scope: 'downstream' },
  HG_TIMEOUT: { retryable: true, scope: 'record' },
  HG_HANDLER_FAILED: { retryable: true, scope: 'record' },
  HG_RECORD_REJECTED: { retryable: false, scope: 'record' },
  HG_FENCED: { retryable: false, scope: 'pipeline' },
  HG_COMMIT_FAILED: { retryable: true, scope: 'pipeline' },
  HG_STORAGE: { retryable: false, scope: 'pipeline' },
  HG_INVARIANT: { retryable: false, scope: 'pipeline' },
}

export interface HeadgateErrorOptions {
  readonly cause?: unknown
  /**
   * For `HG_OVERLOADED`: how long the downstream asked to be left alone, in milliseconds. More than
   * `MAX_RETRY_AFTER_MS` counts as that; then it is asked again.
   */
  readonly retryAfterMs?: number | undefined
  /** The HTTP status of the answer, where there was one: 429 is a quota, 503 a downstream that is too busy. */
  readonly status?: number | undefined
  /** What the answer's RateLimit headers say. */
  readonly rateLimit?: RateLimitFigures | undefined
}

/** The longest that a downstream is believed when it asks to be left alone: one minute. */
export const MAX_RETRY_AFTER_MS = 60_000

/** An error whose `code` says how the runtime reacts to it. */
export class HeadgateError extends Error {
  override readonly name = 'HeadgateError'
  readonly code: ErrorCode
  readonly retryable: boolean
  readonly scope: ErrorScope
  readonly retryAfterMs: number | undefined
  readonly status: number | undefined
  readonly rateLimit: RateLimitFigures | undefined

  constructor(code: ErrorCode, message: string, options: HeadgateErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = REACTIONS[code].retryable
    this.scope = REACTIONS[code].scope
    this.retryAfterMs = options.retryAfterMs
    this.status = options.status
    this.rateLimit = options.rateLimit
  }
}

/** The downstream said "slow down": the record waits (`retryAfterMs` at least) and no attempt is used up. */
export function overloaded(message: string, options: HeadgateErrorOptions = {}): HeadgateError {
  return new HeadgateError('HG_OVERLOADED', message, options)
}

/** The record itself is at fault and no retry can help: it goes to `onFailure` at once. */
export function reject(message: string, options: HeadgateErrorOptions = {}): HeadgateError {
  return new HeadgateError('HG_RECORD_REJECTED', message, options)
}

const CONNECTION_CODES = new Set([
  'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'EHOSTUNREACH', 'ENETUNREACH', 'ENETDOWN', 'ENOTFOUND', 'EAI_AGAIN',
  'ECONNABORTED', 'UND_ERR_SOCKET', 'UND_ERR_CONNECT_TIMEOUT', 'UND_ERR_CLOSED', 'UND_ERR_DESTROYED',
]) // biome-ignore format: a list reads better in rows

/** Turns whatever a handler or connector threw into a HeadgateError; a `fetch failed` is followed to its cause. */
export function classify(thrown: unknown): HeadgateError {
  try {
    return recognized(thrown) ?? new HeadgateError('HG_HANDLER_FAILED', describe(thrown), { cause: thrown })
  } catch {
    // A getter or a proxy that throws when it is looked at.
    return new HeadgateError('HG_HANDLER_FAILED', describe(thrown))
  }
}

function recognized(thrown: unknown): HeadgateError | null {
  for (let error: unknown = thrown, depth = 0; error instanceof Error && depth < 4; error = error.cause, depth += 1) {
    if (error instanceof HeadgateError) return error
    const code = (error as { code?: unknown }).code
    if (typeof code === 'string' && CONNECTION_CODES.has(code)) {
      return new HeadgateError('HG_CONNECTION_LOST', describe(thrown), { cause: thrown })
    }
    if (error.name === 'TimeoutError') return new HeadgateError('HG_TIMEOUT', describe(thrown), { cause: thrown })
  }
  return null
}

const MOST_SHOWN = 500

/** One line for any thrown value, also one that is not an Error. Never throws, whatever the value is. */
export function describe(thrown: unknown): string {
  try {
    return shortened(thrown instanceof Error ? describeError(thrown) : describeOther(thrown))
  } catch {
    return `a value that cannot be shown was thrown (${typeof thrown})`
  }
}

/** The message, and that of the cause unless it is quoted already. */
function describeError({ name, message, cause }: Error): string {
  const text = String(message || name)
  const why = cause instanceof Error ? String(cause.message) : ''
  return why === '' || text.includes(why) ? text : `${text} (${why})`
}

function describeOther(thrown: unknown): string {
  if (typeof thrown === 'string' && thrown !== '') return thrown
  const shown = typeof thrown === 'object' || typeof thrown === 'string' ? JSON.stringify(thrown) : String(thrown)
  return `${shown} was thrown, which is no Error`
}

function shortened(text: string): string {
  return text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text
}
