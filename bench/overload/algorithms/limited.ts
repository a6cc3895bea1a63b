/**
 * What the baselines have in common: a limit on calls in flight, and a permit that remembers when its call was sent and
 * how many were in flight then, itself included.
 *
 * The bounds of all of them are 1 and 1,000, so that no default bound decides a comparison. Where a source has a larger
 * least limit (20 in two of Netflix's), its own comments call that undesirable for batch work.
 */
import type { Gate, Outcome } from '../../../src/sim/scenario.ts'

export const LEAST_LIMIT = 1
export const MOST_LIMIT = 1000

export interface SentCall {
  readonly sentMs: number
  readonly inFlight: number
}

export abstract class Limited implements Gate {
  protected limit: number
  protected inFlight = 0

  constructor(initial: number) {
    this.limit = initial
  }

  admit(_nowMs: number): number {
    return this.inFlight < Math.floor(this.limit) ? 0 : Number.POSITIVE_INFINITY
  }

  sent(nowMs: number): unknown {
    this.inFlight += 1
    return { sentMs: nowMs, inFlight: this.inFlight } satisfies SentCall
  }

  settled(permit: unknown, nowMs: number, outcome: Outcome): void {
    if (outcome.kind !== 'ignored') this.learn(permit as SentCall, nowMs, outcome)
    this.inFlight -= 1
  }

  snapshot(): { readonly limit: number } {
    return { limit: Math.floor(this.limit) }
  }

  /** The call is still counted as in flight. */
  protected abstract learn(call: SentCall, nowMs: number, outcome: Outcome): void
}

export function clampLimit(limit: number): number {
  return Math.max(LEAST_LIMIT, Math.min(MOST_LIMIT, limit))
}
