/**
 * Watches the signals of waiting calls, with one listener a signal however many calls wait under it: thousands may share
 * the one of a shutdown, and Node.js warns of a leak from the eleventh listener on. Invariant: a signal that nobody
 * waits under any more has no listener of ours.
 */
interface Watched {
  readonly leaving: Set<() => void>
  /** One function a signal: the event does not always say whose it is. */
  readonly listener: () => void
}

export class AbortWatch {
  readonly #watched = new Map<AbortSignal, Watched>()

  /** Calls `leave` when the signal is aborted; the answer ends the watch. */
  watch(signal: AbortSignal, leave: () => void): () => void {
    const watched = this.#watched.get(signal) ?? this.#begin(signal)
    watched.leaving.add(leave)
    return () => {
      if (watched.leaving.delete(leave) && watched.leaving.size === 0) this.#end(signal, watched)
    }
  }

  #begin(signal: AbortSignal): Watched {
    const listener = (): void => {
      this.#end(signal, watched)
      for (const leave of watched.leaving) leave()
    }
    const watched: Watched = { leaving: new Set(), listener }
    this.#watched.set(signal, watched)
    signal.addEventListener('abort', listener)
    return watched
  }

  #end(signal: AbortSignal, watched: Watched): void {
    if (this.#watched.get(signal) === watched) this.#watched.delete(signal)
    signal.removeEventListener('abort', watched.listener)
  }
}
