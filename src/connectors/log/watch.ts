/**
 * Waits until a topic may hold something new: rung at once by appends of this process, and by a short timer that looks
 * for those of other processes. The source waits here while it is caught up. Invariant: every wait ends (news, time,
 * signal or `ring`) and leaves neither timer nor listener behind.
 */
import { MAX_TIMER_MS } from '../../model/units.ts'

const FIRST_LOOK_MS = 5
const LAST_LOOK_MS = 50
const GROWTH = 1.5

export class Watch {
  readonly #waiting = new Set<() => void>()

  ring(): void {
    for (const wake of [...this.#waiting]) wake()
  }

  /** Resolves when `hasNews` holds at a look, at a ring, when `signal` aborts, or after `waitMs`. */
  wait(hasNews: () => boolean, waitMs: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || waitMs <= 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      let everyMs = FIRST_LOOK_MS
      let looking: NodeJS.Timeout
      const end = (): void => {
        clearTimeout(limit)
        clearTimeout(looking)
        signal.removeEventListener('abort', wake)
        this.#waiting.delete(wake)
      }
      const wake = (): void => {
        end()
        resolve()
      }
      const look = (): void => {
        looking = setTimeout(look, everyMs).unref()
        everyMs = Math.min(everyMs * GROWTH, LAST_LOOK_MS)
        try {
          if (hasNews()) wake()
        } catch (error) {
          end()
          reject(error)
        }
      }
      const limit = setTimeout(wake, Math.min(waitMs, MAX_TIMER_MS))
      signal.addEventListener('abort', wake, { once: true })
      this.#waiting.add(wake)
      look()
    })
  }
}
