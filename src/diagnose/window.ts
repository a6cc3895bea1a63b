/**
 * The difference of two statuses: what happened between them, as rates and shares. Everything the doctor says rests on
 * windows; a window from null reaches back to the start, as for the report of a run that is over.
 */
import {
  type DurationSums,
  LANE_STATES,
  type LaneState,
  SLOT_STATES,
  type SlotState,
  type SourceStatus,
  type StageStatus,
  type Status,
} from '../model/status.ts'

export interface StageWindow {
  readonly status: StageStatus
  /** Per second. */
  readonly in: number
  readonly out: number
  readonly attempts: number
  /** Attempts in all, and what became of them. */
  readonly counts: { first: number; attempts: number; ok: number; rejected: number; failed: number }
  readonly states: Record<SlotState, number>
  /** On average. */
  readonly slots: number
  readonly reasons: Record<string, number>
  readonly durations: DurationSums
  /** Mean of the attempts that ended; null when none did. */
  readonly latencyMs: number | null
  /** Of the thread, in the window. */
  readonly cpuMs: number
}

export interface SourceWindow {
  readonly status: SourceStatus
  readonly states: Record<LaneState, number>
  /** Per second. */
  readonly in: number
  /** By partition, in records. */
  readonly delivered: ReadonlyMap<string, number>
}

export interface ProcessWindow {
  readonly loop: number
  readonly gc: number
  /** Of the time: all turns of the engine, and what of it the stages' own code took. */
  readonly turns: number
  /** CPU ÷ time in which the loop was busy; null when it hardly was. */
  readonly cpuPerBusy: number | null
  /** How late what falls due gets its turn on the thread, on average; 0 where it was not measured. */
  readonly lateMs: number
}

export interface Window {
  readonly from: Status | null
  readonly to: Status
  readonly ms: number
  readonly completions: number
  readonly completionPerSecond: number
  readonly pulledPerSecond: number
  /** Mean of the records that completed; null when none did. */
  readonly latencyMs: number | null
  readonly process: ProcessWindow
  readonly stages: readonly StageWindow[]
  readonly sources: readonly SourceWindow[]
}

export function windowOf(from: Status | null, to: Status): Window {
  const ms = Math.max(1, to.nowMs - (from?.nowMs ?? to.startedAtMs))
  const completions = completed(to) - (from === null ? 0 : completed(from))
  const perSecond = (count: number): number => (count * 1000) / ms
  const stages = to.stages.map((stage) => {
    const before = from?.stages.find(({ name }) => name === stage.name) ?? null
    return stageWindow(before, stage, perSecond)
  })
  const sources = to.sources.map((source, index) => sourceWindow(from?.sources[index] ?? null, source, perSecond))
  return {
    from,
    to,
    ms,
    completions,
    completionPerSecond: perSecond(completions),
    pulledPerSecond: perSecond(to.records.in - (from?.records.in ?? 0)),
    latencyMs: completions > 0 ? (to.latencyTotalMs - (from?.latencyTotalMs ?? 0)) / completions : null,
    process: processWindow(from, to, ms),
    stages,
    sources,
  }
}

/** Of looks that are closer than this only one is kept. */
const APART_MS = 200

/**
 * Before another look is added: takes the last one out if it is hardly newer than the one before it. However often
 * somebody asks, no more is kept than of a doctor that looks twice a second, or not much more.
 */
export function keepApart<T>(looks: T[], atMs: (look: T) => number): void {
  const [before, last] = looks.slice(-2)
  if (before !== undefined && last !== undefined && atMs(last) - atMs(before) < APART_MS) looks.pop()
}

export function completed({ records }: Status): number {
  return records.out + records.filtered + records.deadLettered + records.skipped
}

