/**
 * Dead letters in a topic of Kafka: the record as it was, byte for byte, and in `hg-` headers why it failed and where
 * it came from. `kafka.sink` writes every value of that shape with `deadLetterRecord`; whoever looks at a topic of dead
 * letters (the command line, a program of one's own) reads it back with `readDeadLetter` and sends it again with what
 * `replayOf` makes. Invariants: writing never throws, whatever the payload is, since a dead letter that cannot be
 * stored would stall the pipeline; reading a record that is no dead letter gives null; no header holds a line break.
 */
import { inspect } from 'node:util'
import type { DeadLetter } from '../../model/connector.ts'
import type { RecordHeaders } from '../../model/record.ts'
import type { EncodableRecord } from './batch/encode.ts'
import { type KeyEncoding, keyBytes } from './produce/key.ts'

/** The header that makes a record a dead letter; the others are optional when reading. */
const REASON_CODE = 'hg-reason-code'
const REASON = 'hg-reason'
const STAGE = 'hg-stage'
const ATTEMPTS = 'hg-attempts'
/** Epoch milliseconds. */
const FAILED_AT = 'hg-failed-at'
const ORIGIN_SOURCE = 'hg-origin-source'
/** As the source names it, `payments/3`. */
const ORIGIN_PARTITION = 'hg-origin-partition'
const ORIGIN_OFFSET = 'hg-origin-offset'
const ORIGIN_TIMESTAMP = 'hg-origin-timestamp'
/** How `value` stands for a payload that was not bytes: `json`, or `inspect` for what JSON cannot hold. */
const ENCODING = 'hg-encoding'
const PREFIX = 'hg-'
const HEADER_CHARACTERS = 1_000

/** A dead letter as it lies in Kafka. */
export interface StoredDeadLetter {
  readonly reason: { readonly code: string; readonly message: string }
  readonly stage: string
  readonly attempts: number
  readonly failedAtMs: number
  /** Null where the letter does not tell. */
  readonly origin: {
    readonly source: string
    readonly partition: string
    readonly offset: number
    readonly timestampMs: number
  } | null
  /** As the record had them before it failed. */
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
  /** `bytes`: `value` is what the source delivered. `json`, `inspect`: it only stands for it. */
  readonly encoding: 'bytes' | 'json' | 'inspect'
}

/** What of a stored record matters here. */
export interface LetterRecord {
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: RecordHeaders
}

/** Which letters: all that is given must hold. Times are epoch milliseconds, `sinceMs` inclusive, `untilMs` exclusive. */
export interface DeadLetterFilter {
  readonly stage?: string | undefined
  readonly code?: string | undefined
  readonly source?: string | undefined
  /** The origin's partition, `payments/3`, or its topic, `payments`. */
  readonly origin?: string | undefined
  readonly sinceMs?: number | undefined
  readonly untilMs?: number | undefined
}

/** The record to store for a letter. `keyEncoding`: how the source made text of its keys. */
export function deadLetterRecord(letter: DeadLetter, keyEncoding: KeyEncoding, nowMs: number): EncodableRecord {
  const { reason, stage, attempts, failedAtMs, origin } = letter
  const { value, encoding } = payloadOf(letter.value)
  const headers: Record<string, string | Uint8Array> = {}
  for (const [name, text] of Object.entries(origin.headers ?? {})) if (!name.startsWith(PREFIX)) headers[name] = text
  return {
    key: keyBytes(origin.key, keyEncoding),
    value,
    timestampMs: nowMs,
    headers: {
      ...headers,
      [REASON_CODE]: line(reason.code),
      [REASON]: line(reason.message),
      [STAGE]: line(stage),
      [ATTEMPTS]: String(attempts),
      [FAILED_AT]: String(Math.round(failedAtMs)),
      [ORIGIN_SOURCE]: line(origin.source),
      [ORIGIN_PARTITION]: line(origin.partition),
      [ORIGIN_OFFSET]: String(origin.offset),
      [ORIGIN_TIMESTAMP]: String(origin.timestampMs),
      ...(encoding === 'bytes' ? {} : { [ENCODING]: encoding }),
    },
  }
}

