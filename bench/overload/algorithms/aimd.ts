/**
 * Additive increase, multiplicative decrease on errors: `AIMDLimit` of Netflix's concurrency-limits (Java, Apache-2.0,
 * github.com/Netflix/concurrency-limits), with its constants.
 */
import type { Outcome } from '../../../src/sim/scenario.ts'
import { clampLimit, Limited, type SentCall } from './limited.ts'

const INITIAL = 20
const BACKOFF = 0.9
const SLOW_MS = 5000

export class Aimd extends Limited {
  constructor() {
    super(INITIAL)
  }

  protected learn(call: SentCall, nowMs: number, outcome: Outcome): void {
    const dropped = outcome.kind !== 'success'
    if (dropped || nowMs - call.sentMs > SLOW_MS) this.limit = Math.floor(this.limit * BACKOFF)
    else if (call.inFlight * 2 >= this.limit) this.limit += 1
    this.limit = clampLimit(this.limit)
  }
}
