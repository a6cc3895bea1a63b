/**
 * A record as `log tail` prints it: a line for people, or a JSON object for programs. A value that is JSON appears as
 * JSON, other text as text, and bytes that are neither as base64 (named so in the JSON form).
 */
import type { LogRecord } from '../../connectors/log/index.ts'
import type { RecordHeaders } from '../../model/record.ts'

const UTF8 = new TextDecoder('utf-8', { fatal: true })

export function recordLine(record: LogRecord): string {
  const time = new Date(record.timestampMs).toISOString()
  const place = `${record.partition}@${record.offset}`
  const value = textOf(record.value) ?? `base64:${Buffer.from(record.value).toString('base64')}`
  return `${time}  ${place}  ${record.key ?? '–'}  ${value}`.replace(/\p{Cc}/gu, ' ')
}

export function recordJson(record: LogRecord): string {
  const { partition, offset, key, timestampMs } = record
  return JSON.stringify({
    ...{ partition, offset, key, timestampMs },
    ...headersOf(record.headers),
    ...readable(record.value),
  })
}

/** As JSON where the bytes are JSON, as text where they are text. */
export function readable(bytes: Uint8Array): { value: unknown } | { valueBase64: string } {
  const text = textOf(bytes)
  return text === null ? { valueBase64: Buffer.from(bytes).toString('base64') } : { value: parsed(text) }
}

/** Nothing for a record without headers. */
export function headersOf(headers: RecordHeaders): { headers?: Record<string, string> } {
  const entries = Object.entries(headers)
  if (entries.length === 0) return {}
  const entry = ([name, value]: [string, string | Uint8Array]): [string, string] => [
    name,
    typeof value === 'string' ? value : (textOf(value) ?? `base64:${Buffer.from(value).toString('base64')}`),
  ]
  return { headers: Object.fromEntries(entries.map(entry)) }
}

function textOf(bytes: Uint8Array): string | null {
  try {
    return UTF8.decode(bytes)
  } catch {
    return null
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
