/**
 * When the progress of a source is stored: at the interval, sooner when much has completed or somebody waits for it, and
 * later after a failure. `intake.ts` asks, and says how each commit ended.
 */
import type { CommitPlan } from '../model/plan.ts'

/** Fewer completions than this are no reason for a commit before its time. */
const LEAST_COMPLETIONS = 1_000
/** So far apart are commits that only the number of their records calls for: each is a request to the broker. */
const COUNTED_APART_MS = 50
const RETRY_MS = 100
const MAX_RETRY_MS = 5000

export interface Uncommitted {
  readonly completions: number
  /** Of the same partitions. */
  readonly inFlight: number
  /** Somebody waits for the commit. */
  readonly urgent: boolean
}

export class CommitClock {
  commits = 0
  failures = 0
  /** When the next commit is due; Infinity while there is nothing to commit. */
  dueMs = Number.POSITIVE_INFINITY
  readonly #plan: CommitPlan
  readonly #beganMs: number
  #lastMs = Number.NEGATIVE_INFINITY
  #notBeforeMs = Number.NEGATIVE_INFINITY
  #failuresInRow = 0

  constructor(plan: CommitPlan, nowMs: number) {
    this.#plan = plan
    this.#beganMs = nowMs
  }

  /** Whether to commit now; if not, `dueMs` says when. */
  isDue({ completions, inFlight, urgent }: Uncommitted, nowMs: number): boolean {
    let dueMs = Math.max(this.#beganMs, this.#lastMs) + this.#plan.intervalMs
    if (completions >= this.#enough(inFlight)) dueMs = Math.min(dueMs, this.#lastMs + COUNTED_APART_MS)
    this.dueMs = Math.max(this.#notBeforeMs, urgent ? nowMs : dueMs)
    return nowMs >= this.dueMs
  }

  begun(nowMs: number): void {
    this.#lastMs = nowMs
    this.dueMs = Number.POSITIVE_INFINITY
  }

  succeeded(): void {
    this.commits += 1
    this.#failuresInRow = 0
  }

  /** `again`: the same is to be committed again, after a pause that grows. */
  failed(nowMs: number, again: boolean): void {
    this.failures += 1
    if (!again) return
    this.#notBeforeMs = nowMs + Math.min(MAX_RETRY_MS, RETRY_MS * 2 ** Math.min(this.#failuresInRow, 10))
    this.#failuresInRow += 1
  }

  get failing(): boolean {
    return this.#failuresInRow > 0
  }

  /** Unless it was given, half of what is in flight: the other half may complete until the commit is stored. */
  #enough(inFlight: number): number {
    return this.#plan.records ?? Math.max(LEAST_COMPLETIONS, inFlight / 2)
  }
}
