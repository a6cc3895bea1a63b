/**
 * What the rules look at: a window, with the figures that need more than one window to know. `Doctor` gathers them;
 * rules, capacity model, health and words only read.
 */
import type { DurationSums, PlaceKind, StageStatus, Status, WaitStatus } from '../model/status.ts'
import type { OldestOpen } from './still-log.ts'
import type { SourceWindow, StageWindow, Window } from './window.ts'

export interface StageFacts {
  readonly window: StageWindow
  readonly name: string
  readonly kind: string
  /** Records of this stage for each record that completes; 1 when unknown. */
  readonly visits: number
  /** Share of the time in which something waited and this stage held it back, and the reason that did so most. */
  readonly binding: number
  readonly reason: string
  /** Slots with an attempt in progress, on average. */
  readonly busySlots: number
  /** What an attempt takes beside few others; null when none was seen. */
  readonly quietMs: number | null
  /** How many attempts that rests on. */
  readonly quietCount: number
  /** Line of an attempt's duration, and of its CPU, over its records; null without attempts of two sizes. */
  readonly durationFit: Fit | null
  readonly cpuFit: Fit | null
  readonly meanRecords: number
  /** What an attempt takes without its wait for a turn on the thread; null when none ended. */
  readonly ownMs: number | null
  /** A slot's time for an attempt, from one to the next ÷ what an attempt takes on its own: what a free thread would bring. */
  readonly stretch: number
  /** The size of the batches that it is handed, where a batch stage makes them. */
  readonly batchRecords: number | null
  /** Of what it did in the window: what piled up before a later stage and is not needed for what completes. */
  readonly ahead: number
}

/** ms = fixed + each × records. */
export interface Fit {
  readonly fixed: number
  readonly each: number
}

/** A stage of whose attempts none succeeds. */
export interface Outage {
  readonly stage: string
  /** Since the last look before the first failure. */
  readonly forMs: number
  /** Attempts that failed since then, one after the other, and how many of them were refused (503). */
  readonly failures: number
  readonly refused: number
}

export interface Trend {
  /** Into the brokers a second; null when they cannot tell. */
  readonly arrivalsPerSecond: number | null
  /** Growth of all that is not completed, in records a second, with its standard error; null when unknown. */
  readonly slope: number | null
  readonly slopeError: number
  /** How long it has been growing, or not; ms. */
  readonly growingMs: number
  /** Growth of the queue's age in ms a second. */
  readonly ageSlope: number
}

/** What is not completed grows, and not by chance. */
export function grows({ slope, slopeError }: Pick<Trend, 'slope' | 'slopeError'>): boolean {
  return slope !== null && slope > 2 * slopeError
}

export interface Facts {
  readonly window: Window
  readonly status: Status
  readonly trend: Trend
  readonly perSecond: number
  /** Records in the brokers; null when one of them cannot tell. */
  readonly backlog: number | null
  /** Records that wait, in the brokers and here, and for how long that is work. */
  readonly waiting: number
  readonly waitingSeconds: number
  /** Records that wait here. */
  readonly waitingHere: number
  /** Admission keeps a source waiting for more than half of the time. */
  readonly heldBack: boolean
  /** More waits than a pipeline that keeps up has waiting: only then is there a bottleneck to look for. */
  readonly behind: boolean
  /** Nothing has completed for so long, while something was in flight. */
  readonly sinceCompletionMs: number
  readonly stages: readonly StageFacts[]
  /** Stages whose downstream does nothing they ask for, in the order of the flow. */
  readonly outages: readonly Outage[]
  /** By stage with attempts in progress: for how long none has ended. */
  readonly stillMs: ReadonlyMap<string, number>
  /** The record that has held a watermark for longest; null when none is open. */
  readonly oldestOpen: OldestOpen | null
  readonly sources: readonly SourceWindow[]
  /** Of the time: the loop's that is neither a stage's, nor the engine's, nor a collection. */
  readonly unattributed: number
  /** Of the time: the engine's own work. */
  readonly engine: number
  readonly heapShare: number
}

/** What waits for less than this is no queue. */
export const LEAST_WAIT_SECONDS = 0.5
const LEAST_WAITING = 20
/** A queue of few records counts when they are much work. */
const LONG_WAIT_SECONDS = 30
const FEWEST_WAITING = 3