/** Null when the record is no dead letter of ours. */
export function readDeadLetter({ key, value, headers }: LetterRecord): StoredDeadLetter | null {
  const own = new Map<string, string>()
  const rest: Record<string, string | Uint8Array> = {}
  for (const [name, content] of Object.entries(headers)) {
    if (name.startsWith(PREFIX)) own.set(name, typeof content === 'string' ? content : Buffer.from(content).toString())
    else rest[name] = content
  }
  const code = own.get(REASON_CODE)
  if (code === undefined) return null
  const partition = own.get(ORIGIN_PARTITION)
  const encoding = own.get(ENCODING)
  return {
    reason: { code, message: own.get(REASON) ?? '' },
    stage: own.get(STAGE) ?? '',
    attempts: numberOf(own.get(ATTEMPTS)),
    failedAtMs: numberOf(own.get(FAILED_AT)),
    origin:
      partition === undefined
        ? null
        : {
            source: own.get(ORIGIN_SOURCE) ?? '',
            partition,
            offset: numberOf(own.get(ORIGIN_OFFSET)),
            timestampMs: numberOf(own.get(ORIGIN_TIMESTAMP)),
          },
    key,
    value,
    headers: rest,
    encoding: encoding === 'json' || encoding === 'inspect' ? encoding : 'bytes',
  }
}

export function matchesDeadLetter(letter: StoredDeadLetter, filter: DeadLetterFilter): boolean {
  const { stage, code, source, origin, sinceMs, untilMs } = filter
  const { partition = '' } = letter.origin ?? {}
  return (
    (stage === undefined || letter.stage === stage) &&
    (code === undefined || letter.reason.code === code) &&
    (source === undefined || letter.origin?.source === source) &&
    (origin === undefined || partition === origin || topicOfOrigin(letter) === origin) &&
    (sinceMs === undefined || letter.failedAtMs >= sinceMs) &&
    (untilMs === undefined || letter.failedAtMs < untilMs)
  )
}

/** Reads dead letters out of records, in their order; what is none is left out. */
export async function* deadLetters<R extends LetterRecord>(
  records: AsyncIterable<R> | Iterable<R>,
  filter: DeadLetterFilter = {},
): AsyncGenerator<{ readonly record: R; readonly letter: StoredDeadLetter }> {
  for await (const record of records) {
    const letter = readDeadLetter(record)
    if (letter !== null && matchesDeadLetter(letter, filter)) yield { record, letter }
  }
}

/** The topic that the record came from, `payments/3` → `payments`; null where the letter does not tell. */
export function topicOfOrigin({ origin }: StoredDeadLetter): string | null {
  const slash = origin?.partition.lastIndexOf('/') ?? -1
  return origin !== null && slash > 0 ? origin.partition.slice(0, slash) : null
}

/** The record to send again: key, value and headers as they were; null when the payload was no bytes and is lost. */
export function replayOf(letter: StoredDeadLetter, nowMs: number): EncodableRecord | null {
  if (letter.encoding !== 'bytes') return null
  return { key: letter.key, value: letter.value, headers: letter.headers, timestampMs: nowMs }
}

function numberOf(text: string | undefined): number {
  const number = Number(text ?? Number.NaN)
  return Number.isFinite(number) ? number : 0
}

function payloadOf(value: unknown): {
  value: Uint8Array | string | null
  encoding: StoredDeadLetter['encoding']
} {
  if (value === null || value instanceof Uint8Array || typeof value === 'string') return { value, encoding: 'bytes' }
  try {
    const text = JSON.stringify(value, (_, each) => (typeof each === 'bigint' ? String(each) : each)) as
      | string
      | undefined
    if (text !== undefined) return { value: text, encoding: 'json' }
  } catch {
    // Shown below.
  }
  return { value: inspect(value), encoding: 'inspect' }
}

/** One line of bounded length: nothing in a header may pass for another header. */
function line(text: string): string {
  return text.slice(0, HEADER_CHARACTERS).replace(/\p{Cc}+/gu, ' ')
}
