/**
 * What a controller has learned, as plain JSON, so that a restart does not begin at 1. It is read with suspicion: a
 * figure that makes no sense is passed over, and an old one is only a starting point, since everything is measured again.
 */
export interface Learned {
  readonly version: 1
  /** Calls in flight that worked. */
  readonly limit: number
  /** Ms a call takes when nothing queues; null while unknown. */
  readonly baselineMs: number | null
  /** Calls a second that a quota grants; null when none was found. */
  readonly ratePerSecond: number | null
}

export interface UsableLearned {
  readonly limit: number | null
  readonly baselineMs: number | null
  readonly ratePerSecond: number | null
}

const NOTHING: UsableLearned = { limit: null, baselineMs: null, ratePerSecond: null }

/** The figures that can be used, of whatever was loaded. */
export function usable(learned: unknown): UsableLearned {
  if (typeof learned !== 'object' || learned === null) return NOTHING
  const { version, limit, baselineMs, ratePerSecond } = learned as Record<string, unknown>
  if (version !== 1) return NOTHING
  return {
    limit: within(limit, 1, 1e6),
    baselineMs: within(baselineMs, 0.01, 3_600_000),
    ratePerSecond: within(ratePerSecond, 0.01, 1e7),
  }
}

function within(value: unknown, least: number, most: number): number | null {
  return typeof value === 'number' && value >= least && value <= most ? value : null
}