/** Reasons for which a stage holds back what waits before it; the others are about its neighbours, or nothing. */
const BINDING: ReadonlySet<string> = new Set([
  'concurrency', 'key', 'rate', 'retry-after', 'quota', 'breaker', 'retry-budget', 'retry-share', 'backoff',
  'dead-letter-full',
]) // biome-ignore format: a list reads better in rows

/** `learned`: of a stage's sums since the start, those that are comparable with the present. */
export function factsOf(
  window: Window,
  trend: Trend,
  sinceCompletionMs: number,
  { outages, stillMs, oldestOpen }: Pick<Facts, 'outages' | 'stillMs' | 'oldestOpen'>,
  learned: (stage: string, durations: DurationSums) => DurationSums,
): Facts {
  const { to: status, completionPerSecond: perSecond } = window
  const { loop, gc, turns } = window.process
  const { heapUsedBytes, heapLimitBytes } = status.process
  const backlog = status.sources.reduce<number | null>(
    (sum, { backlogRecords }) => (sum === null || backlogRecords === null ? null : sum + backlogRecords),
    0,
  )
  const stages = window.stages.map((stage, at) => ({
    ...stageFacts(stage, window, learned(stage.status.name, stage.status.durations)),
    batchRecords: batchBefore(window.stages, at),
    ahead: 1 - window.stages.slice(at + 1).reduce((kept, later) => kept * passedOn(later), 1),
  }))
  const here = waitingIn(status)
  const waiting = (backlog ?? 0) + here
  const waitingSeconds = waiting === 0 ? 0 : perSecond > 0 ? waiting / perSecond : Number.POSITIVE_INFINITY
  const stagesCpu = stages.reduce((sum, { window: { cpuMs } }) => sum + cpuMs, 0) / window.ms
  const engine = Math.max(0, turns - stagesCpu)
  const heldBack = window.sources.some(({ states }) => states.BLOCKED > 0.5)
  return {
    window,
    status,
    trend,
    perSecond,
    backlog,
    waiting,
    waitingSeconds,
    waitingHere: here,
    heldBack,
    behind:
      (backlog === null && heldBack) ||
      (waitingSeconds > LEAST_WAIT_SECONDS && waiting >= LEAST_WAITING) ||
      (waitingSeconds > LONG_WAIT_SECONDS && waiting >= FEWEST_WAITING),
    sinceCompletionMs,
    stages,
    outages,
    stillMs,
    oldestOpen,
    sources: window.sources,
    unattributed: Math.max(0, loop - stagesCpu - engine - gc),
    engine,
    heapShare: heapLimitBytes > 0 ? heapUsedBytes / heapLimitBytes : 0,
  }
}

const WAITS: ReadonlySet<PlaceKind> = new Set(['prefetch', 'queue', 'lanes', 'backoff', 'blocked'])

/** What is worked on does not wait, and a batch fills up, unless it is complete and may not leave. */
function waitingIn({ places, stages }: Status): number {
  const held = new Set(stages.filter(({ reason }) => reason === 'blocked').map(({ name }) => name))
  const waits = ({ kind, owner }: WaitStatus): boolean => WAITS.has(kind) || (kind === 'batch' && held.has(owner))
  return places.reduce((sum, place) => sum + (waits(place) ? (place.records ?? 0) : 0), 0)
}

function stageFacts(
  window: StageWindow,
  { ms, completionPerSecond: perSecond, process: { lateMs } }: Window,
  learned: DurationSums,
): Omit<StageFacts, 'ahead' | 'batchRecords'> {
  const { status, reasons, states, slots, durations, latencyMs } = window
  let binding = 0
  let reason = status.reason
  let most = 0
  for (const [name, share] of Object.entries(reasons)) {
    if (!BINDING.has(name)) continue
    binding += share
    if (share > most) [reason, most] = [name, share]
  }
  const busySlots = (states.AWAIT + states.POOL + states.CPU) * slots
  const ownMs = latencyMs === null ? null : Math.max(latencyMs * LEAST_OWN, latencyMs - lateMs)
  return {
    window,
    name: status.name,
    kind: status.kind,
    visits: perSecond > 0 && window.out > 0 ? window.out / perSecond : 1,
    binding,
    reason,
    busySlots,
    ...quiet(status, learned),
    durationFit: fit(learned, window, ({ ms }) => ms),
    cpuFit: fit(learned, window, ({ cpuMs }) => cpuMs),
    meanRecords: durations.count > 0 ? durations.records / durations.count : 1,
    ownMs,
    stretch:
      ownMs === null || latencyMs === null
        ? 1
        : slotMs(latencyMs, (busySlots * ms) / durations.count, slots, durations.count) / ownMs,
  }
}

