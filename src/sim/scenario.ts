/**
 * What a simulated world is made of, as plain data: the conditions of the downstream and the network, phase by phase,
 * and the clients that call it. A scenario and a seed determine a run completely.
 */

/** How long one server works on one call. `meanMs` is always the mean of the whole distribution. */
export type ServiceTime =
  | { readonly kind: 'constant'; readonly meanMs: number }
  | { readonly kind: 'exponential'; readonly meanMs: number }
  /** `cv`: standard deviation ÷ mean. */
  | { readonly kind: 'lognormal'; readonly meanMs: number; readonly cv: number }
  /** A share of the calls takes `slowFactor` times as long as the others. */
  | { readonly kind: 'bimodal'; readonly meanMs: number; readonly slowShare: number; readonly slowFactor: number }
  /** Pareto: P(X > x) ~ x^−alpha with alpha > 1; cut off at `cap` means. */
  | { readonly kind: 'pareto'; readonly meanMs: number; readonly alpha: number; readonly cap: number }

/** What the downstream grants a client in calls, apart from what it could do. */
export interface QuotaSpec {
  readonly kind: 'bucket' | 'window'
  readonly perSecond: number
  /** Of a bucket, in calls; full at the start. */
  readonly burst?: number
  /** Length of a window, aligned to time 0. */
  readonly windowMs?: number
  /** What a 429 says. `true`: the time until a call would be granted, in whole seconds; a number: always so many ms. */
  readonly retryAfter?: boolean | number
  /** Every answer carries the RateLimit figures. */
  readonly headers?: boolean
}

export interface NetworkSpec {
  readonly rttMs: number
  /** The round trip moves by up to ± `stepMs` every `everyMs`, within `minMs` and `maxMs`. */
  readonly walk?: {
    readonly minMs: number
    readonly maxMs: number
    readonly stepMs: number
    readonly everyMs: number
  }
}

/**
 * How a downstream is down. `refuse`: answers 503 at once. `hang`: takes calls and never answers, what it was working
 * on is lost. `reset`: closes every connection, those that wait for an answer as well.
 */
export type Outage = 'refuse' | 'hang' | 'reset'

/** One replica of several is broken: this share of the calls is answered with 503 at once, or taken and never answered. */
export interface Broken {
  readonly share: number
  readonly by: 'refuse' | 'hang'
}

/** What holds during a phase, all of it: what a phase does not name is off. */
export interface Conditions {
  /** Calls served at once. */
  readonly servers: number
  readonly service: ServiceTime
  /** Calls that may wait for a server; one more is answered with 503. Without it there is no bound. */
  readonly queueLimit?: number
  /** What such a 503 says. */
  readonly queueRetryAfterMs?: number
  readonly quota?: QuotaSpec
  /** The service time grows by this share for every `servers` calls beyond `servers` that it holds. */
  readonly thrash?: number
  /** Service takes `factor` times as long at the start of the phase and is back to normal after `calls` calls. */
  readonly cold?: { readonly factor: number; readonly calls: number }
  /** The whole server stands still for `lastsMs`, on average every `everyMs`. */
  readonly pauses?: { readonly everyMs: number; readonly lastsMs: number }
  readonly network: NetworkSpec
  readonly outage?: Outage
  /** `servers` are those of the others. */
  readonly broken?: Broken
  /** Calls of others that arrive at random and do not slow down. */
  readonly others?: { readonly perSecond: number }
}

export interface Phase extends Conditions {
  readonly name: string
  readonly durationMs: number
}

/** Where the records come from: a backlog without end, or arrivals. */
export type SourceSpec =
  | { readonly kind: 'endless' }
  | { readonly kind: 'poisson'; readonly perSecond: number }
  /** Poisson at `highPerSecond` for `highMs`, then at `lowPerSecond` for `lowMs`, and so on. */
  | {
      readonly kind: 'bursty'
      readonly highPerSecond: number
      readonly highMs: number
      readonly lowPerSecond: number
      readonly lowMs: number
    }

export interface Scenario {
  readonly name: string
  readonly phases: readonly Phase[]
  /** Copies of the same client, each with its own limiter; they share the downstream. Default 1. */
  readonly clients?: number
  /** A client gives a call up after this time; the downstream does not hear of it. Default: never. */
  readonly timeoutMs?: number
  /** Of all clients together. Default: endless. */
  readonly source?: SourceSpec
}

/** How an attempt ended, as the client sees it. */
export interface Outcome {
  readonly kind: 'success' | 'overloaded' | 'timeout' | 'failed' | 'ignored'
  readonly status?: number
  readonly retryAfterMs?: number
  readonly rateLimit?: { readonly limit?: number; readonly remaining?: number; readonly resetMs?: number }
}

/** The seam for whatever decides when a client may send. */
export interface Gate {
  /** 0: send now. Infinity: ask again when a call settles. Otherwise the instant at which to ask again. */
  admit(nowMs: number): number
  sent(nowMs: number): unknown
  settled(permit: unknown, nowMs: number, outcome: Outcome): void
  snapshot(): { readonly limit: number }
}
