/**
 * Exponential backoff with equal jitter: half of the delay is certain and half is drawn, so that retries spread out
 * and none comes back at once (full jitter collapses to near zero now and then).
 */
import type { BackoffPlan } from '../model/plan.ts'
import { MAX_TIMER_MS } from '../model/units.ts'

/** Delay before retry number `retry` (1 for the first), in milliseconds; `uniform` is drawn from [0, 1). */
export function backoffMs(plan: BackoffPlan, retry: number, uniform: number): number {
  const full = Math.min(plan.maxMs, plan.baseMs * plan.factor ** Math.min(retry - 1, 64), MAX_TIMER_MS)
  return full / 2 + (full / 2) * uniform
}
