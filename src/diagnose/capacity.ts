/**
 * The capacity model: what each part lets through on its own, in completions a second. The smallest is the bottleneck.
 * A knob changes one of the bounds; evaluated again, the smallest is what the pipeline does then, and its owner is
 * the next bottleneck.
 */
import type { CauseKind, Setting } from '../model/diagnosis.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { largestPartition, QUEUEING } from './rules-stage.ts'
import { LOOP_BUSY } from './thread.ts'

export interface Bound {
  readonly stage: string | null
  readonly kind: CauseKind
  readonly perSecond: number
}

/** A knob, and by how much it is turned: 2 is twice as many slots, as much rate, as large batches. */
export interface Turn {
  readonly setting: Setting
  readonly stage: string | null
  readonly factor: number
}

/** The loop is never busy for all of the time. */
const LOOP_FULL = 0.97

/** What holds after the turn; null for things as they are. */
export function predict(facts: Facts, finding: Finding, turn: Turn | null): Bound {
  const bounds = boundsOf(facts, finding, turn)
  const { arrivalsPerSecond } = facts.trend
  const arrivals: Bound = { stage: null, kind: 'none', perSecond: arrivalsPerSecond ?? Number.POSITIVE_INFINITY }
  return bounds.reduce((least, bound) => (bound.perSecond < least.perSecond ? bound : least), arrivals)
}

export function boundsOf(facts: Facts, finding: Finding, turn: Turn | null): Bound[] {
  const bounds: Bound[] = [loopBound(facts, finding, turn)]
  for (const stage of facts.stages) {
    if (stage.kind === 'call') bounds.push(...callBounds(facts, finding, stage, turn))
    else if (stage.kind === 'sink') bounds.push(sinkBound(facts, finding, stage, turn))
  }
  bounds.push(...sourceBounds(facts, finding, turn))
  if (turn?.setting !== 'replicas') return bounds
  return bounds.map((bound) => (isShared(bound.kind) ? bound : { ...bound, perSecond: bound.perSecond * turn.factor }))
}

/** More processes share it: it does not grow with them. */
export function isShared(kind: CauseKind): boolean {
  return kind === 'downstream-saturated' || kind === 'remote-limit' || kind === 'key-skew' || kind === 'partition-skew'
}

function factorFor(turn: Turn | null, setting: Setting, stage: string | null): number {
  return turn !== null && turn.setting === setting && turn.stage === stage ? turn.factor : 1
}

function loopBound(facts: Facts, finding: Finding, turn: Turn | null): Bound {
  const { window, perSecond, stages, unattributed } = facts
  const { loop, gc } = window.process
  // Code of no stage takes its time whatever the records do.
  const foreign = finding.kind === 'foreign-code' ? unattributed : 0
  // Work for records that only pile up is not needed for those that complete.
  const collecting = gc * (1 - (stages[0]?.ahead ?? 0))
  let work = loop - foreign - (gc - collecting)
  for (const { name, window: stage, cpuFit, meanRecords, ahead } of stages) {
    const part = (stage.cpuMs / window.ms) * (1 - ahead)
    work -= (stage.cpuMs / window.ms) * ahead
    work -= part * (1 - factorFor(turn, 'own-code', name))
    // What runs after an answer belongs to no stage.
    work -= (part + unattributed - foreign) * (1 - factorFor(turn, 'retry-budget', name))
    const larger = factorFor(turn, 'batch-records', name)
    if (larger !== 1 && cpuFit !== null) {
      const { fixed, each } = cpuFit
      if (fixed + each > 0) work -= part * (1 - (fixed / (meanRecords * larger) + each) / (fixed / meanRecords + each))
    }
  }
  if (finding.kind === 'memory') work -= collecting * (1 - factorFor(turn, 'heap', null))
  const left = LOOP_FULL - foreign * factorFor(turn, 'own-code', null)
  const kind = finding.bottleneck === null && finding.kind !== 'none' ? finding.kind : 'own-cpu'
  const top = kind === 'own-cpu' ? topStage(stages) : null
  return { stage: top, kind, perSecond: work > 0.01 ? (perSecond * left) / work : Number.POSITIVE_INFINITY }
}

