/**
 * What one side of a measurement is told and what it answers, and the work that all sides do alike: which bytes are
 * touched, what the filter keeps, how long a call takes. The parallel consumer's Java program repeats `delayMs`.
 */
import { setTimeout as delay } from 'node:timers/promises'

export interface SideSpec {
  /** Which program: `headgate`, `kafkajs`, or what needs no consumer, `alone` and `fetch-alone`. */
  readonly side: string
  readonly work: 'touch' | 'json' | 'keyed' | 'large' | 'copy' | 'member'
  readonly broker: string
  readonly topic: string
  readonly group: string
  /** The side ends after this many records. */
  readonly records: number
  /** The topic has more records than that: the side leaves in the middle and commits nothing at its end. */
  readonly stopEarly?: boolean
  /** Calls in flight at once. */
  readonly concurrency?: number
  /** One call in a hundred takes half a second. */
  readonly tail?: boolean
  /** The most bytes of a partition in one fetch. */
  readonly partitionBytes?: number
  /** False to leave out the checksums of batches, as KafkaJS does. */
  readonly checkCrcs?: boolean
  /** Records in flight at most; the side's default when absent. */
  readonly creditRecords?: number
  readonly creditBytes?: number
  /** `member`: the file that every completed call is appended to, as a line of partition, offset, key, start and end. */
  readonly log?: string
  /** Where copies go. */
  readonly to?: string
  /** Copies in transactions of this length; at least once when absent. */
  readonly transactionMs?: number
  /** The folder of the built package. */
  readonly dist: string
}

/** A line of a member's log. Times are milliseconds of the machine's clock that never goes back. */
export interface Completion {
  readonly partition: number
  readonly offset: number
  readonly key: string
  readonly startedMs: number
  readonly endedMs: number
}

/** What a side measured of itself, from its first record to its last commit. */
export interface SideReport {
  readonly records: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** The most memory that the process ever had resident. */
  readonly rssMiB: number
  /** Completions a second between the fifth and the ninety-fifth percent, for runs in which the last calls are long. */
  readonly steadyPerSecond: number
  /** Of what the work saw, the same for all sides that saw it; 0 when the work sees nothing of a record. */
  readonly sum: number
  readonly notes: Readonly<Record<string, number>>
}

const SHORTEST_MS = 2
const LONGEST_MS = 10
const TAIL_MS = 500
const TAIL_ONE_IN = 100

/** The same record takes equally long on every side: 2 to 10 ms, or half a second for one in a hundred. */
export function delayMs(partition: number, offset: number, tail: boolean): number {
  let hash = Math.imul(offset * 16 + partition + 1, 0x9e3779b1)
  hash = Math.imul(hash ^ (hash >>> 15), 0x85ebca6b)
  hash = (hash ^ (hash >>> 13)) >>> 0
  if (tail && hash % TAIL_ONE_IN === 0) return TAIL_MS
  return SHORTEST_MS + ((hash >>> 8) % (LONGEST_MS - SHORTEST_MS + 1))
}

/** The downstream: answers after its time, and does nothing else. */
export function call(partition: number, offset: number, tail: boolean): Promise<unknown> {
  return delay(delayMs(partition, offset, tail))
}

/** Looks at a value's bytes, as a consumer that does its own decoding begins to. */
export function touch(value: Uint8Array): number {
  return value.length + (value[0] as number) + (value[value.length - 1] as number)
}

export interface Payment {
  readonly id: number
  readonly amount: number
}

/** What the filter keeps: about half. */
export function kept(payment: Payment): boolean {
  return payment.amount >= 500
}
