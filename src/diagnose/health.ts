/**
 * How a pipeline is. The same lag can be a burst that is being worked off, a limit that is kept on purpose, or an
 * overload that will not end: what tells them apart is which way it goes, and what holds.
 */
import type { CauseKind, Health, HealthKind } from '../model/diagnosis.ts'
import { formatCount, formatDuration } from '../model/units.ts'
import { type Facts, grows } from './facts.ts'
import { rate } from './words.ts'

/** Growing for so long it is no burst. */
const OVERLOAD_MS = 10_000
/** With its downstream down and nothing completed for so long, it does not do its work. */
const STILL_MS = 1000
/** A storm that lasts for so long feeds itself. */
const METASTABLE_MS = 30_000

const LIMITS: ReadonlySet<CauseKind> = new Set(['local-limit', 'remote-limit'])

export interface HealthInput {
  readonly facts: Facts
  /** The kind of the verdict, and for how long it has been that. */
  readonly kind: CauseKind
  /** The stage or source that the verdict names. */
  readonly of: string | null
  readonly kindMs: number
  /** What was seen is too little to say more. */
  readonly starting: boolean
  /** The age that no record should exceed; null when nothing was promised. */
  readonly promisedAgeMs: number | null
}

export function healthOf(input: HealthInput): Health {
  const kind = kindOf(input)
  const { facts } = input
  const fallingBehind = kind === 'throttling' && grows(facts.trend)
  return {
    kind,
    fallingBehind,
    etaMs: kind === 'absorbing-burst' || kind === 'throttling' ? drainTime(facts) : null,
    breachMs: kind === 'overload' || fallingBehind ? breach(input) : null,
    metastable: kind === 'retry-storm' && input.kindMs > METASTABLE_MS,
    sentence: sentence(kind, input, fallingBehind),
  }
}

function kindOf({ facts, kind, starting }: HealthInput): HealthKind {
  const { status, window, behind, backlog, trend } = facts
  if (status.state === 'failed') return 'failed'
  if (status.state === 'stopped') return 'ended'
  if (status.state === 'paused') return 'paused'
  if (status.state === 'draining') return 'draining'
  if (kind === 'stalled' || (kind === 'downstream-down' && facts.sinceCompletionMs >= STILL_MS)) return 'stalled'
  if (starting || status.state === 'starting') return 'starting'
  if (window.completions === 0 && status.records.inFlight === 0 && (backlog ?? 0) === 0) return 'idle'
  if (kind === 'retry-storm') return 'retry-storm'
  if (!behind) return 'keeping-up'
  if (LIMITS.has(kind)) return 'throttling'
  // Without a broker that counts, being pushed back all the time is all that can be known.
  if (trend.slope === null) return backlog === null ? 'overload' : 'absorbing-burst'
  return trend.growingMs >= OVERLOAD_MS ? 'overload' : 'absorbing-burst'
}

/** What waits ÷ the slope, at both ends of what the slope may be; null unless it shrinks for certain. */
function drainTime({ waiting, trend: { slope, slopeError } }: Facts): Health['etaMs'] {
  if (slope === null || slope + 2 * slopeError >= 0) return null
  return { low: (waiting * 1000) / (2 * slopeError - slope), high: (waiting * 1000) / -(slope + 2 * slopeError) }
}

function breach({ facts, promisedAgeMs }: HealthInput): number | null {
  const { trend, status } = facts
  if (promisedAgeMs === null) return null
  if (status.queueAgeMs >= promisedAgeMs) return 0
  return trend.ageSlope > 0 ? ((promisedAgeMs - status.queueAgeMs) / trend.ageSlope) * 1000 : null
}

function sentence(kind: HealthKind, input: HealthInput, fallingBehind: boolean): string {
  const { facts } = input
  const { perSecond, waiting, status } = facts
  const arrive = facts.trend.arrivalsPerSecond
  const work = `${formatCount(waiting, 'record')} ${waiting === 1 ? 'waits' : 'wait'}`
  const eta = drainTime(facts)
  switch (kind) {
    case 'starting':
      return 'Starting: too little has been seen to say more.'
    case 'idle':
      return 'Idle: nothing arrives and nothing waits.'
    case 'keeping-up':
      return `Keeping up: ${rate(perSecond)} completed, nothing waits for long.`
    case 'throttling':
      return fallingBehind
        ? `Throttling, and falling behind: ${rate(arrive ?? 0)} arrive, the limit lets ${rate(perSecond)} through.`
        : `Throttling: held at a limit, ${rate(perSecond)}; ${work}.`
    case 'absorbing-burst':
      return eta === null
        ? `Absorbing a burst: ${work}, ${rate(perSecond)} completed.`
        : `Absorbing a burst: ${work}, gone in ${formatDuration(eta.low)} to ${formatDuration(eta.high)}.`
    case 'overload':
      return arrive === null
        ? `Overload: the source is held back, ${rate(perSecond)} completed.`
        : `Overload: ${rate(arrive)} arrive, ${rate(perSecond)} are completed; ${work} and it grows.`
    case 'retry-storm':
      return input.kindMs > METASTABLE_MS
        ? 'Retry storm that keeps itself up: what set it off may be over long since.'
        : 'Retry storm: attempts that fail are repeated and take the place of first ones.'
    case 'stalled':
      return input.kind === 'downstream-down'
        ? `Stalled: nothing completes while the downstream of '${input.of}' is down.`
        : facts.sinceCompletionMs < STILL_MS
          ? `Stalled: '${input.of}' gets nothing done, and only what is behind it still completes.`
          : 'Stalled: work is in progress and none of it ends.'
    case 'paused':
      return 'Paused: nothing is pulled until it is resumed.'
    case 'draining':
      return 'Draining: nothing more is pulled, what was started is finished.'
    case 'ended':
      return 'Finished.'
    case 'failed':
      return `Failed: ${status.error?.message ?? 'unknown'}`
  }
}
