/**
 * What the lane of a source spends its time with: fetching, waiting for a commit or for room, or without input. A pull
 * that brought nothing was one without input; only when it ends is that known.
 */
import { LANE_STATES, type LaneState } from '../model/status.ts'

export const FETCH = 0
const COMMIT = 1
const BLOCKED = 2
const NO_INPUT = 3

/** The other reasons of an intake are no room: `blocked`, and the budgets of the gate. */
const STATE_OF_REASON: Readonly<Record<string, number>> = {
  pulling: FETCH,
  uncommitted: COMMIT,
  metadata: COMMIT,
  transaction: COMMIT,
  starting: NO_INPUT,
  ended: NO_INPUT,
  stopped: NO_INPUT,
  draining: NO_INPUT,
  paused: NO_INPUT,
  'no-partitions': NO_INPUT,
}

export class LaneClock {
  readonly #ms = new Float64Array(LANE_STATES.length)
  #state = NO_INPUT
  #sinceMs: number

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  set(reason: string, nowMs: number): void {
    const state = STATE_OF_REASON[reason] ?? BLOCKED
    if (state === this.#state) return
    this.#charge(this.#state, nowMs)
    this.#state = state
  }

  /** A pull ended, with or without records. */
  pulled(nowMs: number, brought: boolean): void {
    this.#charge(this.#state === FETCH && !brought ? NO_INPUT : this.#state, nowMs)
  }

  #charge(state: number, nowMs: number): void {
    this.#ms[state] = (this.#ms[state] as number) + Math.max(0, nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
  }

  /** Seconds by state. A pull under way counts once it has ended. */
  seconds(nowMs: number): Record<LaneState, number> {
    if (this.#state !== FETCH) this.#charge(this.#state, nowMs)
    return Object.fromEntries(LANE_STATES.map((state, index) => [state, (this.#ms[index] as number) / 1000])) as Record<
      LaneState,
      number
    >
  }
}
