/**
 * Decides what the end of a call counts as: by `classify` where that has an answer, else by what is understood without
 * it. Invariant: it never throws, since the caller is owed what the call itself returned or threw.
 */
import type { AttemptOutcome } from '../control/limiter.ts'
import { describe } from '../model/errors.ts'
import { show } from '../model/option.ts'
import { type Ended, outcomeOf } from './outcome.ts'

const IGNORED: AttemptOutcome = { kind: 'ignored' }
const KINDS: ReadonlySet<unknown> = new Set<AttemptOutcome['kind']>([
  'success',
  'overloaded',
  'timeout',
  'failed',
  'ignored',
])

/** What is known of a call beside its end. */
export interface CallCircumstances {
  readonly signal: AbortSignal | undefined
  readonly waitedMs: number
  readonly tookMs: number
  readonly wallMs: number
}

export class Judge {
  readonly #classify: (ended: Ended) => unknown
  #warned = false

  constructor(classify: (ended: Ended) => AttemptOutcome | undefined) {
    this.#classify = classify
  }

  outcome(ended: Ended, circumstances: CallCircumstances): AttemptOutcome {
    try {
      const given = this.#classify(ended)
      if (given === undefined) return standard(ended, circumstances)
      if (KINDS.has((given as Partial<AttemptOutcome> | null)?.kind)) return given as AttemptOutcome
      this.#warn(`returned ${show(given)}, expected undefined or an outcome such as { kind: 'failed' }`)
    } catch (error) {
      this.#warn(`threw: ${describe(error)}`)
    }
    return IGNORED
  }

  /** Once: it would come with every call. */
  #warn(what: string): void {
    if (this.#warned) return
    this.#warned = true
    process.emitWarning(`limiter: \`classify\` ${what}. Such calls are ignored, so the limit cannot follow them`)
  }
}

function standard(ended: Ended, { signal, waitedMs, tookMs, wallMs }: CallCircumstances): AttemptOutcome {
  const outcome = outcomeOf(ended, wallMs)
  if (!ended.threw || signal?.aborted !== true) return outcome
  // A deadline that was set before the wait may leave the call no time: that is not the downstream's fault.
  if (outcome.kind === 'timeout') return waitedMs > tookMs ? IGNORED : outcome
  return ended.error === signal.reason ? IGNORED : outcome
}
