/**
 * What a few refusals together say about a quota. Each is the end of a stretch of calls of known times, at which nothing
 * was left. A quota is taken to be a bucket that so much flows into and that holds so much, or a window that begins
 * anew every second; one stretch fits a slow flow into a large bucket as well as a fast flow into a small one, but two of
 * different pace or length do not. The fit goes over a grid of rates and sizes (Bayes' rule by enumeration: MacKay,
 * Information Theory, Inference, and Learning Algorithms, chapter 21).
 * Called by `quota.ts` at refusals. Invariant: `low ≤ perSecond ≤ high`, whatever the stretches are.
 */
import type { Stretch } from './stretch.ts'

const RATES = 48
/** Sizes of a bucket in seconds of its rate; the usual one is thought to be likely within a factor of about three. */
const SIZES = 16
const SMALLEST_S = 0.03
const SIZE_STEP = 1.4
/** The buckets of one rate, and the window. */
const KINDS = SIZES + 1
const USUAL_S = 0.3
const USUAL_SPREAD = 1.1
const WINDOW_CHANCE = 0.3
/** At a refusal nothing is left, give or take a call, the calls of so many seconds, and a share of the bucket. */
const ERROR_CALLS = 1
const ERROR_S = 0.02
const ERROR_SHARE = 0.1
/** That the quota has changed between two stretches (Adams and MacKay, Bayesian online changepoint detection, 2007). */
const ANOTHER = 0.1
/** Beforehand: that a quota has changed within a stretch, and that what was granted has nothing to do with this one. */
const CHANGED = 0.03
const UNEXPLAINED = 0.003
/** Of a normal distribution: what its height times its standard error comes to. */
const HEIGHT = 1 / Math.sqrt(2 * Math.PI)
/** Where in what is believed the pace is taken: in the middle, and higher where a refusal would still teach much. */
const QUANTILE = 0.5
const UNSURE = 1.2
const UNSURE_QUANTILE = 0.6
/** How far it lies apart is told between these shares of it. */
const UPPER = 0.85
const LOWER = 0.15

export interface Fit {
  readonly perSecond: number
  /** How far what is believed lies apart: a ratio, 1 or more. */
  readonly apart: number
}

/** `low` and `high`: calls a second that the quota is between; the latest stretch is last. */
export function fitQuota(stretches: readonly Stretch[], low: number, high: number): Fit {
  if (!(high > low)) return { perSecond: low, apart: 1 }
  const step = (high / low) ** (1 / (RATES - 1))
  const before = beforehand(step)
  let believed = before
  for (const stretch of stretches) believed = learned(believed, before, stretch, low, step)
  const rateAt = (share: number): number => {
    let passed = 0
    for (let at = 0; at < believed.length; at += 1) {
      passed += believed[at] as number
      if (passed >= share) return low * step ** Math.floor(at / KINDS)
    }
    return low
  }
  const apart = rateAt(UPPER) / rateAt(LOWER)
  return { perSecond: rateAt(apart > UNSURE ? UNSURE_QUANTILE : QUANTILE), apart }
}

/** How likely each quota of the grid is before anything is known: of every rate the buckets, then the window. */
function beforehand(step: number): Float64Array {
  const weights = new Float64Array(RATES * KINDS)
  for (let at = 0; at < weights.length; at += 1) {
    const size = at % KINDS
    const off = Math.log(secondsOf(size) / USUAL_S) / USUAL_SPREAD
    const kind = size === SIZES ? WINDOW_CHANCE : ((1 - WINDOW_CHANCE) * Math.exp((-off * off) / 2)) / SIZES
    // One rate is as likely as another, and those of the grid lie farther apart the higher they are.
    weights[at] = kind * step ** Math.floor(at / KINDS)
  }
  return normalized(weights)
}

/** What is believed after a stretch. Before it the quota may have become another one, of which nothing is known. */
function learned(known: Float64Array, before: Float64Array, stretch: Stretch, low: number, step: number): Float64Array {
  const weights = new Float64Array(RATES * KINDS)
  for (let rate = 0; rate < RATES; rate += 1) {
    const perSecond = low * step ** rate
    const drained = stretch.drained(perSecond)
    const unspent = stretch.unspent(perSecond)
    for (let size = 0; size < KINDS; size += 1) {
      const at = rate * KINDS + size
      const chance =
        size === SIZES
          ? chanceOfWindow(stretch, perSecond)
          : chanceOfBucket(stretch, perSecond, Math.max(1, secondsOf(size) * perSecond), drained, unspent)
      weights[at] = (ANOTHER * (before[at] as number) + (1 - ANOTHER) * (known[at] as number)) * chance
    }
  }
  return normalized(weights)
}

function chanceOfBucket(
  stretch: Stretch,
  perSecond: number,
  capacity: number,
  drained: number,
  unspent: number,
): number {
  const error = errorOf(perSecond, capacity)
  const left = Math.min(capacity - drained, unspent)
  // Too much was granted for such a quota: it fits if it was another one at first.
  const changed = otherwise(left < 0 && capacity <= drained ? CHANGED : UNEXPLAINED, stretch, error)
  return changed + (1 - changed) * chanceOf(left, error)
}

function chanceOfWindow(stretch: Stretch, perSecond: number): number {
  const error = errorOf(perSecond, 0)
  const left = perSecond - stretch.inSecond
  const changed = otherwise(left < 0 ? CHANGED : UNEXPLAINED, stretch, error)
  const fits = chanceOf(left, error) * chanceOf(Math.min(0, perSecond - stretch.mostBefore), error)
  return changed + (1 - changed) * fits
}

/** The size of a bucket, in seconds of its rate. */
function secondsOf(size: number): number {
  return SMALLEST_S * SIZE_STEP ** size
}

function normalized(weights: Float64Array): Float64Array {
  const sum = weights.reduce((before, each) => before + each, 0)
  return weights.map((each) => each / sum)
}

/**
 * What this `share` of another quota weighs beside one that fits: of the other, any call of the stretch was as likely to
 * be the refused one; this one explains those within its error. Of the calls before the first refusal nothing was known.
 */
function otherwise(share: number, stretch: Stretch, error: number): number {
  return stretch.isFirst ? share : share * Math.min(1, error / (HEIGHT * Math.max(1, stretch.calls)))
}

/** How many calls may be left at a refusal, as a standard error. */
function errorOf(perSecond: number, capacity: number): number {
  return ERROR_CALLS + ERROR_S * perSecond + ERROR_SHARE * capacity
}

function chanceOf(left: number, error: number): number {
  const errors = left / error
  return Math.exp((-errors * errors) / 2)
}
