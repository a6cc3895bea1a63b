/**
 * What a downstream says of its quota in headers, in every form that is in use: `RateLimit` of the IETF draft (a list
 * of policies, or `limit=…, remaining=…, reset=…` as it was before), the three headers `RateLimit-Limit`, `-Remaining`
 * and `-Reset` of the first drafts, and the `X-RateLimit-*` that preceded them. Invariant: figures are not negative,
 * finite and bounded, whatever came.
 */
import { headerOf } from './headers.ts'
import { parseDuration } from './units.ts'

/** What RateLimit (or X-RateLimit) headers say, whatever the answer was. */
export interface RateLimitFigures {
  /** Calls that one count allows. */
  readonly limit?: number | undefined
  /** Calls that are left of it. */
  readonly remaining?: number | undefined
  /** Ms from now until it begins anew. */
  readonly resetMs?: number | undefined
}

/** No quota is counted over more than a month. */
export const MAX_RESET_MS = 31 * 24 * 3_600_000
const MOST_CALLS = 1e9
/** Seconds from now are fewer than this for 30 years; seconds since 1970 have been more since 2001. */
const EPOCH_SECONDS = 1e9
const EPOCH_MS = 1e11
/** Where several quotas apply, the next minute decides which one is the tighter. */
const COMPARED_MS = 60_000

/** The figures in `headers` (`Headers`, an object, a Map …), or null. `nowEpochMs`: for a reset that is given as a date. */
export function rateLimitOf(headers: unknown, nowEpochMs: number): RateLimitFigures | null {
  const field = headerOf(headers, 'ratelimit')
  const fromField = field === null ? null : (listed(field, headerOf(headers, 'ratelimit-policy')) ?? dictionary(field))
  return (
    fromField ??
    separate(headers, 'ratelimit-', '', nowEpochMs) ??
    separate(headers, 'x-ratelimit-', '', nowEpochMs) ??
    separate(headers, 'x-ratelimit-', '-requests', nowEpochMs)
  )
}

/** `"burst";r=50;t=1, "daily";r=900;t=3600`: of several quotas the one that leaves the least for the next minute. */
function listed(field: string, policyField: string | null): RateLimitFigures | null {
  const policies = policyField === null ? [] : itemsOf(policyField)
  let tightest: RateLimitFigures | null = null
  for (const { name, parameters } of itemsOf(field)) {
    const remaining = countOf(parameters.get('r'))
    if (remaining === undefined) continue
    const policy = policies.find((candidate) => candidate.name === name)?.parameters
    // A quota of bytes or of calls at once says nothing about calls in a time.
    if ((policy?.get('qu') ?? 'requests') !== 'requests') continue
    const found = figures(countOf(policy?.get('q')), remaining, secondsOf(parameters.get('t')))
    if (found !== null && (tightest === null || perMs(found) < perMs(tightest))) tightest = found
  }
  return tightest
}

function perMs({ remaining = 0, resetMs = COMPARED_MS }: RateLimitFigures): number {
  return (remaining + 1e-9) / Math.min(COMPARED_MS, Math.max(1, resetMs))
}

/** `limit=100, remaining=50, reset=30`. */
function dictionary(field: string): RateLimitFigures | null {
  const values = new Map(itemsOf(field).map(({ name, value }) => [name, value]))
  return figures(countOf(values.get('limit')), countOf(values.get('remaining')), secondsOf(values.get('reset')))
}

/** A header for each figure; a limit may have its policies after it, as in `100, 100;w=60`. */
function separate(headers: unknown, prefix: string, suffix: string, nowEpochMs: number): RateLimitFigures | null {
  const read = (figure: string): string | undefined => headerOf(headers, prefix + figure + suffix)?.trim()
  const remaining = countOf(read('remaining'))
  // Most answers have none of them, and without this one the others are of no use.
  if (remaining === undefined) return null
  const limit = countOf(read('limit')?.split(/[,;]/, 1)[0])
  return figures(limit, remaining, secondsOf(read('reset-after')) ?? resetMsOf(read('reset'), nowEpochMs))
}

function figures(
  limit: number | undefined,
  remaining: number | undefined,
  resetMs: number | undefined,
): RateLimitFigures | null {
  if (limit === undefined && remaining === undefined && resetMs === undefined) return null
  return {
    ...(limit === undefined ? {} : { limit }),
    ...(remaining === undefined ? {} : { remaining }),
    ...(resetMs === undefined ? {} : { resetMs }),
  }
}

const NUMBER = /^\d{1,20}(?:\.\d{1,20})?$/

function numberOf(text: string | undefined): number | undefined {
  const trimmed = text?.trim()
  return trimmed !== undefined && NUMBER.test(trimmed) ? Number(trimmed) : undefined
}

function countOf(text: string | undefined): number | undefined {
  const count = numberOf(text)
  return count === undefined ? undefined : Math.min(MOST_CALLS, count)
}

function secondsOf(text: string | undefined): number | undefined {
  const seconds = numberOf(text)
  return seconds === undefined ? undefined : Math.min(MAX_RESET_MS, seconds * 1000)
}

/** Seconds from now, a date as seconds or milliseconds since 1970, or a duration such as `6m0s`. */
function resetMsOf(text: string | undefined, nowEpochMs: number): number | undefined {
  const value = numberOf(text)
  if (value === undefined) {
    const durationMs = text === undefined || text.length > 32 ? null : parseDuration(text)
    return durationMs === null ? undefined : Math.min(MAX_RESET_MS, durationMs)
  }
  if (value < EPOCH_SECONDS) return Math.min(MAX_RESET_MS, value * 1000)
  const ms = (value < EPOCH_MS ? value * 1000 : value) - nowEpochMs
  return Number.isNaN(ms) ? undefined : Math.min(MAX_RESET_MS, Math.max(0, ms))
}

interface FieldItem {
  /** What stands before `=` or the first parameter: without its quotes, or in lower case. */
  readonly name: string
  readonly value: string
  readonly parameters: ReadonlyMap<string, string>
}

/** The members of a structured field, a list or a dictionary, as far as quota headers use them. */
function itemsOf(field: string): FieldItem[] {
  return split(field, ',').map((member) => {
    const [head = '', ...rest] = split(member, ';')
    const [name, value] = pairOf(head)
    return { name, value, parameters: new Map(rest.map(pairOf)) as ReadonlyMap<string, string> }
  })
}

function pairOf(text: string): [string, string] {
  const [name = '', value = ''] = split(text, '=')
  return [unquoted(name), unquoted(value)]
}

function unquoted(text: string): string {
  const trimmed = text.trim()
  return trimmed.startsWith('"') ? trimmed.replaceAll('"', '') : trimmed.toLowerCase()
}

/** Splits where the separator stands outside of quotes. */
function split(text: string, separator: string): string[] {
  const parts: string[] = []
  let from = 0
  let quoted = false
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '"') quoted = !quoted
    else if (text[at] === '\\' && quoted) at += 1
    else if (text[at] === separator && !quoted) {
      parts.push(text.slice(from, at))
      from = at + 1
    }
  }
  parts.push(text.slice(from))
  return parts
}
