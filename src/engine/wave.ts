/**
 * Attempts of a stage that began in one loop with as many records each. Those that also end in one loop took equally
 * long, so they are counted while the loop runs and measured once, when it is over. Once all of it has ended and is
 * measured, a wave is used again.
 */
export class Wave {
  startedMs: number
  /** Of each attempt. */
  records: number
  /** Attempts that have not ended. */
  inFlight = 0
  /** Others in flight once the last of them had begun. */
  beside = 0
  /** Ended, and not measured yet. */
  ended = 0

  constructor(startedMs: number, records: number) {
    this.startedMs = startedMs
    this.records = records
  }
}
