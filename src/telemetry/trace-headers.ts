/**
 * W3C trace context in and out of records. A record carries it in its headers; `traced` remembers the context of the spans that it made for a
 * record; and what is sent on, by a handler or a sink, gets the headers that `traceHeaders` gives.
 */
import type { CallContext } from '../model/plan.ts'
import type { RecordHeaders, RecordInfo } from '../model/record.ts'
import type { ContextLike, OtelApi } from './otel-api.ts'

/** The headers of the W3C recommendations "Trace Context" and "Baggage". */
const CARRIED = ['traceparent', 'tracestate', 'baggage'] as const
/** `tracestate` may have 512 characters, `baggage` 8,192; more is somebody's mistake. */
const LONGEST = 8_192

interface Remembered {
  readonly api: OtelApi
  readonly context: ContextLike
}

const remembered = new WeakMap<RecordInfo, Remembered>()

export function remember(record: RecordInfo, api: OtelApi, context: ContextLike): void {
  remembered.set(record, { api, context })
}

export function contextOf(record: RecordInfo): ContextLike | undefined {
  return remembered.get(record)?.context
}

/** What the record's headers carry, as text; empty when it came without a trace. */
export function carriedBy({ headers }: { readonly headers: RecordHeaders }): Record<string, string> {
  const carried: Record<string, string> = {}
  if (headers['traceparent'] === undefined) return carried
  for (const name of CARRIED) {
    const value = headers[name]
    if (value === undefined || value.length > LONGEST) continue
    carried[name] = typeof value === 'string' ? value : Buffer.from(value).toString('latin1')
  }
  return carried
}

/**
 * The trace headers for whatever is sent on account of a record: of the attempt's span where there is one, else those that the record came with.
 * For a handler's own requests, and for the `headers` of a sink: `headers: (value, origin) => traceHeaders(origin)`.
 */
export function traceHeaders(from: CallContext | RecordInfo): Record<string, string> {
  const record = 'record' in from ? from.record : from
  const known = remembered.get(record)
  if (known === undefined) return carriedBy(record)
  const headers: Record<string, string> = {}
  known.api.propagation.inject(known.context as never, headers)
  return headers
}
