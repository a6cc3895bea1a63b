/**
 * What the canal shows, taken from one look at the pipeline: reservoir, gate, the runs of stages, sea and dead letter.
 * A pure function over status and diagnosis; the drawing knows nothing else. Branches of a route become runs of their
 * own, in the order in which the status lists them.
 */
import type { Diagnosis, StageDiagnosis } from '../../model/diagnosis.ts'
import type { SlotState, StageStatus, Status } from '../../model/status.ts'
import { closedWords } from '../labels.ts'
import { duration } from '../terminal/figures.ts'

export interface Station {
  readonly name: string
  readonly kind: string
  /** Null for a stage without slots of its own: it is drawn as a narrow passage. */
  readonly slots: number | null
  readonly inFlight: number
  /** Work under way ÷ slots. */
  readonly occupancy: number
  readonly shares: Readonly<Record<SlotState, number>> | null
  readonly latencyMs: number | null
  readonly inPerSecond: number
  readonly outPerSecond: number
  /** Waiting in front of it. */
  readonly queued: number
  readonly mark: StageDiagnosis['mark']
  /** Why its limiter lets nothing through; null while it is open. */
  readonly closed: string | null
}

export interface Canal {
  readonly reservoir: {
    readonly name: string
    readonly records: number | null
    readonly ageMs: number
    /** Backlog ÷ completion rate. */
    readonly seconds: number | null
    readonly arrivalsPerSecond: number | null
    readonly slope: number | null
    readonly bottleneck: boolean
  }
  readonly gate: {
    /** What it admits now ÷ what it would admit wide open; 0 while it is shut. */
    readonly opening: number
    readonly records: number
    readonly limitRecords: number
    /** How full the admission is, by records or bytes. */
    readonly share: number
    readonly reason: string
    readonly pulledPerSecond: number
    readonly bottleneck: boolean
  }
  /** The trunk first; after a route one run for each branch. */
  readonly runs: readonly (readonly Station[])[]
  readonly donePerSecond: number
  readonly deadLettered: number
  readonly hasDeadLetter: boolean
}

/** `widestRecords`: the records in flight that the pipeline's own limit allows. */
export function canalOf(status: Status, diagnosis: Diagnosis, widestRecords: number): Canal {
  const { flow, verdict } = diagnosis
  const stages = new Map(diagnosis.stages.map((stage) => [stage.name, stage]))
  const main = status.stages.filter(({ kind }) => kind !== 'dead-letter')
  const share = Math.max(
    ratio(status.admission.records, status.admission.limitRecords),
    ratio(status.admission.bytes, status.admission.limitBytes),
  )
  const backlog = diagnosis.places.filter(({ kind }) => kind === 'backlog')
  const [first] = status.sources
  return {
    reservoir: {
      name: status.sources.length === 1 && first ? first.name : `${status.sources.length} sources`,
      records: flow.backlogRecords,
      ageMs: flow.queueAgeMs,
      seconds: backlog.reduce<number | null>(
        (most, { seconds }) => (seconds === null ? most : Math.max(most ?? 0, seconds)),
        null,
      ),
      arrivalsPerSecond: flow.arrivalsPerSecond,
      slope: flow.backlogSlope,
      bottleneck: status.sources.some(({ name }) => name === verdict.bottleneck),
    },
    gate: {
      opening: status.state === 'running' ? Math.min(1, ratio(status.admission.limitRecords, widestRecords)) : 0,
      records: status.admission.records,
      limitRecords: status.admission.limitRecords,
      share,
      reason: status.admission.reason,
      pulledPerSecond: flow.pulledPerSecond,
      bottleneck: verdict.kind === 'admission',
    },
    runs: runsOf(main.map((stage) => station(stage, stages.get(stage.name), diagnosis, status.nowMs))),
    donePerSecond: flow.completionPerSecond,
    deadLettered: status.records.deadLettered,
    hasDeadLetter: status.stages.some(({ kind }) => kind === 'dead-letter') || status.records.deadLettered > 0,
  }
}

function ratio(part: number, whole: number): number {
  return whole > 0 ? part / whole : 0
}

function station(stage: StageStatus, seen: StageDiagnosis | undefined, diagnosis: Diagnosis, nowMs: number): Station {
  const slots = stage.kind === 'batch' || stage.kind === 'route' ? null : stage.limit
  const queued = diagnosis.places
    .filter(({ owner, kind }) => owner === stage.name && !kind.startsWith('in-'))
    .reduce((sum, { records }) => sum + (records ?? 0), 0)
  return {
    name: stage.name,
    kind: stage.kind,
    slots,
    inFlight: stage.inFlight,
    occupancy: slots ? Math.min(1, stage.inFlight / slots) : 0,
    shares: slots === null ? null : (seen?.states ?? null),
    latencyMs: seen?.latencyMs ?? null,
    inPerSecond: seen?.inPerSecond ?? 0,
    outPerSecond: seen?.outPerSecond ?? 0,
    queued,
    mark: seen?.mark ?? null,
    closed: closedOf(stage, nowMs),
  }
}

/** Of several limiters only what holds for all of them: the stage is closed then. */
export function closedOf({ limiters }: StageStatus, nowMs: number): string | null {
  const words = limiters.map((limiter) => closedWords(limiter, nowMs, duration))
  return words.length > 0 && words.every((each) => each !== null) ? (words[0] ?? null) : null
}

/** A route and a sink end a run; what follows a route are its branches, each up to a sink. */
function runsOf(stations: readonly Station[]): Station[][] {
  const runs: Station[][] = [[]]
  for (const [index, station] of stations.entries()) {
    runs.at(-1)?.push(station)
    const ends = station.kind === 'route' || station.kind === 'sink'
    if (ends && index < stations.length - 1) runs.push([])
  }
  return runs
}

/** The canal in one sentence, for those who do not see it. */
export function inWords(canal: Canal, print: { rate(value: number): string; percent(share: number): string }): string {
  const marked = canal.runs.flat().find(({ mark }) => mark === 'bottleneck')
  const stages = canal.runs
    .flat()
    .map(({ name, slots, inFlight }) => (slots === null ? name : `${name} with ${inFlight} of ${slots} slots in use`))
  const bottleneck = marked ? ` The bottleneck is ${marked.name}.` : ''
  return (
    `Canal from ${canal.reservoir.name} through the gate, open ${print.percent(canal.gate.opening)}, ` +
    `to ${stages.join(', ')}; ${print.rate(canal.donePerSecond)} completed.${bottleneck}`
  )
}
