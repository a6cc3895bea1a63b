/**
 * The three classic mistakes, each with its own sentence: more concurrency that made it less stable, a queue that grows
 * in memory where no lag shows it, and throughput that looks well while what is completed gets older and older.
 */
import type { Mistake } from '../model/diagnosis.ts'
import { formatBytes, formatCount, formatDuration } from '../model/units.ts'
import { milliseconds, perSecond, plain, share } from './evidence.ts'
import { type Facts, grows, type StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { LOOP_BUSY } from './thread.ts'
import { percent, rate } from './words.ts'

/** An attempt beside all others takes so much longer than beside few, for no more throughput. */
const STRETCHED = 2
/** So much work is in memory, as a share of the admission budget, while the broker shows nothing. */
const IN_MEMORY = 0.5
const NO_LAG_SECONDS = 1
/** Completed latency at least this, and so much growth a second. */
const OLD_MS = 5000
const GROWING = 0.1

export function mistakesOf(facts: Facts, finding: Finding): Mistake[] {
  const mistakes: Mistake[] = []
  for (const stage of facts.stages) {
    const past = pastTheKnee(facts, stage, finding)
    if (past !== null) mistakes.push(past)
  }
  const hidden = queueInMemory(facts)
  if (hidden !== null) mistakes.push(hidden)
  const old = throughputOverLatency(facts)
  if (old !== null) mistakes.push(old)
  return mistakes
}

function pastTheKnee(
  facts: Facts,
  { name, kind, quietMs, window, busySlots }: StageFacts,
  finding: Finding,
): Mistake | null {
  const { latencyMs, slots, counts, status } = window
  const fixed = status.limiters.every(({ phase }) => phase === 'fixed')
  if (kind !== 'call' || !fixed || quietMs === null || latencyMs === null || facts.window.process.loop > LOOP_BUSY)
    return null
  const stretched = latencyMs / quietMs
  const failing = counts.attempts > 0 ? (counts.failed + counts.rejected) / counts.attempts : 0
  if (busySlots < slots * 0.85 || (stretched < STRETCHED && !(finding.kind === 'retry-storm' && stretched > 1.3)))
    return null
  const enough = Math.max(1, Math.ceil(slots / stretched))
  const fails = failing > 0.02 ? `, and ${percent(failing)} of them fail` : ''
  return {
    mistake: 'concurrency-past-the-knee',
    stage: name,
    sentence:
      `More concurrency made '${name}' less stable, not faster: with ${formatCount(status.limit ?? Math.round(slots), 'call')} at once each takes ` +
      `${formatDuration(latencyMs)} instead of ${formatDuration(quietMs)}${fails}. About ${enough} would get as much done; ` +
      'adaptive() finds the figure by itself.',
    evidence: [
      plain('stretched', stretched, '×', 'a call takes so many times what it takes beside few others'),
      share('fail', failing, 'of the attempts'),
    ],
  }
}

function queueInMemory(facts: Facts): Mistake | null {
  const { status, backlog, perSecond: pace, trend } = facts
  const { admission } = status
  const here = status.records.inFlight
  const budget = Math.max(
    admission.records / Math.max(1, admission.limitRecords),
    admission.bytes / Math.max(1, admission.limitBytes),
  )
  if (backlog === null || backlog > Math.max(20, pace * NO_LAG_SECONDS)) return null
  const growing = grows(trend)
  const seconds = pace > 0 ? facts.waiting / pace : Number.POSITIVE_INFINITY
  if (!(seconds > OLD_MS / 1000 && (growing || budget > IN_MEMORY))) return null
  const length = Number.isFinite(seconds) ? `, ${formatDuration(seconds * 1000)} of work` : ''
  return {
    mistake: 'queue-in-memory',
    stage: null,
    sentence:
      `No lag does not mean no queue: the broker shows ${formatCount(backlog, 'record')}, but ${formatCount(here, 'record')} ` +
      `(${formatBytes(admission.bytes)}) wait in this process${length}${growing ? ', and it grows' : ''}. A lower residenceMs keeps them ` +
      'in the broker, where they are safe.',
    evidence: [
      plain('in the broker', backlog, 'records', 'lag as monitoring shows it'),
      plain('in memory', here, 'records', 'pulled and not completed'),
      plain('in memory', admission.bytes, 'bytes', 'of the records themselves'),
    ],
  }
}

function throughputOverLatency(facts: Facts): Mistake | null {
  const { window, trend, perSecond: pace } = facts
  const { latencyMs } = window
  const growing = grows(trend) && (trend.slope ?? 0) > GROWING * pace
  if (latencyMs === null || latencyMs < OLD_MS || !growing || trend.growingMs < 5000 || pace <= 0) return null
  const arrivals = trend.arrivalsPerSecond ?? 0
  return {
    mistake: 'throughput-over-latency',
    stage: null,
    sentence:
      `${rate(pace)} look well, but what is completed now is ${formatDuration(latencyMs)} old and gets older: ${rate(arrivals)} arrive. ` +
      'Judge by the age of what completes, not by what is pulled.',
    evidence: [
      perSecond('completed', pace, 'records'),
      perSecond('arrive', arrivals, 'records'),
      milliseconds('completed latency', latencyMs, "from the source's timestamp"),
    ],
  }
}
