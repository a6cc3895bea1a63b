/**
 * Abort signals for operations of one kind that are aborted together. Making a signal costs microseconds, so several
 * operations share one; not too many, so that a connector that leaves its listeners behind keeps few of them.
 */
import { setMaxListeners } from 'node:events'

const MOST_USES = 128

/** Node.js takes more than ten listeners for a leak; here they are those of several operations. */
function sharedController(): AbortController {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal)
  return controller
}

export interface SharedSignal {
  readonly controller: AbortController
  uses: number
  inProgress: number
}

export class Signals {
  /** Those with an operation in progress. */
  readonly #open = new Set<SharedSignal>()
  #current: SharedSignal | null = null

  /** For one operation; it is given back with `release`. */
  take(): SharedSignal {
    if (this.#current === null || this.#current.uses >= MOST_USES)
      this.#current = { controller: sharedController(), uses: 0, inProgress: 0 }
    this.#current.uses += 1
    this.#current.inProgress += 1
    this.#open.add(this.#current)
    return this.#current
  }

  release(shared: SharedSignal): void {
    shared.inProgress -= 1
    if (shared.inProgress === 0) this.#open.delete(shared)
  }

  /** Aborts the operations in progress; those that begin later are not aborted. */
  abort(reason?: unknown): void {
    for (const { controller } of this.#open) controller.abort(reason)
    this.#open.clear()
    this.#current = null
  }
}
