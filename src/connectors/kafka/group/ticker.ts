/**
 * A pause that others can end early: what the membership loops sleep on between two signs of life. Invariant: a wake
 * that comes while nobody sleeps ends the next pause at once.
 */
export class Ticker {
  #woken = false
  readonly #waiters = new Set<() => void>()

  wake(): void {
    this.#woken = true
    for (const wake of [...this.#waiters]) wake()
  }

  /** Resolves after `ms` milliseconds, or at the next `wake`. */
  async pause(ms: number): Promise<void> {
    if (!this.#woken) await this.#sleep(ms)
    this.#woken = false
  }

  /** The same for any number of bystanders, who take no wake away from the loop. */
  next(ms: number): Promise<void> {
    return this.#sleep(ms)
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer)
        this.#waiters.delete(end)
        resolve()
      }
      const timer = setTimeout(end, ms)
      this.#waiters.add(end)
    })
  }
}
