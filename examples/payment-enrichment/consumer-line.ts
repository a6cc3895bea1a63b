/**
 * What both consumers of the comparison print once a second, as a line of JSON. What they achieved is taken from the
 * fraud API's own counters; these lines add what only the consumer itself can know.
 */

export interface ConsumerLine {
  /** Calls that took longer than the two seconds they are given. */
  readonly timeouts: number
  /** Payments dropped (naive) or dead-lettered (Headgate) for good. */
  readonly gaveUp: number
  /** Payments read from the log and not finished. */
  readonly pending: number
  readonly latencyP99Ms: number
  readonly rssPeakMiB: number
}

/** Memory at its highest, as the operating system saw it. */
export function rssPeakMiB(): number {
  return process.resourceUsage().maxRSS / 1024
}
