/** What the test and the member processes agree on: a record's form, and the options a member is started with. */

/** A record's value: the number-th record of its key, from 0. */
export interface Work {
  readonly key: string
  readonly number: number
}

export const CONCURRENCY = 16
/** Delivered and not committed, in each partition: the most that a kill may cost. */
export const UNCOMMITTED_RECORDS = 60
export const ADMISSION_RECORDS = 160

export interface MemberOptions {
  readonly brokers: readonly string[]
  /** The group has the same name. */
  readonly topic: string
  readonly groupProtocol?: 'classic' | 'consumer'
  readonly assignors?: readonly ('cooperative-sticky' | 'range')[]
  readonly groupInstanceId?: string
  readonly sessionTimeoutMs?: number
  readonly requestTimeoutMs?: number
  /** Calls take from 1 to so many milliseconds. */
  readonly slowestCallMs?: number
  /** Wait for a line on standard input before the pipeline starts. */
  readonly onDemand?: boolean
}

/** A line of its log; `atMs` counts from 1970, as the times do at which brokers store. */
export type Logged = readonly [atMs: number, level: 'info' | 'warn' | 'error', text: string]

/** What a member says, a line each. Times are microseconds of the machine's monotonic clock, the same in all processes. */
export type MemberLine =
  | { readonly loaded: number }
  | { readonly running: number }
  /** A call starts. */
  | { readonly start: Event }
  /** A call has succeeded. */
  | { readonly done: Event }
  /** A result is written: it is durable when this line is. */
  | { readonly end: Event }
  | { readonly broken: string }
  | { readonly logged: Logged }
  | { readonly ended: string }

/** Time, partition, offset, key, number. */
export type Event = readonly [atUs: number, partition: number, offset: number, key: string, number: number]
