/**
 * Wakes the pull that waits. Whoever brings records, an error or a change of assignment rings; only the pull waits.
 * Invariant: a ring that comes while nobody waits is not lost: the next wait ends at once.
 */
export class Doorbell {
  #rung = false
  #wake: (() => void) | null = null

  ring(): void {
    this.#rung = true
    this.#wake?.()
  }

  /** Resolves at the next ring, after `ms` milliseconds, or at the abort. One wait at a time. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (this.#rung || signal.aborted || ms <= 0) {
        this.#rung = false
        resolve()
        return
      }
      const end = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#wake = null
        this.#rung = false
        resolve()
      }
      const timer = setTimeout(end, Math.min(ms, 2 ** 31 - 1))
      signal.addEventListener('abort', end, { once: true })
      this.#wake = end
    })
  }
}
