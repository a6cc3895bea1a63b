/**
 * What a busy thread explains, and what it does not. A thread that is full makes every call look slow, so the rules look
 * at the process first; but a stage whose calls hardly wait for the thread is slow by itself, and a thread that is full
 * of work for records which only pile up before a later stage would be at ease with what completes.
 */
import type { CauseKind } from '../model/diagnosis.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { CLEARLY_QUEUEING, runsAtItsRate } from './rules-stage.ts'

export const LOOP_BUSY = 0.9
export const HEAP_FULL = 0.85
/** With so much of its time left, a thread keeps no answer waiting for long. */
const LOOP_AT_EASE = 0.75
/** Of the present records: a full thread has no time for so many, one at ease has it for more than these. */
const LEAST_ROOM = 1.25
const MUCH_ROOM = 1.5
/** Repeats that take so much of a full thread that without them it is less busy than this are what fills it. */
const ROOM_WITHOUT_REPEATS = 0.7
/** A free thread would bring a stage no more than this. */
const HARDLY_STRETCHED = 1.08
/** Of the time: a stage that holds back for so much of it is full. */
export const CLEARLY_BINDING = 0.6

/** Of the time: a source that is without input for longer delivers all that there is. */
const HARDLY_WITHOUT_INPUT = 0.1

/** Kinds that rest on how long calls take, or on how many get done in a slot or a connection. */
const OF_SLOTS: ReadonlySet<CauseKind> = new Set([
  'downstream-latency', 'downstream-saturated', 'small-batches', 'slow-sink', 'pool-wait',
]) // biome-ignore format: a list reads better in rows
/** And in a key's turn. */
const SEEMS_SLOW: ReadonlySet<CauseKind> = new Set([...OF_SLOTS, 'key-skew', 'partition-skew'])

/** What a stage was found to be held by is no effect of what the process is busy with. `ofThread`: what that is. */
export function explainsItself(
  facts: Facts,
  stage: StageFacts,
  first: Finding | undefined,
  ofThread: Finding | undefined,
): boolean {
  if (first === undefined || facts.heapShare > HEAP_FULL) return false
  if (runsAtItsRate(stage)) return true
  if (first.kind === 'retry-storm' && isFull(facts)) return withoutRepeats(facts, stage) < ROOM_WITHOUT_REPEATS
  if (!SEEMS_SLOW.has(first.kind)) return !isFull(facts) || atItsPace(facts, stage) < LOOP_BUSY
  // Nothing is known to be wrong with what it calls, so the thread's fault counts unless it costs hardly anything.
  if (first.kind === 'downstream-latency' && facts.window.process.loop > LOOP_BUSY) return isSlowByItself(stage)
  // Pauses keep answers waiting however much of the time is left between them.
  if (isAtEase(facts) && ofThread?.kind !== 'memory') return true
  if (ofThread?.bottleneck === stage.name) return false
  return (OF_SLOTS.has(first.kind) && isSlowByItself(stage)) || bringsMore(facts, stage, first.kind)
}

/**
 * Which of the two would bring more if it were gone: without what holds the stage back the thread has room for so many
 * times the present records; with a free thread the stage gets so many times as much done.
 */
function bringsMore(facts: Facts, stage: StageFacts, kind: CauseKind): boolean {
  const { binding, quietMs, window } = stage
  if (kind === 'downstream-latency' || binding < CLEARLY_BINDING || window.latencyMs === null) return false
  // Calls that start together after a pause wait for a whole one, twice the mean of what falls due at any time.
  const ownMs = window.latencyMs - 2 * facts.window.process.lateMs
  if (ownMs <= 0) return false
  // A busy thread makes calls look queued: only what it does not explain is a queue of the downstream's.
  if (kind === 'downstream-saturated' && (quietMs === null || ownMs < CLEARLY_QUEUEING * quietMs)) return false
  return threadRoom(facts, sparedByFullBatches(facts)) > (stage.stretch * (stage.ownMs ?? 0)) / ownMs
}

/** Whether the thread takes all that a source would deliver, of which nobody knows how much waits there. */
export function boundsPace({ backlog, sources, window }: Facts): boolean {
  const delivers = sources.some(({ states }) => states.NO_INPUT < HARDLY_WITHOUT_INPUT)
  return backlog === null && window.process.loop > LOOP_BUSY && delivers
}

/** The thread keeps no answer waiting for long. */
export function isAtEase(facts: Facts): boolean {
  return facts.window.process.loop < LOOP_AT_EASE || threadRoom(facts) > MUCH_ROOM
}

/** The thread lets nothing more through. */
function isFull(facts: Facts): boolean {
  return facts.window.process.loop > LOOP_BUSY && threadRoom(facts) < LEAST_ROOM
}

/** Its slots are taken all the time, and by what it calls. */
function isSlowByItself({ binding, stretch }: StageFacts): boolean {
  return binding >= CLEARLY_BINDING && stretch < HARDLY_STRETCHED
}

/**
 * How many times the present records the thread has time for. What belongs to no stage takes its time whatever the
 * records do: with most of the thread gone to it, the rest may be enough for more records than there are.
 */
function threadRoom({ window, unattributed }: Facts, spared = 0): number {
  const own = window.process.loop - unattributed - spared
  return own > 0 ? (1 - unattributed) / own : Number.POSITIVE_INFINITY
}

/** Of the time: what batches cost because they leave before they are full, which more records would not. */
function sparedByFullBatches({ stages, window: { ms } }: Facts): number {
  let spared = 0
  for (const { batchRecords, meanRecords, cpuFit, window } of stages) {
    if (batchRecords === null || cpuFit === null || meanRecords >= batchRecords) continue
    const { fixed, each } = cpuFit
    const share = fixed / (fixed + each * meanRecords)
    if (fixed > 0) spared += (window.cpuMs / ms) * share * (1 - meanRecords / batchRecords)
  }
  return spared
}

/** How busy the thread would be if each record took one attempt. */
function withoutRepeats({ window, unattributed }: Facts, stage: StageFacts): number {
  const { counts, cpuMs } = stage.window
  const repeats = counts.attempts > 0 ? 1 - counts.ok / counts.attempts : 0
  return window.process.loop - (cpuMs / window.ms + unattributed) * repeats
}

/** How busy the thread would be if the stages before this one did as much as it lets through, and nothing piled up. */
function atItsPace({ window, stages }: Facts, stage: StageFacts): number {
  const { in: enters, out: leaves } = stage.window
  const ahead = enters > 0 ? Math.max(0, 1 - leaves / enters) : 0
  const before = stages.slice(0, stages.indexOf(stage)).reduce((sum, { window: { cpuMs } }) => sum + cpuMs, 0)
  return window.process.loop - (before / window.ms) * ahead
}
