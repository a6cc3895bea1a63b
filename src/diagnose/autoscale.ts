/**
 * How many processes there should be: enough for what arrives and to work off what waits in two minutes, but no more
 * than the partitions, the shared downstream and the skew of the partitions make use of. It is the number for the whole
 * group, whichever process is asked, so that an autoscaler may take the largest answer.
 */
import type { Autoscale, AutoscaleAction } from '../model/diagnosis.ts'
import { boundsOf, isShared } from './capacity.ts'
import type { Facts } from './facts.ts'
import type { Finding } from './finding.ts'
import { scales } from './knobs.ts'
import { CAUSE_NAMES } from './words.ts'

const ASSUMED =
  ' The source cannot tell how many processes there are, so it is taken to be this one alone (--replicas).'
/** How busy a process should be. */
const UTILISATION = 0.8
/** What waits is to be gone in so long. */
const CATCH_UP_SECONDS = 120
/** Room above a shared downstream's capacity, so that its growth is noticed. */
const SHARED_ROOM = 1.05
/** One more process has to bring so much. */
const LEAST_GAIN = 0.03
/** A lower need must have lasted for so long. */
const SCALE_DOWN_AFTER_MS = 300_000
/** After a scale-up that brought less than half of what was predicted. */
const BLOCKED_MS = 600_000

export interface GroupSize {
  /** Processes now, and the most there may be. */
  readonly replicas: number
  /** False: 1 is assumed. */
  readonly isKnown: boolean
  readonly maxReplicas: number
  /** Of all processes together; null when unknown. */
  readonly partitions: number | null
  /** What a new process takes to start, with the rebalance that it causes. */
  readonly startupMs: number
}

/** What the signal remembers from one look to the next. */
export interface ScaleMemory {
  /** The last answer that rested on data; null before the first. */
  desired: number | null
  lowerSinceMs: number | null
  /** At the last scale-up: processes, what they completed together, and what the next ones were to add. */
  raised: { replicas: number; perSecond: number; atMs: number } | null
  blockedUntilMs: number
}

export function freshMemory(): ScaleMemory {
  return { desired: null, lowerSinceMs: null, raised: null, blockedUntilMs: 0 }
}

export interface ScaleInput {
  readonly facts: Facts
  readonly finding: Finding
  readonly confidence: number
  readonly group: GroupSize
  /** Partitions came or went within the window. */
  readonly rebalancing: boolean
  readonly starting: boolean
  readonly memory: ScaleMemory
}

export function autoscaleOf(input: ScaleInput): Autoscale {
  const { facts, finding, group, memory } = input
  const { replicas: current, maxReplicas, partitions, startupMs } = group
  const mu = ownCapacity(facts, finding)
  const arrivals = facts.trend.arrivalsPerSecond
  const held = memory.desired ?? current
  if (input.starting || arrivals === null || facts.backlog === null || mu === null) {
    const reason = input.starting
      ? 'too little has been seen'
      : 'how much arrives, or what one process can do, is unknown'
    return answer(held, group, mu, held, maxReplicas, 'hold', `${reason}: the last answer stands`)
  }
  // Arrivals and backlog are of this process's partitions; the group has `current` times as much.
  const all = arrivals * current
  const backlog = facts.waiting * current
  const need = Math.max(
    1,
    Math.ceil(
      all / (UTILISATION * mu) + backlog / (CATCH_UP_SECONDS * mu) + (all * startupMs) / 1000 / (CATCH_UP_SECONDS * mu),
    ),
  )
  const caps = [maxReplicas, partitions ?? Number.POSITIVE_INFINITY]
  if (isShared(finding.kind)) caps.push(Math.max(1, Math.ceil((SHARED_ROOM * facts.perSecond * current) / mu)))
  caps.push(bySkew(facts, current))
  const cap = Math.max(1, Math.min(...caps))
  return decide(input, mu, need, cap)
}

