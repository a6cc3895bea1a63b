/**
 * For how long each reason of a stage held: why it started nothing more. The stage says its reason at most once a loop,
 * and only a change costs more than a comparison. The doctor tells from it which of several limits binds.
 */
export class ReasonClock {
  readonly #ms = new Map<string, number>()
  #reason = 'idle'
  #sinceMs: number

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  set(reason: string, nowMs: number): void {
    if (reason === this.#reason) return
    this.#charge(nowMs)
    this.#reason = reason
  }

  #charge(nowMs: number): void {
    this.#ms.set(this.#reason, (this.#ms.get(this.#reason) ?? 0) + Math.max(0, nowMs - this.#sinceMs))
    this.#sinceMs = nowMs
  }

  /** Seconds by reason, the present one up to now. */
  seconds(nowMs: number): Record<string, number> {
    this.#charge(nowMs)
    return Object.fromEntries([...this.#ms].map(([reason, ms]) => [reason, ms / 1000]))
  }
}
