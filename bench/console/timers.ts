/**
 * The timers of something that looks every so often, held so that it looks more often, or not at all. On a machine whose
 * pace changes by a tenth from second to second a cost of part of a percent cannot be told from none; what looks `TIMES`
 * as often may cost as much more, and that can be told.
 */
export const TIMES = 10

export class HeldTimers {
  readonly #held: { readonly look: () => void; readonly everyMs: number }[] = []
  #timers: NodeJS.Timeout[] = []

  /** Holds what `starts` sets to be done every so often; it is not done until `run`. */
  async hold<T>(starts: () => T | Promise<T>): Promise<T> {
    const real = globalThis.setInterval
    const held = (look: () => void, everyMs: number): NodeJS.Timeout => {
      this.#held.push({ look, everyMs })
      const timer = real(look, everyMs)
      clearInterval(timer)
      return timer
    }
    globalThis.setInterval = held as typeof setInterval
    try {
      return await starts()
    } finally {
      globalThis.setInterval = real
    }
  }

  /** So many times as often as it would; 0: not at all. */
  run(times: number): void {
    for (const timer of this.#timers) clearInterval(timer)
    this.#timers = times === 0 ? [] : this.#held.map(({ look, everyMs }) => setInterval(look, everyMs / times))
  }
}
