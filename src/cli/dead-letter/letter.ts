/**
 * A dead letter as the commands see it, whichever broker it lies in: the record as it was, why it failed, and where it
 * came from. `log-letter.ts` and `kafka-letter.ts` make letters of stored records; `list` prints them, `replay` sends
 * the payload again. Invariant: a letter that cannot be sent again byte for byte says why, and is never guessed at.
 */
import type { RecordHeaders } from '../../model/record.ts'

export interface Letter {
  /** The topic of dead letters, a partition of it and the place in it: `payments.dead/3@12`. */
  readonly place: string
  readonly key: string | null
  readonly reason: { readonly code: string; readonly message: string }
  readonly stage: string
  readonly attempts: number
  readonly failedAtMs: number
  /** The record's own place, for example `payments/3` and 991; null when the letter does not tell. */
  readonly origin: Origin | null
  /** The headers that the record had before it failed. */
  readonly headers: RecordHeaders
  readonly payload: Payload
}

export interface Origin {
  readonly partition: string
  readonly offset: number
}

export type Payload =
  /** Null is a tombstone. The key as the broker stores it, where it need not be text. */
  | { readonly kind: 'bytes'; readonly value: Uint8Array | null; readonly key?: Uint8Array | null }
  | { readonly kind: 'lost'; readonly why: string; readonly shown: string }

/** The topic of a partition's name, `payments/3` → `payments`; null when the name is of another shape. */
export function topicOf(partition: string): string | null {
  const slash = partition.lastIndexOf('/')
  return slash > 0 && /^\d+$/.test(partition.slice(slash + 1)) ? partition.slice(0, slash) : null
}
