/** What the killed pipeline works on, and its limits: the test, the child and the oracle agree on these. */

/** A record's value: the number-th record of its key, from 0. */
export interface Work {
  readonly key: string
  readonly number: number
}

/** What the pipeline writes: the work, and the offset that it came from. Partitions are the same on both sides. */
export interface Result extends Work {
  readonly offset: number
}

export const TOPICS = { in: 'work', out: 'results', dead: 'work.dead' } as const
export const GROUP = 'workers'
export const PARTITIONS = 4
export const CONCURRENCY = 16
export const ADMISSION_RECORDS = 160
/** Delivered and not committed, in each partition: the most that a kill may cost. */
export const UNCOMMITTED_RECORDS = 60
export const COMMIT_INTERVAL_MS = 50
export const ATTEMPTS = 3

export type Fate = 'out' | 'dead' | 'filtered'

/** Where a record has to end, and after how many attempts (0: it is filtered before the call). */
export function fateOf({ number }: Work): { readonly fate: Fate; readonly attempts: number } {
  if (number % 19 === 18) return { fate: 'filtered', attempts: 0 }
  if (number % 23 === 7) return { fate: 'dead', attempts: ATTEMPTS }
  if (number % 23 === 15) return { fate: 'dead', attempts: 1 }
  return { fate: 'out', attempts: number % 11 === 5 ? 2 : 1 }
}
