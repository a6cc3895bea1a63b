/**
 * Waiting: a pause that can be ended, and how long the next one is. Everything here that tries again asks it.
 * Invariant: an abort ends a wait at once, and leaves neither timer nor listener behind.
 */

const FIRST_MS = 50
const MOST_MS = 2_000

/** 50 ms, doubled at each attempt, 2 seconds at most. */
export function backoffMs(attempt: number): number {
  return Math.min(MOST_MS, FIRST_MS * 2 ** Math.min(attempt, 10))
}

/** Resolves after `ms` milliseconds, or at the abort. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) {
      resolve()
      return
    }
    const end = (): void => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    signal?.addEventListener('abort', end, { once: true })
  })
}
