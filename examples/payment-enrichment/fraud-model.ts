/**
 * The capacity of the modelled fraud API, as a pure state machine: no clock, no timer, no I/O. `fraud-api.ts` asks it
 * on each request and performs the answer. It refuses above its quota and when its queue is full, it slows down under
 * a long queue, and every refusal costs it a little work, so that a retry storm lowers what it completes.
 * Invariant: in any window it admits at most `burst` + rate × window requests, and at most `waiting` of them wait.
 */
import { type Draw, erlang4 } from './random.ts'

export interface FraudModelOptions {
  /** The quota. More are refused with 429. */
  readonly perMinute: number
  /** How far the quota's token bucket fills in quiet moments, in requests. */
  readonly burst: number
  readonly servers: number
  /** Mean service time of one request on a healthy API. */
  readonly meanMs: number
  /** How many admitted requests may wait for a server. More are refused with 503. */
  readonly waiting: number
  /** What a refusal costs one server: connection, authentication, log line. */
  readonly refusalMs: number
}

export const FRAUD_DEFAULTS: FraudModelOptions = {
  perMinute: 20_000,
  burst: 100,
  servers: 8,
  meanMs: 20,
  waiting: 64,
  refusalMs: 1,
}

export type Verdict =
  | { readonly kind: 'admitted'; readonly doneInMs: number }
  | { readonly kind: 'quota'; readonly retryAfterMs: number }
  | { readonly kind: 'overload'; readonly retryAfterMs: number }

/** Refusals queue up for the servers no longer than this; above it the front door drops them for free. */
const REFUSAL_DEBT_MS = 500

export class FraudModel {
  readonly options: FraudModelOptions
  readonly #draw: Draw
  /** When each server will have finished all that it was given. */
  readonly #freeAt: Float64Array
  /** When the service of each admitted request starts: rising, and only those in the future. */
  #starts: number[] = []
  #tokens: number
  #tokensAtMs: number

  constructor(options: FraudModelOptions, draw: Draw, nowMs: number) {
    this.options = options
    this.#draw = draw
    this.#freeAt = new Float64Array(options.servers).fill(nowMs)
    this.#tokens = options.burst
    this.#tokensAtMs = nowMs
  }

  /** What becomes of a request that arrives now. Time must not run backward. */
  arrive(nowMs: number): Verdict {
    const { perMinute, burst, waiting, servers, meanMs, refusalMs } = this.options
    this.#tokens = Math.min(burst, this.#tokens + ((nowMs - this.#tokensAtMs) * perMinute) / 60_000)
    this.#tokensAtMs = nowMs
    if (this.#tokens < 1) {
      this.#work(nowMs, refusalMs, REFUSAL_DEBT_MS)
      return { kind: 'quota', retryAfterMs: ((1 - this.#tokens) * 60_000) / perMinute }
    }
    // The quota is kept by the gateway in front: what passes it has used its share, also when the queue is full.
    this.#tokens -= 1
    const queued = this.waitingAt(nowMs)
    if (queued >= waiting) {
      this.#work(nowMs, refusalMs, REFUSAL_DEBT_MS)
      return { kind: 'overload', retryAfterMs: (queued * meanMs) / servers }
    }
    const excess = Math.max(0, queued + this.#busyAt(nowMs) - servers - waiting / 2)
    const slowdown = 1 + excess / (waiting / 2)
    const service = this.#work(nowMs, erlang4(this.#draw, meanMs) * slowdown, Number.POSITIVE_INFINITY)
    if (service.start > nowMs) this.#starts.push(service.start)
    return { kind: 'admitted', doneInMs: service.end - nowMs }
  }

  /** Admitted requests that no server has begun. */
  waitingAt(nowMs: number): number {
    let begun = 0
    while (begun < this.#starts.length && this.#starts[begun]! <= nowMs) begun += 1
    if (begun > 0) this.#starts = this.#starts.slice(begun)
    return this.#starts.length
  }

  #busyAt(nowMs: number): number {
    let busy = 0
    for (const freeAt of this.#freeAt) if (freeAt > nowMs) busy += 1
    return busy
  }

  /** Gives work to the server that is free first, unless that one is occupied for longer than `unlessMs`. */
  #work(nowMs: number, workMs: number, unlessMs: number): { start: number; end: number } {
    let first = 0
    for (let server = 1; server < this.#freeAt.length; server += 1) {
      if (this.#freeAt[server]! < this.#freeAt[first]!) first = server
    }
    const start = Math.max(nowMs, this.#freeAt[first]!)
    if (start - nowMs > unlessMs) return { start, end: start }
    this.#freeAt[first] = start + workMs
    return { start, end: start + workMs }
  }
}
