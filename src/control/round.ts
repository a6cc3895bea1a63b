/**
 * The verdict on a round of the climb: one turn of calls at a limit that has just been doubled. A limit of a few calls
 * is doubled unless latency has clearly risen, since little is at stake; a larger one only when it has clearly not, and
 * what is in between is measured a second time. Where calls are known to vary little, a small rise is clear already: what
 * is doubled once more would queue as much again, and take turns of calls to leave.
 */
export type Verdict = 'grow' | 'again' | 'knee'

const CALM = 0.18
const CLEAR = 0.26
const SMALL_LIMIT = 8
const SMALL_ERRORS = 2
const ERRORS = 0.5
const FEW_CALLS = 8
const MANY_CALLS = 60
const SECOND_CALLS = 16
/** What a climb queues when it goes too far takes some turns of calls to leave: the longer those last, the smaller its steps. */
const SLOW_MS = 100
const SLOW_LIMIT = 8
const SLOW_GROWTH = 3 / 2
const VERY_SLOW_MS = 1000
const VERY_SLOW_LIMIT = 4
const VERY_SLOW_GROWTH = 4 / 3

/** What a round has found: the rise of the mean latency over the baseline, with its standard error, from `n` calls. */
export interface Found {
  readonly rise: number
  readonly error: number
  /** The rise is more than calls vary by themselves. */
  readonly isSlower: boolean
  readonly n: number
}

/** `isSecond`: the limit is the one of the round before, which said 'again'. */
export function verdictOf({ rise, error, isSlower, n }: Found, limit: number, isSecond: boolean): Verdict {
  if (isSlower && limit >= SMALL_LIMIT) return 'knee'
  const errors = limit < SMALL_LIMIT ? SMALL_ERRORS : ERRORS
  if (rise <= CALM + errors * error) return 'grow'
  if (isSecond) return 'knee'
  return n < FEW_CALLS || (n < MANY_CALLS && rise < CLEAR + 2 * error) ? 'again' : 'knee'
}

/** Calls of a round: few calls in flight risk little, so half a turn must do; from eight on the whole turn is awaited. */
export function callsOf(limit: number, isSecond: boolean): number {
  if (isSecond) return Math.max(limit, limit < SMALL_LIMIT ? FEW_CALLS : SECOND_CALLS)
  return limit < SMALL_LIMIT ? limit / 2 : limit
}

/** By how much a limit grows in a climb that would multiply it by `growth`. */
export function growthOf(growth: number, limit: number, typicalMs: number): number {
  if (limit >= VERY_SLOW_LIMIT && typicalMs > VERY_SLOW_MS) return Math.min(growth, VERY_SLOW_GROWTH)
  return limit >= SLOW_LIMIT && typicalMs > SLOW_MS ? Math.min(growth, SLOW_GROWTH) : growth
}
