/** One plain sentence on what holds a pipeline back, from its status. It names a stage and the figure it rests on. */
import type { StageStatus, Status } from '../model/status.ts'
import { formatCount, formatDuration } from '../model/units.ts'

const REASONS: Readonly<Record<string, (stage: StageStatus) => string>> = {
  rate: ({ name }) => `'${name}' runs at its rate limit`,
  'retry-after': ({ name }) => `'${name}' waits because the downstream asked for a pause (Retry-After)`,
  breaker: ({ name }) => `'${name}' waits: its downstream fails, and one call at a time tests whether it is back`,
  'retry-budget': ({ name }) => `'${name}' waits for its retry budget: too many attempts fail`,
  quota: ({ name, limiters: [limiter] }) =>
    `'${name}' is held at the quota that its downstream grants${limiter?.ratePerSecond ? `, ${perSecond(limiter.ratePerSecond)}` : ''}`,
  concurrency: (stage) => (isAdaptive(stage) ? adaptedTo(stage) : allBusy(stage)),
  key: ({ name }) => `'${name}' waits for records of the same key to finish`,
  backoff: ({ name }) => `'${name}' waits to try again after a failure`,
  'dead-letter-full': ({ name }) => `'${name}' waits for its dead-letter sink`,
}

function isAdaptive({ limiters: [limiter] }: StageStatus): boolean {
  return limiter !== undefined && limiter.phase !== 'fixed'
}

function allBusy({ name, limit }: StageStatus): string {
  return `'${name}' has ${limit === 1 ? 'its only slot' : `all of its ${limit} slots`} busy`
}

/** The limit was found and not set: what holds back is the downstream. */
function adaptedTo({ name, limit, limiters: [limiter] }: StageStatus): string {
  const calls = formatCount(limit ?? 0, 'call')
  if (limiter?.phase === 'slow-start')
    return `'${name}' is finding out what its downstream can take, ${calls} at once so far`
  return `'${name}' sends what its downstream can take, ${calls} at once`
}

function perSecond(rate: number): string {
  return `${rate >= 10 ? Math.round(rate) : Number(rate.toPrecision(2))} a second`
}

export function verdictOf(status: Status): string {
  const { state, error, records, sources } = status
  if (error !== null) return `Failed: ${error.message}`
  const done = records.out + records.filtered + records.deadLettered + records.skipped
  if (state === 'stopped')
    return `Finished: ${done} of ${formatCount(records.in, 'record')} completed, ${records.returned} returned uncommitted.`
  if (state === 'paused') return 'Paused: nothing is pulled until it is resumed.'
  const backlog = sources.reduce((sum, source) => sum + (source.backlogRecords ?? 0), 0)
  const unknown = sources.some((source) => source.backlogRecords === null)
  const waits = backlog > 0 ? `; ${waiting(backlog)}${drainTime(backlog, status)}` : ''
  const stage = narrowest(status)
  if (stage === undefined) {
    if (backlog > 0) return `Nothing holds the stages back${waits}.`
    if (records.inFlight > 0) return 'Keeping up: nothing waits in the source.'
    return unknown
      ? 'Keeping up: nothing waits here; how much waits in the source is unknown.'
      : 'Keeping up: nothing waits.'
  }
  const limit = (REASONS[stage.reason] as (stage: StageStatus) => string)(stage)
  return `${limit[0] === "'" ? `Stage ${limit}` : limit}${waits}.`
}

/** Of the stages that hold something back the one before which most is waiting, by its limit; the last of equals. */
function narrowest({ stages, places }: Status): StageStatus | undefined {
  let found: StageStatus | undefined
  let most = 0
  for (const stage of stages) {
    if (REASONS[stage.reason] === undefined) continue
    const waiting = WAITING.map((place) => places.find(({ name }) => name === `${stage.name} ${place}`))
    const share = Math.max(0, ...waiting.map((place) => (place?.records ?? 0) / (place?.limitRecords || Infinity)))
    if (share >= most) [found, most] = [stage, share]
  }
  return found
}

/** Where records wait for a slot of their stage. */
const WAITING = ['queue', 'lanes']

function waiting(backlog: number): string {
  return `${formatCount(backlog, 'record')} ${backlog === 1 ? 'waits' : 'wait'} in the source`
}

function drainTime(backlog: number, { completionPerSecond, nowMs, startedAtMs }: Status): string {
  if (completionPerSecond <= 0 || nowMs - startedAtMs < 1000) return ''
  return ` (${formatDuration((backlog / completionPerSecond) * 1000)} of work)`
}
