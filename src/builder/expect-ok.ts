/**
 * Turns an HTTP response that is not a success into the error that makes the runtime react rightly. Handlers call it
 * on what `fetch` gives them. Invariant: it returns the response unchanged, or throws a HeadgateError.
 */
import { HeadgateError, overloaded, reject } from '../model/errors.ts'
import { httpDateMs, retryAfterMs } from './http.ts'

/** What is needed of a response; that of `fetch` fits, and so does any client's with these three. */
export interface HttpResponse {
  readonly ok: boolean
  readonly status: number
  readonly headers: { get(name: string): string | null | undefined }
  readonly body?: unknown
}

/**
 * Returns a response that is `ok`. Throws: 429 and 503 → overloaded, with `Retry-After`; 408 and other 5xx → failed,
 * to be retried; everything else, 401 and 403 included → rejected, so that `onFailure` decides at once. The body of a
 * refused response is discarded, since an unread body keeps its connection busy.
 * @param nowMs what a date in `Retry-After` is compared with; default: the response's `Date`, else the clock
 */
export function expectOk<R extends HttpResponse>(response: R, nowMs?: number): R {
  if (response.ok) return response
  void discard(response.body)
  const { status } = response
  const message = `the downstream answered ${status}`
  if (status === 429 || status === 503) {
    const waitMs = retryAfterMs(response.headers.get('retry-after'), nowMs ?? serverNowMs(response))
    throw overloaded(message, waitMs === null ? {} : { retryAfterMs: waitMs })
  }
  if (status === 408 || status >= 500) throw new HeadgateError('HG_HANDLER_FAILED', message)
  if (status === 401 || status === 403) throw reject(`${message}: check the credentials`)
  throw reject(message)
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
