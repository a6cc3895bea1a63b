/**
 * The end of a run: how it ended, the exit code that says so, and a summary of a few lines. Pure functions over the
 * final status; `run` prints what they return.
 */
import { bytes, count, duration, rate } from '../../console/terminal/figures.ts'
import { completed } from '../../console/terminal/history.ts'
import type { Status } from '../../model/status.ts'
import { formatCount } from '../../model/units.ts'
import { EXIT } from '../failure.ts'

export interface Ending {
  readonly status: Status
  /** True when a signal or `--for` asked for it, false when the pipeline ended by itself. */
  readonly drained: boolean
  /** Records that a drain gave back because its deadline had passed. */
  readonly returnedByDeadline: number
}

export function exitCodeOf({ status, returnedByDeadline }: Ending): number {
  if (status.state === 'failed') return EXIT.failed
  return returnedByDeadline > 0 ? EXIT.returned : EXIT.done
}

function headline({ status, drained, returnedByDeadline }: Ending): string {
  const ran = duration(Math.max(0, status.nowMs - status.startedAtMs))
  if (status.state === 'failed') {
    const why = status.error ? `: ${status.error.message} (${status.error.code})` : ''
    return `${status.pipeline} failed after ${ran}${why}`
  }
  if (returnedByDeadline > 0) {
    const records = `${formatCount(returnedByDeadline, 'record')} ${returnedByDeadline === 1 ? 'was' : 'were'}`
    return `${status.pipeline} ran ${ran}; the drain deadline passed and ${records} returned: they will be delivered again`
  }
  return drained ? `${status.pipeline} drained after ${ran}` : `${status.pipeline} finished after ${ran}`
}

export function summary(ending: Ending, report: string | null): string {
  const { status } = ending
  const { records, latencyMs, memory } = status
  const seconds = (status.nowMs - status.startedAtMs) / 1000
  const done = completed(status)
  const optional = [
    ['skipped', records.skipped],
    ['in flight', records.inFlight],
  ] as const
  const rest = optional.filter(([, value]) => value > 0).map(([name, value]) => ` · ${name} ${count(value)}`)
  const rows = [
    [
      'records',
      `in ${count(records.in)} · out ${count(records.out)} · filtered ${count(records.filtered)} · ` +
        `dead-lettered ${count(records.deadLettered)} · returned ${count(records.returned)}${rest.join('')}`,
    ],
    ['completed', `${count(done)}, ${rate(seconds > 0 ? done / seconds : 0)} over the run`],
    [
      'latency',
      latencyMs.max > 0
        ? `p50 ${duration(latencyMs.p50)} · p95 ${duration(latencyMs.p95)} · p99 ${duration(latencyMs.p99)} · max ${duration(latencyMs.max)}`
        : 'nothing completed',
    ],
    ['memory', `${bytes(memory.rssStartBytes)} at the start, at most ${bytes(memory.rssMaxBytes)}`],
    ...(report ? [['report', report]] : []),
  ] as [string, string][]
  return [headline(ending), ...rows.map(([name, text]) => `  ${name.padEnd(10)} ${text}`)].join('\n')
}
