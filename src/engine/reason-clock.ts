/**
 * For how long each reason of a stage held: why it started nothing more. The stage says its reason at most once a loop,
 * and a change costs one reading of a list of a few names. The doctor tells from it which of several limits binds.
 */
export class ReasonClock {
  /** Those that have held so far; there are about a dozen at most. */
  readonly #reasons: string[] = ['idle']
  readonly #ms: number[] = [0]
  #at = 0
  #sinceMs: number

  constructor(nowMs: number) {
    this.#sinceMs = nowMs
  }

  set(reason: string, nowMs: number): void {
    if (reason === this.#reasons[this.#at]) return
    this.#charge(nowMs)
    const at = this.#reasons.indexOf(reason)
    this.#at = at < 0 ? this.#reasons.push(reason) - 1 : at
    if (at < 0) this.#ms.push(0)
  }

  #charge(nowMs: number): void {
    this.#ms[this.#at] = (this.#ms[this.#at] as number) + Math.max(0, nowMs - this.#sinceMs)
    this.#sinceMs = nowMs
  }

  /** Seconds by reason, the present one up to now. */
  seconds(nowMs: number): Record<string, number> {
    this.#charge(nowMs)
    return Object.fromEntries(this.#reasons.map((reason, at) => [reason, (this.#ms[at] as number) / 1000]))
  }
}
