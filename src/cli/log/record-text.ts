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
  const text = textOf(record.value)
  const value = text === null ? { valueBase64: Buffer.from(record.value).toString('base64') } : { value: parsed(text) }
  return JSON.stringify({ partition, offset, key, timestampMs, ...headersOf(record.headers), ...value })
}

function headersOf(headers: RecordHeaders): { headers?: Record<string, string> } {
  const entries = Object.entries(headers)
  if (entries.length === 0) return {}
  const readable = ([name, value]: [string, string | Uint8Array]): [string, string] => [
    name,
    typeof value === 'string' ? value : (textOf(value) ?? `base64:${Buffer.from(value).toString('base64')}`),
  ]
  return { headers: Object.fromEntries(entries.map(readable)) }
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
