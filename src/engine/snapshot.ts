/** A snapshot of the engine: everything that a status shows and that the engine itself can know. Reads, never steers. */
import type {
  AdmissionStatus,
  FailureStatus,
  KeyShare,
  LatencyStatus,
  PlaceStatus,
  RecordCounts,
  SelfChecks,
  SourceStatus,
  StageStatus,
} from '../model/status.ts'
import type { Core } from './core.ts'
import type { Flow } from './flow.ts'
import type { Intake } from './intake.ts'
import { earlier } from './partition-set.ts'
import { place } from './place.ts'

export interface EngineSnapshot {
  readonly records: RecordCounts
  readonly latencyMs: LatencyStatus
  readonly latencyTotalMs: number
  readonly lastFailures: FailureStatus[]
  readonly hotKeys: KeyShare[]
  /** Null while nothing has completed. */
  readonly completionPerSecond: number | null
  /** Epoch ms of the oldest record in flight; null when none is. */
  readonly oldestOpenMs: number | null
  readonly admission: AdmissionStatus
  readonly places: PlaceStatus[]
  readonly sources: readonly SourceSnapshot[]
  readonly stages: StageStatus[]
  readonly checks: SelfChecks
}

export interface SourceSnapshot extends Omit<SourceStatus, 'backlogRecords' | 'backlogAgeMs' | 'arrived'> {
  /** Epoch ms of the oldest record that was delivered and is not committed; null when there is none. */
  readonly oldestUncommittedMs: number | null
}

export function takeSnapshot(core: Core, flow: Flow, intakes: readonly Intake[]): EngineSnapshot {
  const { admission, counts } = core
  const perSecond = admission.throughput.perSecond
  const seconds = (records: number): number | null => (records === 0 ? 0 : perSecond ? records / perSecond : null)
  const limit = admission.limit()
  for (const stage of flow.stages) stage.advance(core.loopMs)
  let oldestOpenMs: number | null = null
  for (const intake of intakes) oldestOpenMs = earlier(oldestOpenMs, intake.oldestOpenMs())
  const held = intakes.map(({ source, heldRecords, heldBytes }) =>
    place(source.name, 'prefetch', heldRecords, heldBytes, admission.limits.records),
  )
  const places = [...held, ...flow.stages.flatMap((stage) => stage.places())]
  return {
    records: { ...counts },
    latencyMs: core.latency.status(),
    latencyTotalMs: core.latency.sum,
    lastFailures: core.failures.statuses(
      intakes.map(({ source }) => source.name),
      core.wallOffsetMs,
    ),
    hotKeys: intakes.flatMap(({ source, hotKeys }) => hotKeys.shares().map((key) => ({ source: source.name, ...key }))),
    completionPerSecond: perSecond,
    oldestOpenMs,
    admission: {
      records: admission.records,
      items: core.openItems,
      limitRecords: limit.records,
      bytes: admission.bytes,
      limitBytes: admission.limits.bytes,
      reason: intakes.some((intake) => intake.pulling) ? 'open' : limit.reason,
    },
    places: places.map((place) => ({ ...place, seconds: seconds(place.records) })),
    sources: intakes.map((intake) => ({ ...intake.status(), oldestUncommittedMs: intake.oldestUncommittedMs() })),
    stages: flow.stages.flatMap((stage) => stage.statuses(core.nowMs)),
    checks: {
      statesError: Math.max(0, ...flow.stages.map((stage) => stage.statesError())),
      littleError: Math.max(0, ...[...flow.calls, ...flow.sinks].map((stage) => stage.littleError(core.loopMs))),
    },
  }
}
