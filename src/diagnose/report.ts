/** The parts of a diagnosis that describe and do not judge: flow, stages, sources, process, places, keys, partitions. */
import type {
  Diagnosis,
  FlowDiagnosis,
  PartitionDiagnosis,
  SourceDiagnosis,
  StageDiagnosis,
} from '../model/diagnosis.ts'
import { boundsOf } from './capacity.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { placesCheck } from './places.ts'
import type { SourceWindow } from './window.ts'

type Described = Omit<Diagnosis, 'health' | 'verdict' | 'knobs' | 'mistakes' | 'autoscale' | 'profile'>

/** A stage is marked when it spends more than half of its time so. */
const MARKED = 0.5
const STATES_ERROR = 0.01
const LITTLE_ERROR = 0.05

export function describe(facts: Facts, finding: Finding): Described {
  const { status, window } = facts
  const { statesError, littleError } = status.checks
  return {
    schema: 1,
    pipeline: status.pipeline,
    state: status.state,
    atMs: status.nowMs,
    window: { ms: window.ms, completions: window.completions },
    flow: flowOf(facts, finding),
    stages: facts.stages.map((stage) => stageOf(stage, facts, finding)),
    sources: facts.sources.map((source) => sourceOf(source, facts)),
    process: {
      loopUtilisation: window.process.loop,
      gcShare: window.process.gc,
      unattributedShare: facts.unattributed,
      cpuPerBusy: window.process.cpuPerBusy,
      heapUsedBytes: status.process.heapUsedBytes,
      heapLimitBytes: status.process.heapLimitBytes,
      rssBytes: status.process.rssBytes,
    },
    places: status.places,
    placesCheck: placesCheck(status),
    hotKeys: status.hotKeys,
    partitions: facts.sources.flatMap((source) => partitionsOf(source, status.nowMs)),
    lastFailures: status.lastFailures,
    selfChecks: { statesError, littleError, holds: statesError <= STATES_ERROR && littleError <= LITTLE_ERROR },
  }
}

function flowOf(facts: Facts, finding: Finding): FlowDiagnosis {
  const { window, status, trend, backlog } = facts
  const bounds = boundsOf(facts, finding, null).map(({ perSecond }) => perSecond)
  const capacity = finding.kind === 'none' ? Math.min(Number.POSITIVE_INFINITY, ...bounds) : facts.perSecond
  return {
    completionPerSecond: window.completionPerSecond,
    latencyMs: window.latencyMs,
    latencySinceStartMs: status.latencyMs,
    queueAgeMs: status.queueAgeMs,
    arrivalsPerSecond: trend.arrivalsPerSecond,
    pulledPerSecond: window.pulledPerSecond,
    backlogRecords: backlog,
    backlogSlope: trend.arrivalsPerSecond === null ? null : trend.arrivalsPerSecond - window.pulledPerSecond,
    capacityPerSecond: Number.isFinite(capacity) && window.completions > 0 ? capacity : null,
  }
}

function stageOf(stage: StageFacts, facts: Facts, finding: Finding): StageDiagnosis {
  const { completions } = facts.window
  const { window, name, kind, quietMs } = stage
  const { status, states, reasons } = window
  return {
    name,
    kind,
    states,
    slots: status.limit === null ? null : window.slots,
    inPerSecond: window.in,
    outPerSecond: window.out,
    attemptsPerSecond: window.attempts,
    latencyMs: window.latencyMs,
    bestLatencyMs: quietMs,
    cpuMsPerRecord: completions > 0 ? window.cpuMs / completions : 0,
    reasons,
    mark: markOf(stage, facts, finding),
  }
}

function markOf(stage: StageFacts, facts: Facts, finding: Finding): StageDiagnosis['mark'] {
  const { states, reasons } = stage.window
  if (finding.bottleneck === stage.name) return 'bottleneck'
  if (states.BLOCKED > MARKED || (reasons.blocked ?? 0) > MARKED) return 'pushed-back'
  if (states.IDLE <= MARKED || finding.kind === 'none') return null
  return isKeptOut(stage, facts, finding) ? 'pushed-back' : 'starved'
}

/** Before the bottleneck nothing waits where all that admission lets in waits for that: the source is held back instead. */
function isKeptOut(stage: StageFacts, { stages, heldBack }: Facts, { bottleneck }: Finding): boolean {
  const holds = stages.findIndex(({ name }) => name === bottleneck)
  return heldBack && stages.indexOf(stage) < holds
}

/** With nothing in the broker a pull that is under way has no input: it waits for it. */
function sourceOf({ status, states, in: pulled }: SourceWindow, { trend }: Facts): SourceDiagnosis {
  const waits = status.backlogRecords === 0
  return {
    name: status.name,
    states: waits ? { ...states, FETCH: 0, NO_INPUT: states.NO_INPUT + states.FETCH } : states,
    inPerSecond: pulled,
    arrivalsPerSecond: trend.arrivalsPerSecond,
    backlogRecords: status.backlogRecords,
  }
}

function partitionsOf({ status, delivered }: SourceWindow, nowMs: number): PartitionDiagnosis[] {
  const all = [...delivered.values()].reduce((sum, records) => sum + records, 0)
  return status.byPartition.map((partition) => ({
    source: status.name,
    partition: partition.name,
    share: all > 0 ? (delivered.get(partition.name) ?? 0) / all : 0,
    lagRecords: partition.backlogRecords,
    lagMs: partition.oldestUncommittedMs === null ? null : Math.max(0, nowMs - partition.oldestUncommittedMs),
    queuedRecords: partition.inFlight,
    uncommittedRecords: partition.uncommitted,
    watermark: partition.watermark,
    oldestMs: partition.oldestOpenMs === null ? null : Math.max(0, nowMs - partition.oldestOpenMs),
  }))
}