function decide(
  { facts, finding, confidence, group, rebalancing, memory }: ScaleInput,
  mu: number,
  need: number,
  cap: number,
): Autoscale {
  const { replicas: current, maxReplicas } = group
  const { nowMs } = facts.status
  const desired = Math.min(need, cap)
  noteYield(memory, facts, group)
  if (desired >= current) memory.lowerSinceMs = null
  else memory.lowerSinceMs ??= nowMs
  const hold = (reason: string): Autoscale => {
    memory.desired = current
    return answer(current, group, mu, need, cap, 'hold', reason)
  }
  if (finding.kind === 'retry-storm' || finding.kind === 'downstream-down')
    return hold('attempts fail: more processes would make more of them')
  if (rebalancing) return hold('partitions are being moved')
  if (desired > current) {
    if (finding.kind !== 'none' && !scales(finding))
      return hold(`${CAUSE_NAMES[finding.kind]}: more processes would not help`)
    if (finding.kind !== 'none' && confidence < 0.5) return hold('it is not certain what the bottleneck is')
    if (nowMs < memory.blockedUntilMs)
      return hold('the last processes that were added brought less than half of what one brings')
    memory.raised = { replicas: current, perSecond: facts.perSecond * current, atMs: nowMs }
    memory.desired = desired
    return answer(
      desired,
      group,
      mu,
      need,
      Math.min(cap, maxReplicas),
      'up',
      'more arrives, or waits, than these processes get done',
    )
  }
  if (desired < current) {
    const lowerMs = nowMs - (memory.lowerSinceMs ?? nowMs)
    if (lowerMs < SCALE_DOWN_AFTER_MS) return hold('fewer would do, but not for five minutes yet')
    memory.desired = desired
    return answer(desired, group, mu, need, cap, 'down', 'fewer are enough, and have been for five minutes')
  }
  if (need <= current) return hold('as many as needed')
  if (current >= (group.partitions ?? Number.POSITIVE_INFINITY))
    return hold(`more would be of use, but the work cannot be shared among more than ${group.partitions}`)
  if (current >= maxReplicas) return hold('more would be of use, but no more may be asked for')
  return hold(
    finding.kind !== 'none' && !scales(finding)
      ? `${CAUSE_NAMES[finding.kind]}: more processes would not help`
      : 'more would get hardly more done',
  )
}

/** Whether processes that were added brought what they were to bring. */
function noteYield(memory: ScaleMemory, facts: Facts, { replicas, startupMs }: GroupSize): void {
  const { raised } = memory
  const { nowMs } = facts.status
  if (raised === null || replicas <= raised.replicas || nowMs < raised.atMs + startupMs + 30_000) return
  const predicted = (raised.perSecond / raised.replicas) * (replicas - raised.replicas)
  const brought = facts.perSecond * replicas - raised.perSecond
  if (facts.behind && brought < predicted / 2) memory.blockedUntilMs = nowMs + BLOCKED_MS
  memory.raised = null
}

function answer(
  desired: number,
  { replicas: current, isKnown }: GroupSize,
  mu: number | null,
  need: number,
  cap: number,
  action: AutoscaleAction,
  reason: string,
): Autoscale {
  const verb = { up: 'Scale up', down: 'Scale down', hold: 'Hold' }[action]
  const target = action === 'hold' ? `at ${desired}` : `from ${current} to ${desired}`
  return {
    desired,
    current,
    action,
    reason,
    need,
    cap,
    perReplicaPerSecond: mu,
    sentence: `${verb} ${target}: ${reason}.${isKnown ? '' : ASSUMED}`,
  }
}

/** What one process gets done with enough to do: the smallest of the bounds that are its own. */
function ownCapacity(facts: Facts, finding: Finding): number | null {
  const own = boundsOf(facts, finding, null).filter(({ kind }) => !isShared(kind))
  const least = Math.min(Number.POSITIVE_INFINITY, ...own.map(({ perSecond }) => perSecond))
  return Number.isFinite(least) && least > 0 ? least : null
}

/** The fewest processes with which the largest share is within 3 % of the best that partitions allow. */
function bySkew({ sources }: Facts, current: number): number {
  const loads = sources.flatMap(({ delivered }) => [...delivered.values()]).filter((records) => records > 0)
  if (loads.length === 0 || current > 1) return Number.POSITIVE_INFINITY
  const all = loads.reduce((sum, load) => sum + load, 0)
  const sorted = [...loads].sort((one, other) => other - one)
  const best = all / (sorted[0] as number)
  // No assignment makes fewer get as much done, so there is nothing to try below.
  for (let replicas = Math.max(1, Math.ceil(best * (1 - LEAST_GAIN))); replicas < loads.length; replicas += 1) {
    const bins = new Array<number>(replicas).fill(0)
    for (const load of sorted) bins[bins.indexOf(Math.min(...bins))]! += load
    if (all / Math.max(...bins) >= best * (1 - LEAST_GAIN)) return replicas
  }
  return loads.length
}
