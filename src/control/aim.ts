/**
 * What the limit aims at, in figures that follow from the limit and from how much calls vary: the queue that may stand,
 * the rise that is an alarm, how exact a probe has to be and how long that takes.
 */
import type { Baseline } from './baseline.ts'
import type { Experiment } from './experiment.ts'
import type { Measures } from './measures.ts'
import type { Unqueued } from './unqueued.ts'

/** A rise of latency by this much (a difference of logarithms), on top of the queue that is aimed at, is an alarm. */
export const ALARM = 0.26
/** A probe lowers the limit to this share, and takes so many turns of calls at most. */
export const CUT = 0.7
export const PROBE_TURNS = 6

const ROOTS = 0.35
/** A window is good to five percent: a smaller queue could not be told from none. */
const LEAST_SHARE = 0.06
const MOST_SHARE = 0.25
const LEAST_QUEUE = 0.7
/** Below four calls a step of one is large, but so is what is lost by staying too low. */
const SMALL = 1.8
const SMALL_SLOPE = 0.25
/** What calls on the way add to the queue, and the calls in flight at which it begins and from which on it is all. */
const ON_THE_WAY = 0.5
const FEW = 7
const MANY = 16
/** With calls that hardly vary, from so many in flight on: less than one call, which is none. */
const EVEN_QUEUE = 0.5
const LEAST_EVEN = 4
const FINEST = 0.01
const COARSEST = 0.04
const SURPLUS = 0.5

export class Aim {
  readonly #scale: number
  readonly #measures: Measures
  readonly #unqueued: Unqueued
  readonly #baseline: Baseline
  readonly #experiment: Experiment
  /** The last answer of `alarm`, and what it was for. */
  #alarm = Number.NaN
  #alarmLimit = Number.NaN
  #alarmVariance = Number.NaN
  #alarmBaseline = Number.NaN

  /** `scale`: of the queue; 1 is the default. */
  constructor(scale: number, measures: Measures, unqueued: Unqueued, baseline: Baseline, experiment: Experiment) {
    this.#scale = scale
    this.#measures = measures
    this.#unqueued = unqueued
    this.#baseline = baseline
    this.#experiment = experiment
  }

  /**
   * Calls that may queue: concave in the limit, so that clients that share a downstream end with equal shares, and more
   * where calls vary much by themselves: there the same wait is a smaller part of the slowest calls.
   */
  queue(limit: number): number {
    const even = Math.max(ROOTS * Math.sqrt(limit), LEAST_SHARE * limit) * this.#measures.tolerance
    const atServers = Math.max(LEAST_QUEUE, SMALL - SMALL_SLOPE * limit, Math.min(even, MOST_SHARE * limit))
    return this.#scale * (atServers + this.#forTheWay(limit))
  }

  /**
   * The same at the end of a climb. Calls that take the same time stay together if they were sent at one moment, and
   * then each that queues waits for a whole turn: of such calls none shall.
   */
  queueAtKnee(limit: number): number {
    return this.#unqueued.isEven && limit >= LEAST_EVEN ? this.#scale * EVEN_QUEUE : this.queue(limit)
  }

  /**
   * Calls on the way to the servers and back come unevenly where they are served unevenly: how many of them are on the
   * way varies by about the square root of their number, and while more are, servers idle unless as many queue.
   */
  #forTheWay(limit: number): number {
    const { value, isKnown } = this.#baseline
    if (limit <= FEW || !isKnown) return 0
    const onTheWay = limit * this.#unqueued.way(value)
    const part = Math.min(1, (limit - FEW) / (MANY - FEW))
    return ON_THE_WAY * part * this.#unqueued.unevenness(value) * Math.sqrt(onTheWay)
  }

  /** The rise that is an alarm. Every call asks, and the answer changes with every window at most. */
  alarm(limit: number): number {
    const { variance } = this.#measures
    const { value } = this.#baseline
    if (limit !== this.#alarmLimit || variance !== this.#alarmVariance || value !== this.#alarmBaseline) {
      this.#alarmLimit = limit
      this.#alarmVariance = variance
      this.#alarmBaseline = value
      this.#alarm = ALARM + this.queue(limit) / limit
    }
    return this.#alarm
  }

  /** A baseline that is off by the queue would move the limit by as much; the mean of several probes is better. */
  probeAccuracy(limit: number): number {
    return Math.min(COARSEST, Math.max(FINEST, this.queue(limit) / limit))
  }

  /** How long a probe takes: the surplus leaves, then its calls are sent. */
  probeMs(limit: number): number {
    const to = Math.max(1, CUT * limit)
    const calls = this.#experiment.callsFor(to, this.probeAccuracy(limit), PROBE_TURNS, 'scheduled')
    const { value } = this.#baseline
    const typicalMs = this.#measures.typicalMs(this.#baseline)
    return Math.min(typicalMs, Number.isNaN(value) ? typicalMs : Math.exp(value)) * (SURPLUS + calls / to)
  }
}
