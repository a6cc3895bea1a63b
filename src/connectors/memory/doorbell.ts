/**
 * Lets a pull wait for something to happen. Sources wait at it; appends, assignments and `close` ring it. Every wait
 * ends: by the bell, by its signal or by its time, and none leaves a timer or a listener behind.
 */
import { MAX_TIMER_MS } from '../../model/units.ts'

export class Doorbell {
  readonly #waiting = new Set<() => void>()

  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves at the next ring, when `signal` aborts, or after `waitMs` milliseconds; never rejects. */
  wait(waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || waitMs <= 0) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, Math.min(waitMs, MAX_TIMER_MS))
      signal.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
    })
  }
}
