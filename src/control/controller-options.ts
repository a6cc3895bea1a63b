/**
 * The options of a controller and their check. Every one has a default that works; what contradicts another or is out
 * of range is refused with what was expected and what came.
 */
import { HeadgateError } from '../model/errors.ts'
import { OptionCheck, show } from '../model/option.ts'
import type { Learned } from './learned.ts'

export interface ControllerOptions {
  /** Calls in flight to begin with. Default 1, or what `learned` says. */
  readonly initial?: number | undefined
  /** The limit never falls below this. Default 1. */
  readonly min?: number | undefined
  /** The limit never rises above this. Default 1000. */
  readonly max?: number | undefined
  /**
   * The queue that is aimed at in the downstream, as a multiple of .35·√limit calls (more where calls vary much by
   * themselves). Default 1; less is gentler on latency, more is surer of throughput.
   */
  readonly target?: number | undefined
  /** Retries granted for each success, by `admitRetry`. Default 0.1. */
  readonly retryBudget?: number | undefined
  /** A call that has not settled after so many ms no longer counts as in flight. Default 60,000. */
  readonly lostAfterMs?: number | undefined
  /** Seed for jitter. Default 1. */
  readonly seed?: number | undefined
  /** Uniform in [0, 1), for jitter; in place of `seed`. */
  readonly random?: (() => number) | undefined
  /** What an earlier controller's `learned()` gave. What it cannot use is passed over. */
  readonly learned?: Learned | undefined
}

export interface CheckedOptions {
  readonly initial: number | null
  readonly min: number
  readonly max: number
  readonly target: number
  readonly retryBudget: number
  readonly lostAfterMs: number
}

const MOST_CALLS = 50_000

export function checkControllerOptions(where: string, options: ControllerOptions): CheckedOptions {
  const check = new OptionCheck(where, options, {
    initial: true,
    min: true,
    max: true,
    target: true,
    retryBudget: true,
    lostAfterMs: true,
    seed: true,
    random: true,
    learned: true,
  })
  check.functions('random')
  const calls = { min: 1, max: MOST_CALLS, unit: 'calls' }
  const min = check.integer('min', 1, calls)
  const max = check.integer('max', Math.max(1000, min), calls)
  if (min > max) throw invalid(where, `expected \`min\` ≤ \`max\`, got min ${show(min)} and max ${show(max)}`)
  const initial = options.initial === undefined ? null : check.integer('initial', 1, calls)
  if (initial !== null && (initial < min || initial > max)) {
    throw invalid(
      where,
      `expected \`min\` ≤ \`initial\` ≤ \`max\`, got initial ${show(initial)}, from ${min} to ${max}`,
    )
  }
  if (options.seed !== undefined) check.integer('seed', 1, { min: 0, max: Number.MAX_SAFE_INTEGER, unit: '' })
  return {
    initial,
    min,
    max,
    target: number(check, options, 'target', 1, 0.1, 10),
    retryBudget: number(check, options, 'retryBudget', 0.1, 0, 10),
    lostAfterMs: check.integer('lostAfterMs', 60_000, { min: 100, max: 86_400_000, unit: 'milliseconds' }),
  }
}

function number(
  check: OptionCheck<ControllerOptions>,
  options: ControllerOptions,
  name: 'target' | 'retryBudget',
  fallback: number,
  least: number,
  most: number,
): number {
  const value: unknown = options[name]
  if (value === undefined) return fallback
  if (typeof value === 'number' && value >= least && value <= most) return value
  throw check.refusal(name, `a number from ${least} to ${most}`)
}

function invalid(where: string, what: string): HeadgateError {
  return new HeadgateError('HG_OPTION_INVALID', `${where}: ${what}`)
}
