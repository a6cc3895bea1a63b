/**
 * `limiter()`: a Controller around any call that returns a promise. `limit(call)` waits until the downstream can take
 * the call, makes it, and ends exactly as the call did. Invariants: what the call returned or threw is never changed;
 * an idle limiter holds no timer and no listener, so it needs no closing.
 */
import type { ControllerSnapshot } from '../control/controller.ts'
import type { Permit } from '../control/limiter.ts'
import { AbortWatch } from './abort-watch.ts'
import { Judge } from './judge.ts'
import type { Lane } from './lane.ts'
import { Lanes } from './lanes.ts'
import {
  type CheckedLimiterOptions,
  checkCall,
  checkLimiterOptions,
  type LimitCallOptions,
  type LimiterOptions,
  type LimitLearned,
} from './options.ts'
import type { Ended } from './outcome.ts'
import { lineFull } from './refusal.ts'
import { type LimitWorld, REAL_LIMIT_WORLD } from './world.ts'

export interface LimitSnapshot {
  /** Calls that wait for their turn, over all keys. */
  readonly waiting: number
  /** Calls that are made and have not ended, over all keys. */
  readonly inFlight: number
  /** The key used last comes last. */
  readonly keys: readonly KeySnapshot[]
}

/** One key: its limit and how that came about. */
export interface KeySnapshot extends ControllerSnapshot {
  /** null: the calls without a key. */
  readonly key: string | null
  readonly waiting: number
}

export interface Limit {
  /**
   * Makes the call once the downstream can take it, in the order asked, and ends as it does. Rejects without making it
   * when `signal` is aborted first, or with `HG_OVERLOADED` when too many wait already.
   */
  <T>(call: () => T | PromiseLike<T>, options?: LimitCallOptions): Promise<T>
  /** Where every limit stands, at this moment. */
  snapshot(): LimitSnapshot
  /** What a restart can begin from, as plain JSON: the option `learned`. */
  learned(): LimitLearned
}

/** Makes a limiter, one for each downstream (or one with keys); `limit(() => fetch(url))` then is all there is to do. */
export function limiter(options: LimiterOptions = {}): Limit {
  return limiterIn(REAL_LIMIT_WORLD, options)
}

/** As `limiter`, with the clocks and timers of a test. */
export function limiterIn(world: LimitWorld, options: LimiterOptions): Limit {
  const limiting = new Limiting(checkLimiterOptions(options), world)
  const limit = <T>(call: () => T | PromiseLike<T>, callOptions?: LimitCallOptions): Promise<T> =>
    limiting.run(call, callOptions ?? {})
  return Object.assign(limit, { snapshot: () => limiting.snapshot(), learned: () => limiting.learned() })
}

class Limiting {
  readonly #maxWaiting: number
  readonly #judge: Judge
  readonly #world: LimitWorld
  readonly #lanes: Lanes
  readonly #aborts = new AbortWatch()
  #waiting = 0

  constructor(options: CheckedLimiterOptions, world: LimitWorld) {
    this.#maxWaiting = options.maxWaiting
    this.#judge = new Judge(options.classify)
    this.#world = world
    this.#lanes = new Lanes(options, world)
  }

  async run<T>(call: () => T | PromiseLike<T>, options: LimitCallOptions): Promise<T> {
    checkCall(call, options)
    const { key = null, signal, retry = false } = options
    signal?.throwIfAborted()
    const world = this.#world
    const askedMs = world.nowMs()
    const lane = this.#lanes.use(key)
    // This `await` also brings the caller's AsyncLocalStorage back, whoever's end gave the turn.
    const permit = lane.tryEnter(retry) ?? (await this.#turn(lane, retry, signal))
    const madeMs = world.nowMs()
    const settle = (ended: Ended): void => {
      const [waitedMs, tookMs] = [madeMs - askedMs, world.nowMs() - madeMs]
      lane.settled(permit, this.#judge.outcome(ended, { signal, waitedMs, tookMs, wallMs: world.wallMs() }))
    }
    let result: T
    try {
      // It may have been aborted since its turn came.
      signal?.throwIfAborted()
      result = await call()
    } catch (error) {
      settle({ threw: true, error })
      throw error
    }
    settle({ threw: false, result })
    return result
  }

  snapshot(): LimitSnapshot {
    const keys = [...this.#lanes.entries()].map(
      ([key, { waiting, controller }]): KeySnapshot => ({ key, waiting, ...controller.snapshot() }),
    )
    return { waiting: this.#waiting, inFlight: keys.reduce((sum, { inFlight }) => sum + inFlight, 0), keys }
  }

  learned(): LimitLearned {
    const keys = [...this.#lanes.learned()].map(([key, { limit, baselineMs, ratePerSecond }]) => ({
      ...{ key, limit, baselineMs, ratePerSecond },
    }))
    return { version: 1, keys }
  }

  /** Waits for a permit. */
  #turn(lane: Lane, retry: boolean, signal: AbortSignal | undefined): Promise<Permit> {
    if (this.#waiting >= this.#maxWaiting) throw lineFull(this.#maxWaiting)
    return new Promise((resolve, reject) => {
      let unwatch: (() => void) | undefined
      this.#waiting += 1
      const waiter = lane.join(retry, (permit) => {
        this.#waiting -= 1
        unwatch?.()
        resolve(permit)
      })
      if (signal === undefined) return
      unwatch = this.#aborts.watch(signal, () => {
        if (!lane.leave(waiter)) return
        this.#waiting -= 1
        reject(signal.reason)
      })
    })
  }
}
