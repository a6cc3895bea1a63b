/**
 * How many of a limiter's permits the retries of a line may hold. While first attempts wait it is a share, so that
 * nothing new starves behind repeats. With nothing else to start they may hold more, as the downstream shows that it
 * answers: each success lets one more be in flight, each failure takes four away, a downstream that is down takes all.
 * So repeats fill the slots at the pace of a slow start, as long as fewer than one attempt in five fails.
 */
import type { AttemptOutcome } from '../control/limiter.ts'

const SHARE = 1 / 4
const LOST_BY_FAILURE = 4

export class RetryShare {
  #inFlight = 0
  /** Beyond the share. */
  #earned = 0

  started(): void {
    this.#inFlight += 1
  }

  ended(): void {
    this.#inFlight -= 1
  }

  /** An attempt of the line settled, be it a first one or a repeat. What concerns its record alone says nothing. */
  heard(kind: AttemptOutcome['kind'], limit: number, isDown: boolean): void {
    if (isDown) {
      this.#earned = 0
    } else if (kind === 'success') {
      if (this.#earned < limit) this.#earned += 1
    } else if (kind !== 'ignored') {
      this.#earned = Math.max(0, this.#earned - LOST_BY_FAILURE)
    }
  }

  /** One more repeat may start although first attempts wait. */
  fitsBeside(limit: number): boolean {
    return this.#inFlight < shareOf(limit)
  }

  /** One more repeat may start, since nothing else waits. */
  fitsAlone(limit: number): boolean {
    return this.#inFlight < shareOf(limit) + this.#earned
  }
}

function shareOf(limit: number): number {
  return Math.max(1, Math.ceil(limit * SHARE))
}
