/** The options of a limiter and of one call through it, and their checks: whatever is wrong is `HG_OPTION_INVALID`. */
import { type ControllerOptions, checkControllerOptions } from '../control/controller-options.ts'
import type { Learned } from '../control/learned.ts'
import type { AttemptOutcome } from '../control/limiter.ts'
import { HeadgateError } from '../model/errors.ts'
import { OptionCheck, show } from '../model/option.ts'
import type { Ended } from './outcome.ts'

/** Those of a `Controller`, which every key has one of, and what concerns them all. */
export interface LimiterOptions extends Omit<ControllerOptions, 'learned'> {
  /**
   * What the end of a call says about the downstream; `undefined`: what is understood without it. What it throws, or
   * returns otherwise, counts as `ignored`, with a warning.
   */
  readonly classify?: ((ended: Ended) => AttemptOutcome | undefined) | undefined
  /** Calls that may wait, over all keys; one more is rejected with `HG_OVERLOADED`. Default 10,000. */
  readonly maxWaiting?: number | undefined
  /**
   * Keys that have a limit of their own at a time. For one more, the key goes whose last call ended longest ago; while
   * all are in use it is rejected with `HG_OVERLOADED`. Default 1000.
   */
  readonly maxKeys?: number | undefined
  /** What an earlier limiter's `learned()` gave. What it cannot use is passed over. */
  readonly learned?: LimitLearned | undefined
}

/** What one call may say. */
export interface LimitCallOptions {
  /** Calls of a key share a limit, say a host, a tenant or a credential. Those without a key share one too. */
  readonly key?: string | undefined
  /** Ends the waiting, with its reason. The call itself has to be given it too. */
  readonly signal?: AbortSignal | undefined
  /** It repeats a call that failed: it also waits for the retry budget, which successes pay into. Default false. */
  readonly retry?: boolean | undefined
}

/** What a restart can begin from, as plain JSON: the option `learned`. */
export interface LimitLearned {
  readonly version: 1
  readonly keys: readonly LearnedKey[]
}

export interface LearnedKey extends Omit<Learned, 'version'> {
  /** null: the calls without a key. */
  readonly key: string | null
}

export interface CheckedLimiterOptions {
  readonly controller: ControllerOptions
  readonly classify: (ended: Ended) => AttemptOutcome | undefined
  readonly maxWaiting: number
  readonly maxKeys: number
  readonly learned: ReadonlyMap<string | null, Learned>
}

const WHERE = 'limiter'

export function checkLimiterOptions(options: LimiterOptions): CheckedLimiterOptions {
  const check = new OptionCheck<LimiterOptions>(WHERE, options, {
    initial: true,
    min: true,
    max: true,
    target: true,
    retryBudget: true,
    lostAfterMs: true,
    seed: true,
    random: true,
    classify: true,
    maxWaiting: true,
    maxKeys: true,
    learned: true,
  })
  check.functions('classify')
  const { classify, maxWaiting: _maxWaiting, maxKeys: _maxKeys, learned, ...controller } = options
  checkControllerOptions(WHERE, controller)
  const most = check.integer('maxKeys', 1000, { min: 1, max: 100_000, unit: 'keys' })
  return {
    controller,
    classify: classify ?? (() => undefined),
    maxWaiting: check.integer('maxWaiting', 10_000, { min: 0, max: 10_000_000, unit: 'calls' }),
    maxKeys: most,
    learned: usableKeys(learned, most),
  }
}

/** Loaded figures are read with suspicion: at most `most` keys, and each figure is checked where it is used. */
function usableKeys(learned: unknown, most: number): ReadonlyMap<string | null, Learned> {
  const usable = new Map<string | null, Learned>()
  const { version, keys } = (learned ?? {}) as Partial<Record<keyof LimitLearned, unknown>>
  if (version !== 1 || !Array.isArray(keys)) return usable
  for (const one of keys as readonly (Partial<LearnedKey> | null | undefined)[]) {
    if (usable.size === most) break
    const { key, limit, baselineMs = null, ratePerSecond = null } = one ?? {}
    if ((typeof key !== 'string' && key !== null) || typeof limit !== 'number') continue
    usable.set(key, { version: 1, limit, baselineMs, ratePerSecond })
  }
  return usable
}

/** Refuses what a call cannot be made with; types catch most of it. */
export function checkCall(call: unknown, options: LimitCallOptions): void {
  const { key, signal, retry } = options
  if (typeof call !== 'function') {
    const isPromise = typeof (call as { then?: unknown } | null | undefined)?.then === 'function'
    const hint = isPromise ? ', a call that is made already: write `limit(() => …)`' : ''
    throw invalid(`expected a function that makes the call, got ${show(call)}${hint}`)
  }
  if (typeof options !== 'object') throw invalid(`expected options such as { key, signal }, got ${show(options)}`)
  for (const name in options) {
    // One that is misspelt would be a limit that is shared by all, or a wait that nothing ends.
    if (name !== 'key' && name !== 'signal' && name !== 'retry') {
      throw invalid(`unknown option \`${name}\`; the options of a call are \`key\`, \`signal\`, \`retry\``)
    }
  }
  if (key !== undefined && typeof key !== 'string') throw invalid(`key: expected a text, got ${show(key)}`)
  if (retry !== undefined && typeof retry !== 'boolean') {
    throw invalid(`retry: expected true or false, got ${show(retry)}`)
  }
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted !== 'function') {
    throw invalid(`signal: expected an AbortSignal, got ${show(signal)}`)
  }
}

function invalid(text: string): HeadgateError {
  return new HeadgateError('HG_OPTION_INVALID', `limit(…): ${text}`)
}
