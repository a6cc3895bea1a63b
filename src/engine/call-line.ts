/** The line of one limiter in a call stage: records that wait for it, retries that are due, and its last answer. */
import type { GateReason } from '../control/limiter.ts'
import { FairQueue } from './fair-queue.ts'
import type { Item } from './item.ts'
import type { PooledLimiter } from './limiter-pool.ts'
import { Ring } from './ring.ts'

/** The share of a limit that retries may hold. */
const RETRY_SHARE = 1 / 4

/** A record between two attempts. */
export interface Retry {
  readonly item: Item
  readonly line: CallLine
  readonly dueMs: number
  /** What it takes from the retry budget. */
  readonly cost: number
}

export type LineReason = GateReason | 'retry-share' | 'retry-budget'

export class CallLine {
  readonly pooled: PooledLimiter
  readonly queue = new FairQueue()
  /** Due, the first one next. */
  readonly retries = new Ring<Retry>()
  retriesInFlight = 0
  /** Records of the stage that wait here, are in backoff or in flight. */
  records = 0
  /** What its limiter adds to the sum over the stage. */
  countedLimit = 0
  /** Why nothing of it starts, and when to ask again. */
  reason: LineReason = 'concurrency'
  askMs = Number.NEGATIVE_INFINITY
  /** The version of its limiter that said so: until it changes, or `askMs` comes, the answer stays. */
  answeredVersion = -1

  constructor(pooled: PooledLimiter) {
    this.pooled = pooled
  }

  get waiting(): number {
    return this.queue.size + this.retries.size
  }

  get retryFitsShare(): boolean {
    return this.retriesInFlight < Math.max(1, Math.ceil(this.pooled.limiter.limit * RETRY_SHARE))
  }
}
