/**
 * Why a stage holds back what waits before it. The name of the guard that stopped it says most; where that is the number
 * of its slots, the question is what the slots are busy with: failures, waiting for a connection, batches too small to
 * be worth a call, a downstream that is slow, or one that queues.
 */
import type { CauseKind, Evidence } from '../model/diagnosis.ts'
import { milliseconds, perSecond, plain, share } from './evidence.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'

/** Of the rate that was set. */
const AT_RATE = 0.95
/** Of the attempts. */
const FAILING = 0.15
const REFUSED = 0.05
/** Of the slots' time: what order keeps from being used. With noise, a tenth is seen from here on. */
const LOST = 0.06
/** Of the time: then a few refusals are not what is waited for. */
const ORDER_HOLDS = 0.6
/** Of the slots' busy time. */
const POOLING = 0.1
/** Of a call or write: more than this is there however few records it carries. */
const FIXED_SHARE = 0.7
const LEAST_FIXED_MS = 2
/** Without two sizes to compare: so few records that a write takes at least so long are few. */
export const FEW_RECORDS = 8
/** An attempt beside all others takes so much longer than beside few: the downstream queues. */
export const QUEUEING = 1.12
export const CLEARLY_QUEUEING = 1.3

export function stageFindings(facts: Facts, stage: StageFacts): Finding[] {
  const held = share('held back', stage.binding, `of the time something waited for '${stage.name}'`)
  const find = (kind: CauseKind, margin: number, ...evidence: Evidence[]): Finding => ({
    bottleneck: stage.name,
    kind,
    margin: Math.max(0, Math.min(1, margin)),
    evidence: [held, ...evidence],
  })
  const { counts, reasons, states } = stage.window
  const failing = counts.attempts > 0 ? counts.failed / counts.attempts : 0
  const refused = counts.attempts > 0 ? counts.rejected / counts.attempts : 0
  const found: Finding[] = []

  if (stage.reason === 'dead-letter-full') found.push(find('dead-letter-full', stage.binding))
  const repeats = stage.reason === 'retry-budget' || stage.reason === 'retry-share'
  if (failing > FAILING || (repeats && failing > 0)) {
    found.push(
      find(
        stage.reason === 'breaker' ? 'downstream-down' : 'retry-storm',
        0.3 + failing,
        share('attempts that fail', failing, 'and are tried again'),
        plain(
          'attempts a record',
          counts.first > 0 ? counts.attempts / counts.first : 1,
          '×',
          'first ones and repeats',
        ),
      ),
    )
  } else if (stage.reason === 'breaker') {
    found.push(find('downstream-down', stage.binding))
  }
  const remote = (reasons['retry-after'] ?? 0) + (reasons.quota ?? 0)
  // Refused before, tried again now: repeats may hold a quarter of the slots, and nothing else is left to start.
  const afterwards = repeats && failing <= FAILING && refusedSinceStart(stage) > REFUSED
  if (refused > REFUSED || remote > 0.2 || afterwards) {
    found.push(
      find(
        'remote-limit',
        Math.max(remote, refused * 3, afterwards ? 0.5 : 0),
        share('refused', refused, 'of the attempts (429 or 503)'),
        share('waiting as asked', remote, 'of the time the downstream had asked for a pause, or its quota was used up'),
        perSecond('let through', (counts.ok * 1000) / facts.window.ms, 'by the downstream'),
      ),
    )
  }
  if ((reasons.rate ?? 0) > 0.3 || runsAtItsRate(stage)) {
    found.push(
      find(
        'local-limit',
        runsAtItsRate(stage) ? 1 : (reasons.rate ?? 0),
        share('held by the rate', reasons.rate ?? 0, 'of the time its own limit said no'),
        perSecond('rate', stage.window.status.settings.perSecond ?? stage.window.attempts, 'that it is set to'),
      ),
    )
  }
  if (states.KEY > LOST || (reasons.key ?? 0) > 0.3) found.push(keyFinding(facts, stage, find))
  if ((reasons.concurrency ?? 0) > 0.2) found.push(...slotFindings(stage, find))
  const ordered = orderByReason(found, stage)
  return ordered.length > 0 ? ordered : [find('downstream-latency', 0, share('waiting for answers', states.AWAIT, ''))]
}

/** Then no slot and no downstream could bring more, whatever the guard that was met last is called. */
export function runsAtItsRate({ window: { attempts, status } }: StageFacts): boolean {
  const { perSecond: rate } = status.settings
  return rate !== null && attempts >= rate * AT_RATE
}

function refusedSinceStart({ window: { status } }: StageFacts): number {
  return status.attempts > 0 ? status.rejected429 / status.attempts : 0
}

