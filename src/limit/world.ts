/**
 * The clocks, the timer and the seed of a limiter that runs alone, taken from here and nowhere else, so that a test can
 * hand in its own.
 */
import { MAX_TIMER_MS } from '../model/units.ts'
import { REAL_WORLD } from '../runtime/world.ts'

export interface LimitWorld {
  /**
   * Steady, in ms since the Unix epoch when the process started: clients of one downstream that probe at round seconds
   * then do so together.
   */
  nowMs(): number
  /** What time it is, in ms since the Unix epoch: what dates in headers are compared with. */
  wallMs(): number
  /** Calls `ring` once and keeps the process alive until then; the answer takes it back. */
  setTimer(delayMs: number, ring: () => void): () => void
  seed(): number
}

/** Read once: asking for it takes longer than the time itself. */
const { timeOrigin } = performance

export const REAL_LIMIT_WORLD: LimitWorld = {
  nowMs: () => timeOrigin + performance.now(),
  wallMs: REAL_WORLD.wallMs,
  setTimer: (delayMs, ring) => {
    const timer = setTimeout(ring, Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(delayMs))))
    return () => clearTimeout(timer)
  },
  seed: REAL_WORLD.seed,
}
