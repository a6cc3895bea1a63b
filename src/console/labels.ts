/**
 * What the views call the kinds that a diagnosis names: health, cause, advice, mark, waiting place. Used by the
 * terminal view and by the page, so that both say the same. Every kind has its words: the types see to that.
 */
import type { Advice, CauseKind, Health, HealthKind, Knob, PlacesCheck, StageDiagnosis } from '../model/diagnosis.ts'
import type { LimiterStatus, PlaceKind } from '../model/status.ts'
import { count } from './terminal/figures.ts'

/** How loud a health is: a view picks its colour and its sign by this. */
export type Mood = 'calm' | 'busy' | 'alarm' | 'over'

export const HEALTH_LABELS: Readonly<Record<HealthKind, readonly [label: string, mood: Mood]>> = {
  starting: ['starting', 'busy'],
  idle: ['idle', 'calm'],
  'keeping-up': ['keeping up', 'calm'],
  throttling: ['throttling', 'busy'],
  'absorbing-burst': ['absorbing a burst', 'busy'],
  overload: ['overload', 'alarm'],
  'retry-storm': ['retry storm', 'alarm'],
  stalled: ['stalled', 'alarm'],
  paused: ['paused', 'over'],
  draining: ['draining', 'over'],
  ended: ['ended', 'over'],
  failed: ['failed', 'alarm'],
}

export const CAUSE_LABELS: Readonly<Record<CauseKind, string>> = {
  none: 'nothing holds it back',
  'own-cpu': 'own CPU',
  'foreign-code': 'code of no stage blocks the loop',
  'per-record-overhead': 'overhead of each record',
  memory: 'memory and garbage collection',
  'starved-host': 'starved host',
  'downstream-latency': 'downstream latency',
  'downstream-saturated': 'downstream saturated',
  'remote-limit': 'limit of the downstream',
  'local-limit': 'own rate limit',
  'pool-wait': 'waiting for a connection',
  'key-skew': 'key skew',
  'partition-skew': 'partition skew',
  'small-batches': 'batches too small',
  'slow-sink': 'slow sink',
  'slow-fetch': 'slow fetch',
  'slow-commit': 'slow commits',
  'retry-storm': 'retry storm',
  'downstream-down': 'downstream is down',
  'dead-letter-full': 'dead-letter sink takes no more',
  stalled: 'nothing completes',
  admission: 'admission budget',
}

export const ADVICE_LABELS: Readonly<Record<Advice, string>> = { turn: 'turn', safe: 'safe', hurts: 'hurts' }

export const MARK_LABELS: Readonly<Record<NonNullable<StageDiagnosis['mark']>, string>> = {
  bottleneck: 'bottleneck',
  'pushed-back': 'pushed back',
  starved: 'starved',
}

export const PLACE_LABELS: Readonly<Record<PlaceKind, string>> = {
  backlog: 'in the broker',
  prefetch: 'in the client',
  queue: 'in a queue',
  lanes: 'behind its key',
  'in-call': 'in a call',
  backoff: 'before a retry',
  blocked: 'no room ahead',
  batch: 'in a batch',
  'in-write': 'in a write',
  'in-transaction': 'in a transaction',
}

/** What the search for a limit is doing. */
export const PHASE_LABELS: Readonly<Record<string, string>> = {
  'slow-start': 'climbing',
  track: 'holding',
  brake: 'braking',
  probe: 'testing with fewer',
  deep: 'testing with fewer',
  waiting: 'about to test',
}

const CLOSED_BY: Readonly<Record<string, string>> = {
  'retry-after': 'Retry-After',
  breaker: 'the downstream is down',
  quota: 'the quota is used up',
}

/** Why a limiter lets nothing through: `closed 2.0s: Retry-After`; null while it is open, and for the moments of a quota. */
export function closedWords(
  { gate, gateUntilMs, breaker }: LimiterStatus,
  nowMs: number,
  duration: (ms: number) => string,
): string | null {
  const why = gate === null ? undefined : CLOSED_BY[gate]
  if (why === undefined || (gate === 'quota' && breaker === 'closed')) return null
  const still = gateUntilMs !== null && gateUntilMs > nowMs ? ` ${duration(gateUntilMs - nowMs)}` : ''
  return `closed${still}: ${why}`
}

/** What the health adds to its label: `falling behind`, `done in 2m00s to 3m10s`, `breach in 4m00s`. */
export function healthDetail(health: Health, duration: (ms: number) => string): string {
  const parts: string[] = []
  if (health.fallingBehind) parts.push('falling behind')
  if (health.metastable) parts.push('feeds itself')
  if (health.etaMs) {
    const [low, high] = [duration(health.etaMs.low), duration(health.etaMs.high)]
    parts.push(low === high ? `done in ${low}` : `done in ${low} to ${high}`)
  }
  if (health.breachMs !== null) parts.push(`breach in ${duration(health.breachMs)}`)
  return parts.join(' · ')
}

/** `+50%`, `−20%`, `±0%`; from tenfold on `×12`. */
export function gain(ratio: number): string {
  if (!Number.isFinite(ratio)) return '–'
  if (ratio >= 10) return `×${Math.round(ratio)}`
  const change = Math.round((ratio - 1) * 100)
  if (change === 0) return '±0%'
  return change > 0 ? `+${change}%` : `−${-change}%`
}

/** `then 'sink': slow sink`, or that it keeps up then. */
export function nextBottleneck({ nextBottleneck: next }: Knob): string {
  if (next === null) return 'then it keeps up'
  return next.stage === null ? `then ${CAUSE_LABELS[next.kind]}` : `then '${next.stage}': ${CAUSE_LABELS[next.kind]}`
}

/** `1,204 admitted`, or, where an item is not a record, `3,612 items that 1,204 admitted records are now`. */
export function admittedWords({ items, admitted }: PlacesCheck): string {
  if (items === admitted) return `${count(admitted)} admitted`
  return `${count(items)} items that ${count(admitted)} admitted records are now`
}
