/**
 * What refusals for overload (503) and time-outs say about the limit. A single rare one must not cut it: cutting on
 * every time-out starves a downstream whose calls have a heavy tail. A share above the threshold cuts, once per
 * episode: after a cut only calls sent later count.
 */
const WEIGHT = 1 / 64
const REFUSED_SHARE = 0.02
const TIMED_OUT_SHARE = 0.05
const REFUSED_CUT = 0.85
const TIMED_OUT_CUT = 0.6
/** Refused at so many in flight, the limit stays below that for a while. */
const CEILING = 0.95
const CEILING_MS = 15_000

export class Failures {
  /** Exponentially weighted shares of the last 64 calls or so. */
  #refused = 0
  #timedOut = 0
  #from = 0
  #ceiling = Number.POSITIVE_INFINITY
  #ceilingUntilMs = 0

  get timedOutShare(): number {
    return this.#timedOut
  }

  /** Only calls from this sequence number on count. */
  restart(sequence: number): void {
    this.#refused = 0
    this.#timedOut = 0
    this.#from = sequence
  }

  succeeded(sequence: number): void {
    if (sequence < this.#from) return
    this.#refused -= this.#refused * WEIGHT
    this.#timedOut -= this.#timedOut * WEIGHT
  }

  /** The limit to cut to, or 0 when this is no reason to cut. */
  refused(sequence: number, limit: number, inFlight: number, nowMs: number): number {
    if (sequence < this.#from) return 0
    this.#refused += (1 - this.#refused) * WEIGHT
    if (this.#refused <= REFUSED_SHARE) return 0
    this.#ceiling = Math.max(1, CEILING * Math.min(limit, inFlight))
    this.#ceilingUntilMs = nowMs + CEILING_MS
    return Math.min(REFUSED_CUT * limit, this.#ceiling)
  }

  /** The limit to cut to, or 0 when this is no reason to cut. */
  timedOut(sequence: number, limit: number): number {
    if (sequence < this.#from) return 0
    this.#timedOut += (1 - this.#timedOut) * WEIGHT
    return this.#timedOut > TIMED_OUT_SHARE ? TIMED_OUT_CUT * limit : 0
  }

  ceilingAt(nowMs: number): number {
    return nowMs < this.#ceilingUntilMs ? this.#ceiling : Number.POSITIVE_INFINITY
  }
}
