/**
 * Reads HTTP's `Retry-After`, which a downstream may send wrong, hostile or absurd. `expectOk` calls it; handlers with
 * a client of their own may. Invariant: the result is null or between 0 and `MAX_RETRY_AFTER_MS`.
 */
import { MAX_RETRY_AFTER_MS } from './errors.ts'

const clamp = (ms: number): number => Math.min(Math.max(0, ms), MAX_RETRY_AFTER_MS)

/**
 * Milliseconds to wait from `nowMs` (epoch milliseconds), by RFC 9110 section 10.2.3: seconds or a date. A date in the
 * past is 0, more than `MAX_RETRY_AFTER_MS` is that, and what is neither is null.
 */
export function retryAfterMs(header: string | null | undefined, nowMs: number): number | null {
  if (typeof header !== 'string' || header.length > 64) return null
  const text = header.trim()
  if (/^\d+(\.\d+)?$/.test(text)) return clamp(Math.round(Number(text) * 1000))
  const at = httpDateMs(text)
  return at === null || !Number.isFinite(nowMs) ? null : clamp(at - nowMs)
}

/** The three formats of RFC 9110 section 5.6.7; `Date.parse` alone would take `-1` or `1` for dates. */
const HTTP_DATE = new RegExp(
  [
    String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$`,
    String.raw`^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$`,
    String.raw`^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$`,
  ].join('|'),
)

/** Epoch milliseconds of an HTTP date, or null. */
export function httpDateMs(text: string): number | null {
  if (!HTTP_DATE.test(text)) return null
  const ms = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(ms) ? null : ms
}
