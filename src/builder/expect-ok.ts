/**
 * Turns an HTTP response that is not a success into the error that makes the runtime react rightly. Handlers call it
 * on what `fetch` gives them. Invariant: it returns the response unchanged, or throws a HeadgateError.
 */
import { HeadgateError, type HeadgateErrorOptions, overloaded, reject } from '../model/errors.ts'
import { httpDateMs, retryAfterMs } from '../model/http.ts'
import { type RateLimitFigures, rateLimitOf } from '../model/rate-limit.ts'

/** What is needed of a response; that of `fetch` fits, and so does any client's with these three. */
export interface HttpResponse {
  readonly ok: boolean
  readonly status: number
  readonly headers: { get(name: string): string | null | undefined }
  readonly body?: unknown
}

/** What a handler may hand over with the response; its context fits. */
export interface HttpListener {
  /** What dates in the headers are compared with, epoch ms. Default: the response's `Date`, else the clock. */
  readonly nowMs?: number | undefined
  /** Is told what RateLimit headers say, whatever the status. */
  readonly heard?: ((figures: RateLimitFigures) => void) | undefined
}

/**
 * Returns a response that is `ok`. Throws: 429 and 503 → overloaded, with `Retry-After`; 408 and other 5xx → failed,
 * to be retried; everything else, 401 and 403 included → rejected, so that `onFailure` decides at once. The error has
 * the status and what RateLimit headers said. The body of a refused response is discarded, since an unread body keeps
 * its connection busy.
 */
export function expectOk<R extends HttpResponse>(response: R, listener: HttpListener = {}): R {
  const nowMs = listener.nowMs ?? serverNowMs(response)
  const rateLimit = rateLimitOf(response.headers, nowMs)
  if (rateLimit !== null) listener.heard?.(rateLimit)
  if (response.ok) return response
  void discard(response.body)
  const { status } = response
  const text = `the downstream answered ${status}`
  const seen: HeadgateErrorOptions = rateLimit === null ? { status } : { status, rateLimit }
  if (status === 429 || status === 503) {
    const waitMs = retryAfterMs(response.headers.get('retry-after'), nowMs)
    throw overloaded(text, waitMs === null ? seen : { ...seen, retryAfterMs: waitMs })
  }
  if (status === 408 || status >= 500) throw new HeadgateError('HG_HANDLER_FAILED', text, seen)
  if (status === 401 || status === 403) throw reject(`${text}: check the credentials`, seen)
  throw reject(text, seen)
}

/** The server's own clock, so that a difference between the clocks cancels out. */
function serverNowMs(response: HttpResponse): number {
  return httpDateMs(response.headers.get('date') ?? '') ?? Date.now()
}

async function discard(body: unknown): Promise<void> {
  const stream = body as { locked?: boolean; cancel?: () => Promise<void> } | null | undefined
  if (typeof stream?.cancel !== 'function' || stream.locked) return
  try {
    await stream.cancel()
  } catch {
    // A body that cannot be cancelled has already ended.
  }
}
