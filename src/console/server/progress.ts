/**
 * Whether a pipeline makes progress, for `/healthz`: a liveness probe must not be pleased by a heartbeat while a handler
 * hangs, and must not restart a process because its downstream is down. Progress is anything that moved: a record, an
 * attempt and how it ended, a write, a commit. Work in flight without any of these for a minute is a stall.
 */
import type { Status } from '../../model/status.ts'
import { formatCount, formatDuration } from '../../model/units.ts'
import type { ProbeDocument } from '../documents.ts'

export class Progress {
  readonly #stalledAfterMs: number
  #moved = ''
  #movedMs = 0

  constructor(stalledAfterMs: number) {
    this.#stalledAfterMs = stalledAfterMs
  }

  /** Looks again; `nowMs` is of a clock that is never set. */
  observe(status: Status, nowMs: number): ProbeDocument {
    const moved = JSON.stringify(movedOf(status))
    if (moved !== this.#moved || mayRest(status)) {
      this.#moved = moved
      this.#movedMs = nowMs
    }
    const stillMs = nowMs - this.#movedMs
    // A process that goes on around a pipeline that has failed does its work only after a restart.
    if (stillMs < this.#stalledAfterMs) return { ok: status.state !== 'failed', reason: status.state }
    const work = formatCount(status.records.inFlight, 'record')
    return { ok: false, reason: `stalled: ${work} in flight and nothing has moved for ${formatDuration(stillMs)}` }
  }
}

/** Ready to be counted among those that work: a pipeline that is paused is so on purpose. */
export function readiness({ state }: Status): ProbeDocument {
  return { ok: state === 'running' || state === 'paused', reason: state }
}

function movedOf({ records, stages, sources, state }: Status): readonly unknown[] {
  return [
    state,
    [records.in, records.out, records.filtered, records.deadLettered, records.skipped, records.returned],
    stages.map((stage) => [
      stage.in,
      stage.out,
      stage.attempts,
      stage.ok,
      stage.rejected429,
      stage.failed,
      stage.timeouts,
    ]),
    sources.map(({ commits, commitFailures }) => commits + commitFailures),
  ]
}

/** Nothing is in flight, it has ended, or the downstream has said when to come back. */
function mayRest({ records, state, stages, nowMs }: Status): boolean {
  if (records.inFlight === 0 || state === 'stopped' || state === 'failed') return true
  return stages.some(({ limiters }) => limiters.some(({ gateUntilMs }) => (gateUntilMs ?? 0) > nowMs))
}
