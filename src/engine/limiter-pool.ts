/**
 * The limiters of a call stage by what its calls are limited by: one for all of them, or one for each name that
 * `limitKey` gives. Stages that name the same limiter share a pool; a limiter lives while a line of one of them has it.
 */
import { Controller } from '../control/controller.ts'
import { FixedLimiter } from '../control/fixed-limiter.ts'
import type { Learned } from '../control/learned.ts'
import type { AttemptOutcome, Permit } from '../control/limiter.ts'
import { type ConcurrencyPlan, mostCalls } from '../model/plan.ts'
import type { LimiterStatus } from '../model/status.ts'

/** Longer than any call that still has its slot. */
const LOST_MARGIN_MS = 60_000

/** Records of a line that wait for their first attempt. */
interface FirstAttempts {
  readonly size: number
}

/** A limiter, and the lines that have it. Time is the engine's; the limiter counts from 1970, so that clients probe together. */
export class PooledLimiter {
  readonly key: string | null
  readonly limiter: FixedLimiter | Controller
  readonly #offsetMs: number
  /** Changes with every attempt that settles: whoever was told to wait for one asks again. */
  version = 0
  readonly queues = new Set<FirstAttempts>()

  constructor(key: string | null, limiter: FixedLimiter | Controller, offsetMs: number) {
    this.key = key
    this.limiter = limiter
    this.#offsetMs = offsetMs
  }

  /** A first attempt waits for it, in whichever stage. */
  get firstWaits(): boolean {
    for (const queue of this.queues) if (queue.size > 0) return true
    return false
  }

  /** 0, or the instant at which to ask again; Infinity: when `version` has changed. */
  admit(nowMs: number): number {
    const askMs = this.limiter.admit(nowMs + this.#offsetMs)
    return askMs === 0 ? 0 : askMs - this.#offsetMs
  }

  /** How many may be sent in a row, once `admit` has said yes: an adaptive limiter is asked for each. */
  get room(): number {
    const { limiter } = this
    return limiter instanceof FixedLimiter ? limiter.room : 1
  }

  sent(nowMs: number): Permit {
    return this.limiter.sent(nowMs + this.#offsetMs)
  }

  settled(permit: Permit, nowMs: number, outcome: AttemptOutcome): void {
    this.version += 1
    this.limiter.settled(permit, nowMs + this.#offsetMs, outcome)
  }

  status(waiting: number): LimiterStatus {
    const { key, limiter } = this
    if (limiter instanceof Controller) {
      const { retryTokens: _, ...found } = limiter.snapshot()
      return { key, waiting, ...found }
    }
    return {
      key,
      phase: 'fixed',
      limit: limiter.limit,
      inFlight: limiter.inFlight,
      waiting,
      baselineMs: null,
      latencyMs: null,
      ratePerSecond: null,
      probing: false,
      gate: limiter.reason,
      gateUntilMs: null,
      breaker: limiter.breaker,
    }
  }
}

/** What the limiters of a pool had learned, by key; '' stands for the one without. */
export type LearnedPool = Readonly<Record<string, Learned>>

/** By the name of a shared limiter, or of the stage that has its own. */
export type LearnedLimits = Readonly<Record<string, LearnedPool>>

export class LimiterPool {
  readonly #plan: ConcurrencyPlan
  readonly #offsetMs: number
  readonly #random: () => number
  readonly #timeoutMs: number
  readonly #learned: LearnedPool
  readonly #limiters = new Map<string | null, PooledLimiter>()
  /** Calls in flight: of a fixed limit so many, of an adaptive one at most. What the plan said, until it is changed. */
  #most: number

  /** `offsetMs`: engine time + this = epoch time. */
  constructor(plan: ConcurrencyPlan, timeoutMs: number, offsetMs: number, random: () => number, learned: LearnedPool) {
    this.#plan = plan
    this.#offsetMs = offsetMs
    this.#timeoutMs = timeoutMs
    this.#random = random
    this.#learned = learned
    this.#most = mostCalls(plan)
  }

  get most(): number {
    return this.#most
  }

  /** The limiter of a key, for one line, which joins it. */
  take(key: string | null, nowMs: number): PooledLimiter {
    let pooled = this.#limiters.get(key)
    if (pooled === undefined) {
      pooled = new PooledLimiter(key, this.#make(key, nowMs), this.#offsetMs)
      this.#limiters.set(key, pooled)
    }
    return pooled
  }

  /** The line is gone. */
  release(pooled: PooledLimiter, queue: FirstAttempts): void {
    pooled.queues.delete(queue)
    if (pooled.queues.size === 0) this.#limiters.delete(pooled.key)
  }

  /** From now on no limiter allows more than this; a fixed one allows exactly this. */
  change(calls: number): void {
    this.#most = calls
    for (const pooled of this.#limiters.values()) {
      const { limiter } = pooled
      pooled.version += 1
      if (limiter instanceof Controller) limiter.change({ max: calls })
      else limiter.limit = calls
    }
  }

  learned(): LearnedPool | null {
    const learned: Record<string, Learned> = {}
    for (const [key, { limiter }] of this.#limiters)
      if (limiter instanceof Controller) learned[key ?? ''] = limiter.learned()
    return Object.keys(learned).length > 0 ? learned : null
  }

  #make(key: string | null, nowMs: number): FixedLimiter | Controller {
    if (this.#plan.kind === 'fixed') return new FixedLimiter(this.#most, this.#random)
    const { initial, min, target } = this.#plan
    const max = this.#most
    const name = key ?? ''
    const options = {
      min: Math.min(min, max),
      max,
      initial: initial === null ? undefined : Math.min(initial, max),
      target,
      lostAfterMs: Math.min(86_400_000, this.#timeoutMs + LOST_MARGIN_MS),
      random: this.#random,
      learned: Object.hasOwn(this.#learned, name) ? this.#learned[name] : undefined,
    }
    return new Controller(options, nowMs + this.#offsetMs)
  }
}
