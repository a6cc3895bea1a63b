/**
 * Work that is in progress and does not end: of the whole pipeline, when nothing completes any more, or of one stage,
 * while those behind it finish what they had. The rules say this before anything but an outage.
 */
import { milliseconds, plain } from './evidence.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'

const STALLED_MS = 5000
/** No attempt is waited for longer than this before it is said. */
const LONGEST_MS = 60_000
/** Of what the slowest of a hundred attempts takes. */
const TIMES_SLOWEST = 5
const CLEARLY_MS = 20_000

export function stillFinding(facts: Facts): Finding | null {
  const { status, sinceCompletionMs, stages } = facts
  const { records, latencyMs, state } = status
  if (state !== 'running' || records.inFlight === 0) return null
  // What is held at a limit or between attempts goes on by itself.
  const busy = stages.filter(({ window: { status: of } }) => of.inFlight > 0)
  if (sinceCompletionMs >= patienceMs(slowestMs(stages, latencyMs.p99))) {
    // What has only just begun, as the first write after an outage has, is not why nothing has completed.
    const stage = busy.findLast(
      ({ name, window: { status: of } }) => (facts.stillMs.get(name) ?? 0) >= patienceMs(of.latencyMs.p99),
    )
    return stage === undefined
      ? null
      : finding(facts, stage, milliseconds('no completion for', sinceCompletionMs, 'nothing has completed since'))
  }
  const stuck = busy.findLast(({ name, window }) => {
    const { p99 } = window.status.latencyMs
    return p99 > 0 && (facts.stillMs.get(name) ?? 0) >= patienceMs(p99)
  })
  if (stuck === undefined) return null
  const { name } = stuck
  const forMs = facts.stillMs.get(name) ?? 0
  return finding(facts, stuck, milliseconds('no answer for', forMs, `no attempt of '${name}' has ended since`))
}

function finding({ oldestOpen }: Facts, { name, window }: StageFacts, since: Finding['evidence'][number]): Finding {
  const evidence = [
    since,
    plain('in progress', window.status.inFlight, 'records', `calls or writes of '${name}' that do not end`),
  ]
  if (oldestOpen !== null)
    evidence.push(plain('oldest record', oldestOpen.offset, '', `its offset, in partition ${oldestOpen.partition}`))
  return {
    bottleneck: name,
    kind: 'stalled',
    margin: Math.min(1, since.value / CLEARLY_MS),
    certain: true,
    evidence,
  }
}

function patienceMs(attemptMs: number): number {
  return Math.max(STALLED_MS, Math.min(LONGEST_MS, TIMES_SLOWEST * attemptMs))
}

/** An attempt takes at most about this: the end-to-end latency holds the time in the broker, and would make it an hour. */
export function slowestMs(stages: readonly StageFacts[], endToEndMs: number): number {
  const attempts = stages.reduce((sum, { window }) => sum + window.status.latencyMs.p99, 0)
  return attempts > 0 ? attempts : endToEndMs
}
