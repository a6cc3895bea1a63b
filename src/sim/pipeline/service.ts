/**
 * The downstream of the simulated call: a pool before it, a quota, servers with a queue, and failures. It tells when
 * an attempt is answered and how, given the time it was sent; everything else is the world's.
 */
import { SeededRandom } from '../../control/random.ts'
import { HeadgateError, overloaded } from '../../model/errors.ts'
import { serviceTimeSampler } from '../service-time.ts'
import type { CallSide } from './spec.ts'

const REFUSAL_MS = 2
const SLOW_FACTOR = 10

/** When it is answered; `thrown` undefined for a success. */
export interface Answer {
  readonly atMs: number
  readonly thrown: unknown
}

export class Service {
  readonly #random: SeededRandom
  readonly #times: SeededRandom
  #side: CallSide
  #sample: () => number = () => 0
  /** When each server is free; only with a bound. */
  #freeMs: number[] = []
  #tokens = 0
  #filledMs = 0

  constructor(side: CallSide, seed: number) {
    this.#side = side
    this.#random = new SeededRandom(seed ^ 0x5e7071)
    this.#times = new SeededRandom(seed ^ 0x1a7e0c)
    this.change(side, 0)
  }

  /** It is as `side` says from now on, with nothing queued in it. */
  change(side: CallSide, nowMs: number): void {
    const { latencyMs, cv, servers, quotaPerSecond } = side
    this.#side = side
    this.#sample = serviceTimeSampler(
      cv === 0 ? { kind: 'constant', meanMs: latencyMs } : { kind: 'lognormal', meanMs: latencyMs, cv },
      this.#times,
    )
    this.#freeMs = new Array<number>(servers ?? 0).fill(nowMs)
    this.#tokens = (quotaPerSecond ?? 0) / 10
    this.#filledMs = nowMs
  }

  send(nowMs: number): Answer | null {
    const { hangsFromMs, slowShare, failShare } = this.#side
    if (nowMs >= hangsFromMs) return null
    const refused = this.#refused(nowMs)
    if (refused !== null) return { atMs: nowMs + REFUSAL_MS, thrown: refused }
    const serviceMs = this.#sample() * (this.#random.next() < slowShare ? SLOW_FACTOR : 1)
    const thrown =
      this.#random.next() < failShare ? new HeadgateError('HG_HANDLER_FAILED', 'it did not work') : undefined
    return { atMs: this.#served(nowMs, serviceMs), thrown }
  }

  #served(nowMs: number, serviceMs: number): number {
    const free = this.#freeMs
    if (free.length === 0) return nowMs + serviceMs
    let first = 0
    for (let server = 1; server < free.length; server += 1)
      if ((free[server] as number) < (free[first] as number)) first = server
    free[first] = Math.max(nowMs, free[first] as number) + serviceMs
    return free[first] as number
  }

  /** A token bucket that holds a tenth of a second's worth. */
  #refused(nowMs: number): HeadgateError | null {
    const { quotaPerSecond } = this.#side
    if (quotaPerSecond === null) return null
    this.#tokens = Math.min(quotaPerSecond / 10, this.#tokens + ((nowMs - this.#filledMs) * quotaPerSecond) / 1000)
    this.#filledMs = nowMs
    if (this.#tokens >= 1) {
      this.#tokens -= 1
      return null
    }
    return overloaded('over quota', {
      status: 429,
      retryAfterMs: Math.ceil(((1 - this.#tokens) * 1000) / quotaPerSecond) + 20,
    })
  }
}