/** Then all that is not the thread's seems slow, and what takes its time from it takes it from every call. */
function isHeldByThread({ window }: Facts, { kind }: Finding): boolean {
  return window.process.loop > LOOP_BUSY || OF_THREAD.has(kind)
}

const OF_THREAD: ReadonlySet<CauseKind> = new Set(['memory', 'foreign-code', 'starved-host'])

function topStage(stages: readonly StageFacts[]): string | null {
  return (
    stages.reduce<StageFacts | null>(
      (top, stage) => (stage.window.cpuMs > (top?.window.cpuMs ?? 0) ? stage : top),
      null,
    )?.name ?? null
  )
}

const SLOT_KINDS: ReadonlySet<CauseKind> = new Set([
  'downstream-latency', 'downstream-saturated', 'retry-storm', 'small-batches', 'slow-sink', 'per-record-overhead',
]) // biome-ignore format: a list reads better in rows

function* callBounds(facts: Facts, finding: Finding, stage: StageFacts, turn: Turn | null): Generator<Bound> {
  const { perSecond, status } = facts
  const { name, window, busySlots, visits, quietMs, meanRecords, ownMs } = stage
  const { latencyMs, counts, states, reasons, slots } = window
  const threadHolds = isHeldByThread(facts, finding)
  const isHere = finding.bottleneck === name
  const tries = counts.ok > 0 ? counts.attempts / counts.ok : 1
  // With the thread busy, calls seem to take long: their slots tell nothing then.
  const loopBusy = facts.window.process.loop > LOOP_BUSY
  const busy = states.AWAIT + states.POOL + states.CPU
  const pooling = busy > 0 ? states.POOL / busy : 0
  const more = factorFor(turn, 'concurrency', name)
  const faster = factorFor(turn, 'downstream', name)
  const fewerTries = factorFor(turn, 'retry-budget', name)
  const saturated =
    (isHere && finding.kind === 'downstream-saturated') || (stretchOf(stage) > QUEUEING && !loopBusy && pooling < 0.05)

  if (isHere && finding.kind === 'pool-wait') {
    yield { stage: name, kind: 'pool-wait', perSecond: perSecond * factorFor(turn, 'pool', name) }
    yield slotBound(facts, stage, ((latencyMs ?? 1) * (1 - pooling)) / faster, slots * more, tries)
  } else if (saturated) {
    yield {
      stage: name,
      kind: 'downstream-saturated',
      perSecond: perSecond * (isHere ? 1 : roomOf(stage)) * faster,
    }
    yield slotBound(facts, stage, quietMs ?? latencyMs ?? 1, slots * more, tries)
  } else if (isHere && finding.kind === 'remote-limit') {
    // Repeats have their share of the slots: with nothing else to start, that is what holds, and not the downstream.
    yield { stage: name, kind: 'remote-limit', perSecond: perSecond * (heldByRepeats(stage) ? more : faster) }
    yield slotBound(facts, stage, latencyMs ?? 1, slots * more, 1)
  } else if (isHere && finding.kind === 'retry-storm' && turn?.setting === 'retry-budget') {
    // With nothing to repeat, the slots that repeats may not have are of use as well.
    yield slotBound(facts, stage, latencyMs ?? 1, slots * more, Math.max(1, tries * fewerTries))
  } else if (isHere && SLOT_KINDS.has(finding.kind)) {
    const gain = more * faster * batchGain(stage, turn)
    yield { stage: name, kind: finding.kind, perSecond: (perSecond * gain) / fewerTries }
  } else if (threadHolds) {
    // What the slots let through once the thread is free and no answer waits for its turn.
    if (turn !== null && ownMs !== null)
      yield slotBound(facts, stage, Math.min(ownMs, quietMs ?? ownMs) / faster, slots * more, tries)
  } else if (busySlots > 0 && !findsItsLimit(stage)) {
    yield { stage: name, kind: 'downstream-latency', perSecond: ((perSecond * slots) / busySlots) * more * faster }
  }

  const { perSecond: rate, order } = status.stages.find((of) => of.name === name)?.settings ?? window.status.settings
  if (rate !== null) {
    const granted = (rate * factorFor(turn, 'rate', name)) / (counts.first > 0 ? counts.attempts / counts.first : 1)
    yield { stage: name, kind: 'local-limit', perSecond: (granted * meanRecords) / visits }
  }
  const held = (reasons.key ?? 0) > 0.3 && isHere
  const fewer = factorFor(turn, 'keys', name)
  const hottest =
    order === 'key' ? status.hotKeys[0]?.share : order === 'partition' ? largestPartition(facts)?.share : undefined
  const kind = order === 'partition' ? 'partition-skew' : 'key-skew'
  if (held) yield { stage: name, kind, perSecond: perSecond / fewer }
  else if (hottest !== undefined && latencyMs !== null && !loopBusy)
    yield { stage: name, kind, perSecond: 1000 / (hottest * fewer * latencyMs * tries * visits) }
}

