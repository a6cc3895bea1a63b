/**
 * Whether the downstream stood still as a whole: a collection of garbage, a failover, an event loop that was blocked,
 * one's own included. Of many calls in flight none comes back for longer than a call usually takes, then all do. A call
 * that met it took longer by what it lasted, however many there were, and so says nothing about the limit.
 * Called by `controller.ts` at each success. Invariant: what outlasts one turn of calls is heard, stall or not.
 */

/** With fewer calls in flight such a silence is nothing special. */
const FEW = 4
/** In usual durations: calls that were sent at one moment leave one of silence before the next. */
const USUAL = 1.5
/** So many calls would have come back meanwhile: that none does by chance is one in e to the power of it (Poisson). */
const MISSING = 18
/** In durations of the call that ends it: a silence that is shorter is none, and that is soon told. */
const SHORT = 1 / 4

/** What calls take, in ms: by the geometric mean, and by the arithmetic one. */
export interface CallTimes {
  readonly usualMs: number
  readonly meanMs: number
}

export class Stall {
  /** Since then nothing has come back, and as many calls as are enough were in flight. */
  #fromMs = 0
  #endMs = Number.NEGATIVE_INFINITY
  /** Calls that were heard since the last one. */
  #heard = 0

  sent(inFlight: number, nowMs: number): void {
    if (inFlight === FEW) this.#fromMs = nowMs
  }

  /** A call sent at `sentMs` succeeds, one of so many in flight. True: it met a stall. */
  isMet(inFlight: number, sentMs: number, nowMs: number, times: CallTimes): boolean {
    const silenceMs = nowMs - this.#fromMs
    this.#fromMs = nowMs
    const isSilence = silenceMs > SHORT * (nowMs - sentMs) && inFlight >= FEW && this.#heard >= FEW
    if (isSilence && silenceMs > USUAL * times.usualMs && silenceMs * inFlight > MISSING * times.meanMs) {
      this.#endMs = nowMs
      this.#heard = 0
    }
    if (sentMs < this.#endMs) return true
    this.#heard += 1
    return false
  }
}