function batchBefore(stages: readonly StageWindow[], at: number): number | null {
  const batch = stages.slice(0, at).findLast(({ status: { kind } }) => kind === 'batch')
  return batch?.status.settings.batchRecords ?? null
}

/** So many attempts in each slot: what had begun before the window and what does not end in it are a few of them. */
const EDGES_COUNT_LITTLE = 10

/** A slot's time for an attempt; with few in the window what those that ended in it took is nearer to it. */
function slotMs(latencyMs: number, busyMs: number, slots: number, attempts: number): number {
  return attempts >= EDGES_COUNT_LITTLE * slots ? busyMs : latencyMs
}

/** In a window of seconds as much as this of what enters has left again, or nothing can be said. */
const PASSED_ON = 0.85

/** Of what enters a stage in which records can pile up. */
function passedOn({ status: { kind }, in: enters, out: leaves }: StageWindow): number {
  const share = enters > 0 && (kind === 'call' || kind === 'sink') ? leaves / enters : 1
  return share < PASSED_ON ? share : 1
}

/** The lateness is a mean over all that waits: of what an attempt takes, some is left however large it is. */
const LEAST_OWN = 0.1
/** So many attempts make a mean worth comparing. */
const LEAST_ATTEMPTS = 8
/** Beside so small a share of the limit an attempt finds no queue in the downstream, unless there is no room at all. */
const QUIET_SHARE = 1 / 4

function quiet(
  { limit, limiters: [limiter] }: StageStatus,
  learned: DurationSums,
): Pick<StageFacts, 'quietMs' | 'quietCount'> {
  let count = 0
  let ms = 0
  for (const some of learned.byInFlight) {
    if (count >= LEAST_ATTEMPTS && some.fromInFlight > Math.max(1, (limit ?? 1) * QUIET_SHARE)) break
    if (some.fromInFlight > (limit ?? 1) / 2 || reachesFull(some, limit ?? 1)) break
    count += some.count
    ms += some.ms
  }
  const seen = count >= LEAST_ATTEMPTS ? ms / count : null
  const known = limiter?.baselineMs ?? null
  const quietMs = known === null ? seen : seen === null ? known : Math.min(seen, known)
  return { quietMs, quietCount: count }
}

/** Its range has an attempt in it that began beside all others that the limit allows: their mean tells nothing of few. */
function reachesFull({ fromInFlight }: DurationSums['byInFlight'][number], limit: number): boolean {
  return limit > 1 && 2 * fromInFlight >= limit - 1
}

/** Through the sizes that the window saw most, and the one of this era that is farthest from it. */
function fit(
  { bySize }: DurationSums,
  { durations: { bySize: present } }: StageWindow,
  of: (size: { ms: number; cpuMs: number }) => number,
): Fit | null {
  const now = present.reduce((most, size) => (size.count > most.count ? size : most), NO_SIZE)
  if (now.count < 3) return null
  const records = now.records / now.count
  let far: { records: number; ms: number } | null = null
  for (const size of bySize) {
    if (size.count < 3) continue
    const mean = size.records / size.count
    const ratio = Math.abs(Math.log(mean / records))
    if (ratio > Math.log(1.5) && (far === null || ratio > Math.abs(Math.log(far.records / records))))
      far = { records: mean, ms: of(size) / size.count }
  }
  if (far === null) return null
  const each = Math.max(0, (of(now) / now.count - far.ms) / (records - far.records))
  return { each, fixed: Math.max(0, of(now) / now.count - each * records) }
}

const NO_SIZE = { fromRecords: 0, count: 0, records: 0, ms: 0, cpuMs: 0 }
