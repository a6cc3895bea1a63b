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
const USUAL_S = 0.3
const USUAL_SPREAD = 1.1
const WINDOW_CHANCE = 0.3
/** At a refusal nothing is left, give or take a call, the calls of so many seconds, and a share of the bucket. */
const ERROR_CALLS = 1
const ERROR_S = 0.02
const ERROR_SHARE = 0.1
/** That the quota has changed between two stretches (Adams and MacKay, Bayesian online changepoint detection, 2007). */
const ANOTHER = 0.05
/** Beforehand: that a quota has changed within a stretch, and that what was granted has nothing to do with this one. */
const CHANGED = 0.03
const UNEXPLAINED = 0.003
/** Where in what is believed the pace is taken: low where that is narrow, high where a refusal would still teach much. */
const QUANTILE = 0.4
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
  const weights = new Float64Array(RATES)
  const step = (high / low) ** (1 / (RATES - 1))
  let sum = 0
  for (let at = 0; at < RATES; at += 1) {
    weights[at] = likelihood(stretches, low * step ** at)
    sum += weights[at] as number
  }
  const rateAt = (share: number): number => {
    let passed = 0
    for (let at = 0; at < RATES; at += 1) {
      passed += weights[at] as number
      if (passed >= share * sum) return low * step ** at
    }
    return low
  }
  const apart = rateAt(UPPER) / rateAt(LOWER)
  return { perSecond: rateAt(apart > UNSURE ? UNSURE_QUANTILE : QUANTILE), apart }
}

function likelihood(stretches: readonly Stretch[], perSecond: number): number {
  const drained = stretches.map((each) => each.drained(perSecond))
  const unspent = stretches.map((each) => each.unspent(perSecond))
  let all = 0
  for (let size = 0; size < SIZES; size += 1) {
    const seconds = SMALLEST_S * SIZE_STEP ** size
    const capacity = Math.max(1, seconds * perSecond)
    const off = Math.log(seconds / USUAL_S) / USUAL_SPREAD
    let chance = 1
    for (let at = 0; at < stretches.length; at += 1) {
      const left = Math.min(capacity - (drained[at] as number), unspent[at] as number)
      // Too much was granted for such a quota: it fits if it was another one at first.
      const changed = left < 0 && capacity <= (drained[at] as number) ? CHANGED : UNEXPLAINED
      chance = followed(chance, changed + (1 - changed) * chanceOf(left, perSecond, capacity), at)
    }
    all += (Math.exp((-off * off) / 2) * chance) / SIZES
  }
  let window = 1
  stretches.forEach((each, at) => {
    const left = perSecond - each.inSecond
    const changed = left < 0 ? CHANGED : UNEXPLAINED
    const fits = chanceOf(left, perSecond, 0) * chanceOf(Math.min(0, perSecond - each.mostBefore), perSecond, 0)
    window = followed(window, changed + (1 - changed) * fits, at)
  })
  return (1 - WINDOW_CHANCE) * all + WINDOW_CHANCE * window
}

/** Before the next stretch the quota may have changed: then what came before says nothing. */
function followed(before: number, next: number, at: number): number {
  return at === 0 ? next : (ANOTHER + (1 - ANOTHER) * before) * next
}

function chanceOf(left: number, perSecond: number, capacity: number): number {
  const errors = left / (ERROR_CALLS + ERROR_S * perSecond + ERROR_SHARE * capacity)
  return Math.exp((-errors * errors) / 2)
}