/** Its slots are as many as were wanted: with more to do there are more. */
function findsItsLimit({ window: { status } }: StageFacts): boolean {
  const [limiter] = status.limiters
  return limiter !== undefined && limiter.phase !== 'fixed'
}

const BY_REPEATS = 0.5

/** Nothing but repeats is left to start, and no more of them may be. */
export function heldByRepeats({ window: { reasons } }: StageFacts): boolean {
  return (reasons['retry-share'] ?? 0) > BY_REPEATS
}

function stretchOf({ quietMs, window: { latencyMs } }: StageFacts): number {
  return quietMs !== null && latencyMs !== null && quietMs > 0 ? latencyMs / quietMs : 1
}

/** How much more a downstream that queues could take if it had more to do, where it is not the bottleneck. */
function roomOf({ busySlots, window: { slots } }: StageFacts): number {
  return busySlots <= 0 ? 1 : Math.max(1, slots / busySlots)
}

function slotBound(facts: Facts, stage: StageFacts, latencyMs: number, slots: number, tries: number): Bound {
  const known = facts.perSecond > 0
  const perSecond = known
    ? (slots * 1000 * stage.meanRecords) / (latencyMs * tries * stage.visits)
    : Number.POSITIVE_INFINITY
  return { stage: stage.name, kind: 'downstream-latency', perSecond }
}

/** Without two sizes to compare, most of a write or of a batch's call is taken to be there however few records it carries. */
const UNKNOWN_WRITE = { fixed: 1, each: 0.02 }

/** What larger batches bring: each takes longer, by what its records take, and there are fewer of them. */
function batchGain({ name, meanRecords, durationFit }: StageFacts, turn: Turn | null): number {
  const larger = factorFor(turn, 'batch-records', name)
  const { fixed, each } = durationFit ?? UNKNOWN_WRITE
  const whole = fixed + each * meanRecords
  return whole > 0 ? (larger * whole) / (fixed + each * meanRecords * larger) : 1
}

function sinkBound(facts: Facts, finding: Finding, stage: StageFacts, turn: Turn | null): Bound {
  const { perSecond } = facts
  const { name, busySlots } = stage
  const isHere = finding.bottleneck === name
  const gain = batchGain(stage, turn)
  const more = factorFor(turn, 'concurrency', name) * factorFor(turn, 'downstream', name)
  const kind: CauseKind = isHere && SLOT_KINDS.has(finding.kind) ? finding.kind : 'slow-sink'
  if (isHere && SLOT_KINDS.has(finding.kind)) return { stage: name, kind, perSecond: perSecond * gain * more }
  if (isHeldByThread(facts, finding)) {
    const { perSecond: whole } = slotBound(facts, stage, stage.ownMs ?? 1, stage.window.slots, 1)
    return { stage: name, kind, perSecond: Math.max(perSecond, whole) * gain * more }
  }
  const free = busySlots > 0 ? stage.window.slots / busySlots : Number.POSITIVE_INFINITY
  return { stage: name, kind, perSecond: perSecond * free * gain * more }
}

function* sourceBounds({ perSecond, sources }: Facts, finding: Finding, turn: Turn | null): Generator<Bound> {
  for (const {
    status: { name },
  } of sources) {
    if (finding.bottleneck !== name) continue
    const setting = finding.kind === 'slow-commit' ? 'commit' : finding.kind === 'slow-fetch' ? 'fetch' : 'admission'
    yield { stage: name, kind: finding.kind, perSecond: perSecond * factorFor(turn, setting, name) }
  }
}
