/**
 * A status as one log line: the verdict as the sentence and the few figures that tell whether all is well. Used by
 * `run` wherever there is no live view. The text line is for reading, the fields are for a collector, in the units of
 * the status schema.
 */
import { bytes, count, duration, rate } from '../../console/terminal/figures.ts'
import type { Status } from '../../model/status.ts'

/** The broker's backlog over all sources; null when none of them can tell. */
export function backlog(status: Status): { records: number | null; ageMs: number | null } {
  const most = (values: (number | null)[], combine: (one: number, other: number) => number): number | null =>
    values.reduce((sum, value) => (value === null ? sum : sum === null ? value : combine(sum, value)), null)
  return {
    records: most(
      status.sources.map((source) => source.backlogRecords),
      (one, other) => one + other,
    ),
    ageMs: most(
      status.sources.map((source) => source.backlogAgeMs),
      Math.max,
    ),
  }
}

export function statusSentence(status: Status): string {
  const { records, ageMs } = backlog(status)
  const waiting = records === null ? '' : ` · backlog ${count(records)}${ageMs ? ` (${duration(ageMs)})` : ''}`
  const latency = status.latencyMs.max > 0 ? ` · p99 ${duration(status.latencyMs.p99)}` : ''
  const verdict = status.verdict ? ` · ${status.verdict}` : ''
  return (
    `${status.state} · done ${rate(status.completionPerSecond)} · in flight ${count(status.records.inFlight)}` +
    `${waiting}${latency} · rss ${bytes(status.memory.rssEndBytes)}${verdict}`
  )
}

export function statusFields(status: Status): object {
  const { records, ageMs } = backlog(status)
  return {
    pipeline: status.pipeline,
    state: status.state,
    records: status.records,
    completionPerSecond: Math.round(status.completionPerSecond * 10) / 10,
    latencyMs: status.latencyMs,
    queueAgeMs: status.queueAgeMs,
    backlogRecords: records,
    backlogAgeMs: ageMs,
    rssBytes: status.memory.rssEndBytes,
  }
}