/** What fails or is refused comes first; of the others those whose guard held for most of the time. */
function orderByReason(found: Finding[], stage: StageFacts): Finding[] {
  const { reasons, states } = stage.window
  const shareOf = ({ kind }: Finding): number => {
    if (kind === 'local-limit') return runsAtItsRate(stage) ? 1.5 : (reasons.rate ?? 0)
    if (kind === 'key-skew' || kind === 'partition-skew') return states.KEY > LOST ? 1.5 : (reasons.key ?? 0)
    if (kind === 'remote-limit' && (reasons.key ?? 0) > ORDER_HOLDS)
      return (reasons['retry-after'] ?? 0) + (reasons.quota ?? 0)
    if (['retry-storm', 'downstream-down', 'remote-limit', 'dead-letter-full'].includes(kind)) return 2
    return reasons.concurrency ?? 0
  }
  return found
    .map((finding, order) => ({ finding, order, by: shareOf(finding) }))
    .sort((one, other) => other.by - one.by || one.order - other.order)
    .map(({ finding }) => finding)
}

type Find = (kind: CauseKind, margin: number, ...evidence: Evidence[]) => Finding

function keyFinding(facts: Facts, { window }: StageFacts, find: Find): Finding {
  const waits = share(
    'held by order',
    window.reasons.key ?? 0,
    'of the time slots were free and all that waited waited for an earlier record',
  )
  if (window.status.settings.order === 'partition') {
    const most = largestPartition(facts)
    if (most === null) return find('partition-skew', window.reasons.key ?? 0, waits)
    const of = share('largest partition', most.share, `of what was delivered came from ${most.name}`)
    return find('partition-skew', window.reasons.key ?? 0, waits, of)
  }
  const [hot] = facts.status.hotKeys
  const evidence =
    hot === undefined ? [waits] : [waits, share('hottest key', hot.share, `of the records have the key '${hot.key}'`)]
  return find('key-skew', window.reasons.key ?? 0, ...evidence)
}

export function largestPartition({ sources }: Facts): { name: string; share: number } | null {
  let most: { name: string; share: number } | null = null
  for (const { delivered } of sources) {
    const all = [...delivered.values()].reduce((sum, records) => sum + records, 0)
    for (const [name, records] of delivered)
      if (all > 0 && records / all > (most?.share ?? 0)) most = { name, share: records / all }
  }
  return most
}

/** All slots are busy: with what? */
function* slotFindings(stage: StageFacts, find: Find): Generator<Finding> {
  const { window, kind, meanRecords, durationFit } = stage
  const { states, latencyMs } = window
  const busy = states.AWAIT + states.POOL + states.CPU
  const pooling = busy > 0 ? states.POOL / busy : 0
  if (pooling > POOLING) {
    yield find(
      'pool-wait',
      0.4 + pooling,
      share('waiting for the pool', pooling, "of the slots' busy time went to waiting for a connection or worker"),
      plain('in use', (busy - states.POOL) * window.slots, '', 'connections or workers on average'),
    )
  }
  const took = milliseconds('one takes', latencyMs ?? 0, 'on average')
  const carried = plain('records each', meanRecords, 'records', 'on average')
  if (kind === 'dead-letter') {
    yield find('dead-letter-full', states.AWAIT, took, carried)
    return
  }
  const isBatched = kind === 'sink' || meanRecords > 1
  if (isBatched && (latencyMs ?? 0) > LEAST_FIXED_MS) {
    const fixed = durationFit === null ? null : durationFit.fixed / (durationFit.fixed + durationFit.each * meanRecords)
    if (durationFit !== null && fixed !== null && fixed > FIXED_SHARE && durationFit.fixed > LEAST_FIXED_MS) {
      yield find(
        'small-batches',
        fixed,
        took,
        carried,
        milliseconds('fixed part', durationFit.fixed, 'however many records it carries'),
      )
    } else if (fixed === null && meanRecords <= FEW_RECORDS) {
      yield find('small-batches', 0.3, took, carried)
    }
  }
  if (kind === 'sink') {
    yield find('slow-sink', states.AWAIT, took, carried)
    return
  }
  yield* downstreamFindings(stage, find, took)
}

function* downstreamFindings(stage: StageFacts, find: Find, took: Evidence): Generator<Finding> {
  const { window, quietMs } = stage
  const { latencyMs, states, status } = window
  const [limiter] = status.limiters
  const busy = share('waiting for answers', states.AWAIT, "of the slots' time")
  const found =
    limiter !== undefined && limiter.phase !== 'fixed' && limiter.phase !== 'slow-start' && limiter.gate !== null
  const stretched = quietMs === null || latencyMs === null || quietMs <= 0 ? null : latencyMs / quietMs
  const quiet = milliseconds('beside few others', quietMs ?? 0, 'one takes')
  if (found || (stretched !== null && stretched > QUEUEING)) {
    const margin = found ? 0.8 : ((stretched ?? 1) - QUEUEING) / (CLEARLY_QUEUEING - QUEUEING)
    yield find('downstream-saturated', margin, busy, took, quiet)
    if (margin < 0.5) yield find('downstream-latency', 0.4, busy, took)
  } else {
    const margin = stretched === null ? 0.3 : 1 - Math.max(0, stretched - 1) / (QUEUEING - 1)
    yield find('downstream-latency', margin, busy, took, ...(stretched === null ? [] : [quiet]))
    if (stretched === null) yield find('downstream-saturated', 0.2, busy, took)
  }
}