function stageWindow(from: StageStatus | null, to: StageStatus, perSecond: (count: number) => number): StageWindow {
  const since = (of: (status: StageStatus) => number): number => of(to) - (from === null ? 0 : of(from))
  const seconds = difference(SLOT_STATES, from?.states, to.states)
  const slotSeconds = SLOT_STATES.reduce((sum, state) => sum + seconds[state], 0)
  const durations = durationsBetween(from?.durations, to.durations)
  const reasonNames = Object.keys(to.reasonSeconds)
  const attempts = since((status) => status.attempts)
  return {
    status: to,
    in: perSecond(since((status) => status.in)),
    out: perSecond(since((status) => status.out)),
    attempts: perSecond(attempts),
    counts: {
      first: since((status) => status.first),
      attempts,
      ok: since((status) => status.ok),
      rejected: since((status) => status.rejected429),
      failed: since((status) => status.failed + status.timeouts),
    },
    states: shares(SLOT_STATES, seconds),
    slots: perSecond(slotSeconds),
    reasons: shares(reasonNames, difference(reasonNames, from?.reasonSeconds, to.reasonSeconds)),
    durations,
    latencyMs: durations.count > 0 ? durations.ms / durations.count : null,
    cpuMs: seconds.CPU * 1000,
  }
}

function sourceWindow(from: SourceStatus | null, to: SourceStatus, perSecond: (count: number) => number): SourceWindow {
  const before = new Map(from?.byPartition.map(({ name, delivered }) => [name, delivered]))
  return {
    status: to,
    states: shares(LANE_STATES, difference(LANE_STATES, from?.states, to.states)),
    in: perSecond(to.delivered - (from?.delivered ?? 0)),
    // A partition that came back counts from zero again.
    delivered: new Map(
      to.byPartition.map(({ name, delivered }) => {
        const earlier = before.get(name) ?? 0
        return [name, delivered >= earlier ? delivered - earlier : delivered]
      }),
    ),
  }
}

function processWindow(from: Status | null, to: Status, ms: number): ProcessWindow {
  const loopMs = to.process.loopMs - (from?.process.loopMs ?? 0)
  const activeMs = to.process.loopActiveMs - (from?.process.loopActiveMs ?? 0)
  const cpuMs = to.process.cpuMs - (from?.process.cpuMs ?? 0)
  return {
    loop: loopMs > 0 ? Math.min(1, activeMs / loopMs) : 0,
    gc: (to.process.gcMs - (from?.process.gcMs ?? 0)) / ms,
    turns: (to.process.turnsMs - (from?.process.turnsMs ?? 0)) / ms,
    lateMs: Math.max(0, (to.process.lateMsSeconds ?? 0) - (from?.process.lateMsSeconds ?? 0)) / (ms / 1000),
    cpuPerBusy: activeMs > 0.1 * ms ? cpuMs / activeMs : null,
  }
}

/** Of the second, what the first did not have yet. */
export function durationsBetween(from: DurationSums | undefined, to: DurationSums): DurationSums {
  if (from === undefined) return to
  return {
    count: to.count - from.count,
    records: to.records - from.records,
    ms: to.ms - from.ms,
    cpuMs: to.cpuMs - from.cpuMs,
    bySize: to.bySize.map((size) => {
      const before = from.bySize.find(({ fromRecords }) => fromRecords === size.fromRecords)
      if (before === undefined) return size
      return {
        fromRecords: size.fromRecords,
        count: size.count - before.count,
        records: size.records - before.records,
        ms: size.ms - before.ms,
        cpuMs: size.cpuMs - before.cpuMs,
      }
    }),
    byInFlight: to.byInFlight.map((some) => {
      const before = from.byInFlight.find(({ fromInFlight }) => fromInFlight === some.fromInFlight)
      if (before === undefined) return some
      return { fromInFlight: some.fromInFlight, count: some.count - before.count, ms: some.ms - before.ms }
    }),
  }
}

function difference<K extends string>(
  names: readonly K[],
  from: Readonly<Record<string, number>> | undefined,
  to: Readonly<Record<string, number>>,
): Record<K, number> {
  return Object.fromEntries(names.map((name) => [name, Math.max(0, (to[name] ?? 0) - (from?.[name] ?? 0))])) as Record<
    K,
    number
  >
}

function shares<K extends string>(names: readonly K[], amounts: Readonly<Record<K, number>>): Record<K, number> {
  const sum = names.reduce((total, name) => total + amounts[name], 0)
  return Object.fromEntries(names.map((name) => [name, sum > 0 ? amounts[name] / sum : 0])) as Record<K, number>
}
