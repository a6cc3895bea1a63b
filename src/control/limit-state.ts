/**
 * What all phases of the search for the limit share: the limit within its bounds, the instruments, and the questions
 * that each of them asks. `queue-limit.ts` adds the phases themselves.
 */
import { Aim } from './aim.ts'
import { Baseline } from './baseline.ts'
import { Descent } from './descent.ts'
import { Experiment } from './experiment.ts'
import { Failures } from './failures.ts'
import { Cohort } from './latency.ts'
import { Measures } from './measures.ts'
import { ProbeSchedule } from './probe-schedule.ts'
import { Regain } from './regain.ts'
import { Restores } from './restores.ts'
import { Tracking } from './tracking.ts'
import { Unqueued } from './unqueued.ts'

export type Phase = 'slow-start' | 'track' | 'brake' | 'probe' | 'waiting' | 'deep'

export interface QueueLimitOptions {
  readonly initial: number
  readonly min: number
  readonly max: number
  /** Scales the queue that is aimed at. */
  readonly queue: number
}

const LEAST_DEADLINE_MS = 2000
const DEADLINE_DURATIONS = 60

export class LimitState {
  readonly baseline = new Baseline()
  phase: Phase = 'slow-start'
  protected options: QueueLimitOptions
  protected readonly cohort = new Cohort()
  protected readonly measures = new Measures()
  protected readonly unqueued = new Unqueued()
  protected readonly failures: Failures
  protected readonly experiment = new Experiment(this.cohort, this.measures)
  protected readonly restores = new Restores()
  protected readonly regain = new Regain()
  protected readonly tracking = new Tracking()
  protected readonly descent = new Descent()
  protected readonly schedule = new ProbeSchedule()
  protected readonly aim: Aim
  /** Calls that may be in flight, a whole number: `exact` without its fraction, kept since every call asks for it. */
  limit = 0
  /** The limit with its fraction. Only `setLimit` changes it. */
  protected exact = 0
  /** The last limit that was seen to work; 0 before the first. */
  protected lastGood = 0
  protected phaseMs = 0
  protected sequence = 0
  /** Calls sent before the limit fell still show the queue that it made. */
  protected validFrom = 0
  /** Until then what settles is no fair sample, because nothing was sent for a while. */
  protected pausedMs = Number.NEGATIVE_INFINITY
  /** Steady time minus wall time. */
  protected aheadMs = 0

  constructor(options: QueueLimitOptions, nowMs: number) {
    this.options = options
    this.failures = new Failures(options.min)
    this.aim = new Aim(options.queue, this.measures, this.unqueued, this.baseline, this.experiment)
    this.exact = options.initial
    this.limit = whole(options.initial)
    this.phaseMs = nowMs
  }

  /** The fast mean of latency, or what the last window found; NaN while nothing is known. */
  get latency(): number {
    const { fast, fastN, lastMean } = this.measures
    return fastN > 0 ? fast : lastMean
  }

  /** What a call takes, never less than the baseline, in ms; Infinity while nothing is known. */
  get usualMs(): number {
    const { value, isKnown } = this.baseline
    return isKnown ? Math.max(Math.exp(value), this.typicalMs()) : Number.POSITIVE_INFINITY
  }

  /** The same as an arithmetic mean, if the logarithms are normally distributed. */
  get meanMs(): number {
    return this.usualMs * Math.exp(this.measures.variance / 2)
  }

  /** The share of calls that fail whatever the load is, or fail at a limit that is far down already. */
  get background(): number {
    return this.failures.background
  }

  /** The last limit that was seen to work. */
  get good(): number {
    return this.lastGood || this.exact
  }

  /** Starts with a baseline that an earlier run found; a first probe checks it soon. */
  learned(baseline: number, nowMs: number): void {
    this.baseline.set(baseline, 1)
    this.restartSchedule(nowMs)
  }

  sent(sequence: number, nowMs: number, inFlight: number): void {
    this.sequence = sequence
    this.measures.sent(inFlight, this.limit, nowMs)
    if (this.phase !== 'track' && this.phase !== 'waiting') this.cohort.sent(sequence, nowMs)
  }

  succeeded(sequence: number): void {
    this.failures.succeeded(sequence)
  }

  /** A call ended without a latency that means anything. */
  dropped(sequence: number): void {
    this.cohort.dropped(sequence)
  }

  /** From now on the limit rises to this at most. */
  setMax(max: number): void {
    this.options = { ...this.options, max, min: Math.min(this.options.min, max) }
    this.failures.min = this.options.min
    this.setLimit(this.exact)
  }

  /**
   * Nothing is sent until then. What settles meanwhile are the longest calls only, and the first ones after it the
   * shortest: the one would look like an overload, the other would lower the baseline for good.
   */
  paused(untilMs: number): void {
    this.pausedMs = Math.max(this.pausedMs, untilMs + this.measures.patience * this.typicalMs())
    this.measures.restart()
  }

  protected setLimit(limit: number): void {
    const { min, max } = this.options
    this.exact = limit > min ? Math.min(limit, max) : min
    this.limit = whole(this.exact)
  }

  /** The limit stands, and calls are not slower for it. */
  protected holds(nowMs: number): void {
    this.regain.held(Math.min(this.exact, this.measures.peak), nowMs, this.typicalMs())
  }

  /** A usual duration now. */
  typicalMs(): number {
    return this.measures.typicalMs(this.baseline)
  }

  protected isMeasured(nowMs: number): boolean {
    const { cohort } = this
    if (cohort.isSettled || !cohort.isSent) return cohort.isSettled
    return cohort.isComplete(nowMs, this.measures.patience * this.typicalMs())
  }

  protected isOverdue(nowMs: number): boolean {
    return nowMs - this.phaseMs > Math.max(LEAST_DEADLINE_MS, DEADLINE_DURATIONS * this.typicalMs())
  }

  protected restartSchedule(nowMs: number): void {
    this.schedule.restart(nowMs, this.aheadMs, this.aim.probeMs(this.exact))
  }
}

function whole(limit: number): number {
  return Math.floor(limit + 1e-9)
}
