/**
 * What the end of a call says about the downstream, for the clients that most people use: anything with an HTTP status
 * and headers, returned or thrown, and the errors of the network. The option `classify` goes ahead of it. Invariant: it
 * never throws, and what it does not understand is `ignored`, so that a fault of the caller closes no gate.
 */
import type { AttemptOutcome } from '../control/limiter.ts'
import { classify as recognize } from '../model/errors.ts'
import { headerOf } from '../model/headers.ts'
import { httpDateMs, retryAfterMs } from '../model/http.ts'
import { type RateLimitFigures, rateLimitOf } from '../model/rate-limit.ts'
import { isRefusal } from './refusal.ts'

/** How a call ended. */
export interface Ended {
  /** Whether it threw, or rejected; `error` is what, which may be anything. */
  readonly threw: boolean
  readonly error?: unknown
  readonly result?: unknown
}

const SUCCESS: AttemptOutcome = { kind: 'success' }
const IGNORED: AttemptOutcome = { kind: 'ignored' }
const ANSWERED_LATE: AttemptOutcome = { kind: 'timeout', answered: true }
const TIMEOUT: AttemptOutcome = { kind: 'timeout' }
const FAILED: AttemptOutcome = { kind: 'failed' }

const TOO_MANY_REQUESTS = 429

/** `wallMs`: what dates in headers are compared with unless the answer has a `Date`, in ms since the epoch. */
export function outcomeOf(ended: Ended, wallMs: number): AttemptOutcome {
  try {
    return ended.threw ? ofThrown(ended.error, wallMs) : (ofAnswer(ended.result, wallMs) ?? SUCCESS)
  } catch {
    // A getter or a proxy that throws when it is looked at.
    return IGNORED
  }
}

function ofThrown(error: unknown, wallMs: number): AttemptOutcome {
  if (isRefusal(error) || isCancelled(error)) return IGNORED
  const known = recognize(error)
  if (known.code === 'HG_OVERLOADED') {
    const { status, retryAfterMs: pauseMs, rateLimit } = known
    return { kind: 'overloaded', status, retryAfterMs: pauseMs, rateLimit }
  }
  if (known.status !== undefined) return answered(known.status, known.rateLimit)
  const answer = ofAnswer(error, wallMs)
  if (answer !== null && answer.kind !== 'success') return answer
  if (known.code === 'HG_TIMEOUT' || isTimeout(error)) return answer === null ? TIMEOUT : ANSWERED_LATE
  if (known.code === 'HG_CONNECTION_LOST') return FAILED
  // Thrown for a status that is an answer, such as 404.
  if (answer !== null) return answer
  // An error that a handler for `pipeline()` throws on purpose, or one of the system.
  return known === error && known.code === 'HG_HANDLER_FAILED' ? FAILED : ofSystem(error)
}

/** What an answer over HTTP says, returned or thrown; null for what is none. */
function ofAnswer(value: unknown, wallMs: number): AttemptOutcome | null {
  if (typeof value !== 'object' || value === null) return null
  const found = answerOf(value as Looked)
  if (found === null) return null
  const { status, headers } = found
  // The server's own clock, where it says its time, so that a difference between the clocks cancels out.
  const nowMs = httpDateMs(headerOf(headers, 'date') ?? '') ?? wallMs
  const rateLimit = rateLimitOf(headers, nowMs) ?? undefined
  const pauseMs = status < 400 ? undefined : (retryAfterMs(headerOf(headers, 'retry-after'), nowMs) ?? undefined)
  const quota =
    status === TOO_MANY_REQUESTS ||
    isThrottled(value as Looked) ||
    // Some say 403 for a quota, and say in their headers that they mean one.
    (status === 403 && (pauseMs !== undefined || rateLimit?.remaining === 0))
  if (quota) return { kind: 'overloaded', status: TOO_MANY_REQUESTS, retryAfterMs: pauseMs, rateLimit }
  if (status === 503 || status === 529) return { kind: 'overloaded', status, retryAfterMs: pauseMs, rateLimit }
  return answered(status, rateLimit)
}

/** 404 and its like are answers that took work, as good a measure as 200; other refusals came before the work. */
const ANSWERED = new Set([404, 409, 410, 412])

function answered(status: number, rateLimit: RateLimitFigures | undefined): AttemptOutcome {
  if (status < 400 || ANSWERED.has(status)) return { kind: 'success', status, rateLimit }
  if (status >= 500 || status === 408) return { kind: 'failed', status, rateLimit }
  // It says nothing about how busy the downstream is, but that it is there.
  return { kind: 'ignored', status, rateLimit, answered: true }
}

/** The properties that clients use; any of them may hold anything. */
interface Looked {
  readonly name?: unknown
  readonly code?: unknown
  readonly message?: unknown
  readonly cause?: unknown
  readonly syscall?: unknown
  readonly errno?: unknown
  readonly status?: unknown
  readonly statusCode?: unknown
  readonly headers?: unknown
  readonly response?: Looked | null
  readonly $response?: Looked | null
  readonly $metadata?: { readonly httpStatusCode?: unknown } | null
  readonly $retryable?: { readonly throttling?: unknown } | null
}

function answerOf(value: Looked): { readonly status: number; readonly headers: unknown } | null {
  const inner = value.response ?? value.$response
  const status =
    statusOf(value.status) ??
    statusOf(value.statusCode) ??
    statusOf(value.$metadata?.httpStatusCode) ??
    statusOf(inner?.status) ??
    statusOf(inner?.statusCode)
  return status === null ? null : { status, headers: value.headers ?? inner?.headers }
}

function statusOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isInteger(value) && value >= 100 && value <= 599 ? value : null
}

/** Some SDKs throttle under status 400 and say so otherwise. */
function isThrottled({ $metadata, $retryable, name }: Looked): boolean {
  if ($retryable?.throttling === true) return true
  return Boolean($metadata) && typeof name === 'string' && /Throttl|TooManyRequests|RequestLimitExceeded/.test(name)
}

const CANCELLED = new Set<unknown>(['ABORT_ERR', 'ERR_CANCELED', 'UND_ERR_ABORTED'])

function isCancelled(error: unknown): boolean {
  const { name, code } = (error ?? {}) as Looked
  return name === 'AbortError' || CANCELLED.has(code)
}

const TIMEOUTS = new Set<unknown>(['ETIMEDOUT', 'ESOCKETTIMEDOUT', 'UND_ERR_HEADERS_TIMEOUT', 'UND_ERR_BODY_TIMEOUT'])

/** A call that was made and not answered; a connection that was not made in time is a failure instead. */
function isTimeout(error: unknown): boolean {
  let at = error as Looked | null | undefined
  for (let depth = 0; typeof at === 'object' && at !== null && depth < 4; at = at.cause as Looked, depth += 1) {
    if (TIMEOUTS.has(at.code)) return at.syscall !== 'connect'
    if (at.code === 'ECONNABORTED' && /time(d )?out/i.test(String(at.message))) return true
  }
  return false
}

/** An error of the system has a number; what has none is a fault of the caller, or nothing that is understood here. */
function ofSystem(error: unknown): AttemptOutcome {
  let at = error as Looked | null | undefined
  for (let depth = 0; typeof at === 'object' && at !== null && depth < 4; at = at.cause as Looked, depth += 1) {
    if (typeof at.errno === 'number' || typeof at.syscall === 'string') return FAILED
  }
  return error instanceof TypeError && error.message === 'fetch failed' ? FAILED : IGNORED
}
