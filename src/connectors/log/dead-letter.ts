/**
 * The stored form of dead letters: JSON that a person can read and a program can send again, with headers to search
 * by. The sink uses it for every value of that shape. Invariant: it never throws, whatever the payload is, because a
 * dead letter that cannot be stored would stall the pipeline.
 */
import { inspect } from 'node:util'
import type { DeadLetter } from '../../model/connector.ts'
import type { RecordHeaders } from '../../model/record.ts'

export interface EncodedDeadLetter {
  /**
   * JSON: `{ value, encoding, reason, stage, attempts, failedAtMs, origin }`. `encoding` tells how `value` stands for
   * the payload: `utf-8` (bytes that were text), `base64` (other bytes), `json` (any other value), `inspect` (what
   * JSON cannot hold, for the eye only).
   */
  readonly value: string
  /** `hg-reason-code`, `hg-reason`, `hg-stage`, `hg-attempts` and `hg-origin` (`partition@offset`). */
  readonly headers: RecordHeaders
}

const HEADER_CHARACTERS = 1_000
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The encoder for dead letters; the default of `log.sink`, exported for sinks that want to add to it. */
export function deadLetterEncoder(letter: DeadLetter): EncodedDeadLetter {
  const { reason, stage, attempts, failedAtMs, origin } = letter
  const headers = Object.fromEntries(
    Object.entries(origin.headers ?? {}).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : readable(value),
    ]),
  )
  const rest = { reason, stage, attempts, failedAtMs, origin: { ...origin, headers } }
  return {
    value: toJson(letter.value, rest),
    headers: {
      'hg-reason-code': line(reason.code),
      'hg-reason': line(reason.message),
      'hg-stage': line(stage),
      'hg-attempts': String(attempts),
      'hg-origin': line(`${origin.partition}@${origin.offset}`),
    },
  }
}

function toJson(value: unknown, rest: object): string {
  if (value instanceof Uint8Array) return JSON.stringify({ ...readable(value), ...rest })
  try {
    const text = JSON.stringify({ value, encoding: 'json', ...rest }, (_, each) =>
      typeof each === 'bigint' ? String(each) : each,
    )
    if (value !== undefined) return text
  } catch {
    // Shown below.
  }
  return JSON.stringify({ value: inspect(value), encoding: 'inspect', ...rest })
}

function readable(bytes: Uint8Array): { value: string; encoding: 'utf-8' | 'base64' } {
  try {
    return { value: utf8.decode(bytes), encoding: 'utf-8' }
  } catch {
    return { value: Buffer.from(bytes).toString('base64'), encoding: 'base64' }
  }
}

/** One line of bounded length: nothing in a header may pass for another header. */
function line(text: string): string {
  return text.slice(0, HEADER_CHARACTERS).replace(/\p{Cc}+/gu, ' ')
}
