/**
 * Reads a dead letter of the embedded log: the JSON that `deadLetterEncoder` of `headgate/log` writes. A record of
 * another shape in the same topic (appended by hand, say) becomes a letter that shows what is there and cannot be
 * replayed.
 */
import { z } from 'zod'
import type { LogRecord } from '../../connectors/log/index.ts'
import type { Letter, Payload } from './letter.ts'

const encoded = z.object({
  value: z.unknown(),
  encoding: z.enum(['utf-8', 'base64', 'json', 'inspect']),
  reason: z.object({ code: z.string(), message: z.string() }),
  stage: z.string(),
  attempts: z.number(),
  failedAtMs: z.number(),
  origin: z.object({
    key: z.string().nullable(),
    partition: z.string(),
    offset: z.number(),
    headers: z
      .record(z.string(), z.union([z.string(), z.object({ value: z.string(), encoding: z.enum(['utf-8', 'base64']) })]))
      .default({}),
  }),
})

export function letterOfLog(record: LogRecord): Letter {
  const place = `${record.partition}@${record.offset}`
  const text = new TextDecoder().decode(record.value)
  const parsed = encoded.safeParse(json(text))
  if (!parsed.success) return foreign(record, place, text)
  const { reason, stage, attempts, failedAtMs, origin } = parsed.data
  const headers = Object.fromEntries(
    Object.entries(origin.headers).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : Buffer.from(value.value, value.encoding),
    ]),
  )
  return {
    ...{ place, key: origin.key, reason, stage, attempts, failedAtMs, headers },
    origin: { partition: origin.partition, offset: origin.offset },
    payload: payloadOf(parsed.data.value, parsed.data.encoding),
  }
}

function payloadOf(value: unknown, encoding: z.infer<typeof encoded>['encoding']): Payload {
  if (encoding === 'json') return { kind: 'bytes', value: Buffer.from(JSON.stringify(value)) }
  const text = String(value)
  if (encoding === 'inspect') return { kind: 'lost', why: 'its payload was a value that JSON cannot hold', shown: text }
  return { kind: 'bytes', value: Buffer.from(text, encoding) }
}

function foreign({ key, timestampMs, headers }: LogRecord, place: string, text: string): Letter {
  return {
    ...{ place, key, stage: '', attempts: 0, failedAtMs: timestampMs, headers, origin: null },
    reason: { code: 'unknown', message: 'not a dead letter of Headgate' },
    payload: { kind: 'lost', why: 'it is not a dead letter of Headgate', shown: text },
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
