/**
 * The last 15 minutes for the console's charts: one sample a second in a bounded ring, and the verdicts of that time as
 * spans. The sampler adds; the page asks for all of it once and then hears of each sample. Rates are differences between two
 * samples, and quantiles are of what ended between them, so a slow minute shows however long the pipeline has run.
 */
import type { Latencies } from '../../engine/histogram.ts'
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { StageStatus, Status } from '../../model/status.ts'
import {
  type Figures,
  FLOW_SERIES,
  type FlowSeries,
  type HistoryDocument,
  type HistorySample,
  STAGE_SERIES,
  type StageSeries,
  type VerdictSpan,
} from '../documents.ts'

export const SAMPLE_MS = 1_000
export const CAPACITY = 900
const MOST_SPANS = 200
/** More stages than this are not drawn. */
const MOST_STAGES = 50

interface Seen {
  readonly status: Status
  readonly latencies: Latencies
}

export class History {
  readonly #samples: HistorySample[] = []
  readonly #verdicts: VerdictSpan[] = []
  #last: Seen | null = null

  /** Takes a sample; call it once a second. */
  add(status: Status, diagnosis: Diagnosis, latencies: Latencies): void {
    const now = { status, latencies }
    const then = this.#last
    this.#last = now
    // A wall clock that was set back starts afresh: rates over negative time are no rates.
    if (then !== null && status.nowMs > then.status.nowMs) {
      this.#samples.push(sampleOf(then, now, diagnosis))
      if (this.#samples.length > CAPACITY) this.#samples.shift()
    }
    this.#addVerdict(diagnosis)
  }

  get latest(): HistorySample | null {
    return this.#samples.at(-1) ?? null
  }

  verdictsSince(atMs: number): VerdictSpan[] {
    return this.#verdicts.filter(({ untilMs }) => untilMs >= atMs)
  }

  document(): HistoryDocument {
    const samples = this.#samples
    const names = new Set(samples.flatMap(({ stages }) => Object.keys(stages)))
    const flow = columns(FLOW_SERIES, (series) => samples.map((sample) => sample.flow[series]))
    const stages = [...names].map((name) => [
      name,
      columns(STAGE_SERIES, (series) => samples.map((sample) => sample.stages[name]?.[series] ?? null)),
    ])
    return {
      intervalMs: SAMPLE_MS,
      capacity: CAPACITY,
      atMs: samples.map(({ atMs }) => atMs),
      flow,
      stages: Object.fromEntries(stages) as HistoryDocument['stages'],
      verdicts: [...this.#verdicts],
    }
  }

  #addVerdict({ atMs, health, verdict }: Diagnosis): void {
    const last = this.#verdicts.at(-1)
    const span: VerdictSpan = {
      fromMs: last?.untilMs ?? atMs,
      untilMs: atMs,
      health: health.kind,
      bottleneck: verdict.bottleneck,
      kind: verdict.kind,
      sentence: verdict.sentence,
    }
    const goesOn =
      last !== undefined &&
      last.health === span.health &&
      last.bottleneck === span.bottleneck &&
      last.kind === span.kind
    if (goesOn) this.#verdicts[this.#verdicts.length - 1] = { ...span, fromMs: last.fromMs }
    else this.#verdicts.push(span)
    const oldestMs = atMs - CAPACITY * SAMPLE_MS
    while (this.#verdicts.length > MOST_SPANS || (this.#verdicts[0]?.untilMs ?? atMs) < oldestMs) this.#verdicts.shift()
  }
}

function sampleOf(then: Seen, now: Seen, diagnosis: Diagnosis): HistorySample {
  const { status, latencies } = now
  const { records, sources, admission, process } = status
  const before = then.status.records
  const seconds = (status.nowMs - then.status.nowMs) / 1000
  const perSecond = (count: number): number => rounded(Math.max(0, count) / seconds)
  const ended = records.out + records.filtered - before.out - before.filtered
  const failed = records.deadLettered + records.skipped - before.deadLettered - before.skipped
  const backlogs = sources.map(({ backlogRecords }) => backlogRecords)
  const window = latencies.flow.since(then.latencies.flow)
  const stages = status.stages.filter(({ limit }) => limit !== null).slice(0, MOST_STAGES)
  return {
    atMs: status.nowMs,
    flow: {
      inPerSecond: perSecond(records.in - before.in),
      donePerSecond: perSecond(ended + failed),
      failedPerSecond: perSecond(failed),
      latencyP50Ms: nullable(window.quantile(0.5)),
      latencyP99Ms: nullable(window.quantile(0.99)),
      queueAgeMs: rounded(status.queueAgeMs),
      backlogRecords: backlogs.reduce<number | null>((sum, some) => (some === null ? sum : (sum ?? 0) + some), null),
      inFlight: records.inFlight,
      admissionLimit: admission.limitRecords,
      rssBytes: process.rssBytes,
      loopShare: rounded(diagnosis.process.loopUtilisation),
    },
    stages: Object.fromEntries(stages.map((stage) => [stage.name, stageSample(stage, then, now, perSecond)])),
  }
}

function stageSample(
  stage: StageStatus,
  then: Seen,
  now: Seen,
  perSecond: (count: number) => number,
): Figures<StageSeries> {
  const before = then.status.stages.find(({ name }) => name === stage.name)
  const slotSeconds = (states: StageStatus['states']) => Object.values(states).reduce((sum, spent) => sum + spent, 0)
  const busy = ({ states }: StageStatus): number => states.CPU + states.AWAIT + states.POOL
  const all = slotSeconds(stage.states) - (before ? slotSeconds(before.states) : 0)
  const window = now.latencies.stages[stage.name]?.since(then.latencies.stages[stage.name])
  return {
    okPerSecond: perSecond(stage.ok - (before?.ok ?? 0)),
    refusedPerSecond: perSecond(stage.rejected429 - (before?.rejected429 ?? 0)),
    failedPerSecond: perSecond(stage.failed + stage.timeouts - (before ? before.failed + before.timeouts : 0)),
    inFlight: stage.inFlight,
    limit: stage.limit,
    latencyP50Ms: nullable(window?.quantile(0.5) ?? null),
    busyShare: all > 0 ? rounded(Math.min(1, Math.max(0, busy(stage) - (before ? busy(before) : 0)) / all)) : null,
  }
}

function columns<Name extends FlowSeries | StageSeries>(
  names: readonly Name[],
  column: (name: Name) => (number | null)[],
): Record<Name, (number | null)[]> {
  return Object.fromEntries(names.map((name) => [name, column(name)])) as Record<Name, (number | null)[]>
}

function nullable(value: number | null): number | null {
  return value === null ? null : rounded(value)
}

/** Four digits are more than a chart can show, and keep 15 minutes small. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}
