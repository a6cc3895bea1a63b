/**
 * An experiment on the downstream: fewer calls in flight for a moment, to see what becomes of latency. It answers what
 * latency at a steady limit cannot tell, whether a queue is of one's own making. The elasticity of throughput is 1 when
 * fewer calls mean proportionally less throughput (calls do not become faster: nothing of ours is queued), and 0 when
 * they cost none (they become faster by as much). Little's law makes it one minus the ratio of the two logarithms.
 */
import { type Cohort, Sample } from './latency.ts'
import type { Measures } from './measures.ts'

export type Cause = 'scheduled' | 'gray' | 'alarm'

/** Elasticities that mean: the queue is ours; it is not; and latency moved by itself meanwhile. */
export const OURS = 0.5
const NOT_OURS = 0.8
const TRANSIENT = 1.3
/** Calls that are slower by this much after the cut would still queue if it was ours, and the cut have cost nothing. */
const LARGE_RISE = 0.6
const NOT_OURS_IF_LARGE = 0.35
/** One that is known no better than this does not tell the first two apart. */
const BLIND = 0.25
/** Calls from before the cut that are enough to stand for the limit before it. */
const ENOUGH_BEFORE = 8
const LEAST_CALLS = 8
/** The cohort starts this share of a duration after the cut, when the surplus has left. */
const SETTLE = 0.3
/**
 * What settles within this share of a duration after the cut still shows the limit from before it. No more than that:
 * all calls that were in flight at the cut are mostly long ones, since a long call is more likely to be met in flight.
 */
const STILL_BEFORE = 0.5

export class Experiment {
  cause: Cause = 'scheduled'
  /** The limit to come back to. */
  top = 1
  /** Calls in flight before the cut and after it. */
  from = 1
  to = 1
  readonly #cohort: Cohort
  readonly #measures: Measures
  /** Calls sent before the cut that settled after it: what the limit before it looked like to the last. */
  readonly #before = new Sample()
  #latencyBefore = 0
  #beforeUntilMs = 0

  constructor(cohort: Cohort, measures: Measures) {
    this.#cohort = cohort
    this.#measures = measures
  }

  /** The limit has fallen to `limit` without one, and latency has not followed: the next one starts from there. */
  stay(limit: number): void {
    this.cause = 'gray'
    this.top = limit
    this.from = limit
  }

  /**
   * The limit is `to` from now on. `accuracy`: of the mean that is
   * wanted; `turns`: of calls in flight that it may take at most.
   */
  begin(to: number, accuracy: number, turns: number, nowMs: number, typicalMs: number): void {
    const { window, fast } = this.#measures
    // An alarm is about the latest calls, a drift about many.
    this.#latencyBefore = this.cause === 'alarm' || window.n < LEAST_CALLS ? fast : window.mean
    this.to = to
    this.#beforeUntilMs = nowMs + STILL_BEFORE * typicalMs
    this.#before.reset()
    this.#measures.restart()
    this.#cohort.begin(nowMs + SETTLE * typicalMs, this.callsFor(to, accuracy, turns, this.cause))
  }

  /** Calls that are measured. A probe takes a whole turn of them at least: it costs little, and the baseline rests on it. */
  callsFor(to: number, accuracy: number, turns: number, cause: Cause): number {
    const calls = Math.min(this.#measures.variance / (accuracy * accuracy), turns * to)
    return Math.max(LEAST_CALLS, cause === 'scheduled' ? to : 0, calls)
  }

  measured(sequence: number, nowMs: number, value: number): void {
    if (nowMs < this.#beforeUntilMs) this.#before.add(value)
    this.#cohort.settled(sequence, value)
  }

  /** Latency at the limit before the cut (a logarithm, like all latencies here). */
  get before(): number {
    return this.cause === 'alarm' && this.#before.n >= ENOUGH_BEFORE ? this.#before.mean : this.#latencyBefore
  }

  get after(): number {
    return this.#cohort.sample.mean
  }

  /** Calls that `after` rests on. */
  get n(): number {
    return this.#cohort.sample.n
  }

  /** Standard error of `after`. */
  get error(): number {
    return this.#measures.errorOf(this.n)
  }

  /** Standard error of `before − after`. */
  get errorOfFall(): number {
    return this.#measures.errorOf(this.n, Math.max(ENOUGH_BEFORE, this.#before.n))
  }

  get elasticity(): number {
    return 1 - (this.before - this.after) / this.#lever
  }

  /**
   * So many fewer calls still queue: they cost throughput even less than where `share` of the calls queued before the
   * cut, as is meant, and left with it. A large share leaves little of the cut to tell by, so that more is asked (the
   * square).
   */
  stillQueues(share: number): boolean {
    const whenGone = Math.max(0, 1 - Math.log1p(share) / this.#lever)
    return this.elasticity < Math.min(OURS, whenGone * whenGone) - this.errorOfElasticity
  }

  get errorOfElasticity(): number {
    return this.errorOfFall / this.#lever
  }

  /** Fewer calls do not help, or noise hides whether they do. `rise`: over the baseline, after the cut. */
  isNotOurs(rise: number): boolean {
    const error = this.errorOfElasticity
    const most = (rise > LARGE_RISE ? NOT_OURS_IF_LARGE : NOT_OURS) + 0.5 * error
    return this.elasticity > (error > BLIND ? Math.min(OURS, most) : most)
  }

  get isTransient(): boolean {
    return this.elasticity > TRANSIENT + 2 * this.errorOfElasticity
  }

  get #lever(): number {
    return Math.log(this.from / Math.max(1, this.to))
  }
}
