/** The line of one limiter in a call stage: records that wait for it, retries that are due, and its last answer. */
import type { AttemptOutcome, GateReason, Permit } from '../control/limiter.ts'
import { FairQueue } from './fair-queue.ts'
import type { Item } from './item.ts'
import type { PooledLimiter } from './limiter-pool.ts'
import { RetryShare } from './retry-share.ts'
import { Ring } from './ring.ts'

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
  readonly #share = new RetryShare()
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
    pooled.queues.add(this.queue)
  }

  get waiting(): number {
    return this.queue.size + this.retries.size
  }

  /** A retry may start as far as first attempts are concerned. */
  get retryFits(): boolean {
    const { pooled } = this
    const { limit } = pooled.limiter
    return this.#share.fitsBeside(limit) || (!pooled.firstWaits && this.#share.fitsAlone(limit))
  }

  sent(retry: boolean, nowMs: number): Permit {
    if (retry) this.#share.started()
    return this.pooled.sent(nowMs)
  }

  settled(permit: Permit, retry: boolean, nowMs: number, outcome: AttemptOutcome): void {
    const { pooled } = this
    pooled.settled(permit, nowMs, outcome)
    if (retry) this.#share.ended()
    this.#share.heard(outcome.kind, pooled.limiter.limit, pooled.limiter.isDown)
  }
}
