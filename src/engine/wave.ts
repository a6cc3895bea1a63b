/**
 * Attempts of a stage that began in one loop with as many records each. Those that also end in one loop took equally
 * long, so they are counted while the loop runs and measured once, when it is over.
 */
export class Wave {
  startedMs: number
  /** Of each attempt. */
  records: number
  /** Others in flight once the last of them had begun. */
  beside = 0
  /** Begun, and not ended. */
  open = 0
  /** Ended, and not measured yet. */
  ended = 0

  constructor(startedMs: number, records: number) {
    this.startedMs = startedMs
    this.records = records
  }

  /** One that has ended and was measured stands for the attempts of another loop, instead of a new one. */
  become(startedMs: number, records: number): void {
    this.startedMs = startedMs
    this.records = records
    this.beside = 0
  }
}
