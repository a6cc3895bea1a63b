/**
 * The rules, in their order: the first that applies names the cause. The process comes before the stages, because a
 * thread that is busy makes every downstream look slow, but for what no busy thread explains; the source comes last,
 * because it is held back by all others, unless hardly anything waits here and more does in the broker.
 * `rules-stage.ts` says why a stage holds back what waits before it.
 */
import type { Evidence } from '../model/diagnosis.ts'
import type { SourceStatus } from '../model/status.ts'
import { milliseconds, perSecond, plain, share } from './evidence.ts'
import { type Facts, LEAST_WAIT_SECONDS, type StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { outageFinding } from './outage.ts'
import { FEW_RECORDS, stageFindings } from './rules-stage.ts'
import { slowestMs, stillFinding } from './still.ts'
import { boundsPace, CLEARLY_BINDING, explainsItself, HEAP_FULL, isAtEase, LOOP_BUSY } from './thread.ts'

const LEAST_CPU_PER_BUSY = 0.75
const MUCH_GARBAGE = 0.25
/** A stage that held things back for less of the time than this is not what holds the pipeline back. */
const LEAST_BINDING = 0.3

/** What may be the cause, the likeliest first; empty when nothing holds the pipeline back. */
export function findingsOf(facts: Facts): Finding[] {
  const still = outageFinding(facts) ?? stillFinding(facts)
  if (still !== null) return [still]
  if (!facts.behind) return boundsPace(facts) ? [...processFindings(facts)] : []
  const stage = bindingStage(facts)
  const ofStage = stage === null ? [] : stageFindings(facts, stage)
  const ofProcess = [...processFindings(facts)]
  const ofSources = [...sourceFindings(facts, stage)]
  const stageFirst = stage !== null && explainsItself(facts, stage, ofStage[0], ofProcess[0])
  const held = stageFirst ? [...ofStage, ...ofProcess] : [...ofProcess, ...ofStage]
  // A full thread takes up what a pull brings as slowly as everything else.
  const sourceFirst = isHeldBySource(facts, stage) && (ofProcess.length === 0 || isAtEase(facts))
  return sourceFirst ? [...ofSources, ...held] : [...held, ...ofSources]
}

/** With more from the source the stage would get hardly more done: its slots are never without work. */
const NEVER_IDLE = 0.05

/** More waits in the broker, hardly anything here, and the source is not pushed back. */
function isHeldBySource({ sources, waitingHere, perSecond: pace }: Facts, stage: StageFacts | null): boolean {
  if (waitingHere > pace * LEAST_WAIT_SECONDS) return false
  if (stage !== null && stage.binding >= CLEARLY_BINDING && stage.window.states.IDLE < NEVER_IDLE) return false
  return sources.some(({ states, status: { backlogRecords } }) => (backlogRecords ?? 0) > 0 && states.BLOCKED < 0.1)
}

function* processFindings(facts: Facts): Generator<Finding> {
  const { window, heapShare, unattributed, engine, status } = facts
  const { loop, gc, cpuPerBusy } = window.process
  if (heapShare > HEAP_FULL || status.admission.reason === 'heap') {
    const evidence = [share('heap in use', heapShare, 'of what it may be; the gate narrows from 70 % on')]
    yield { bottleneck: null, kind: 'memory', margin: Math.min(1, heapShare), evidence }
  }
  // Pauses make calls seem to take longer long before the thread is full.
  if (loop <= LOOP_BUSY && gc > MUCH_GARBAGE) {
    const evidence = [share('garbage collection', gc, 'of the time went to collecting garbage')]
    yield { bottleneck: null, kind: 'memory', margin: gc, evidence }
  }
  if (loop <= LOOP_BUSY) return
  const busy = share('event loop', loop, 'of the time it was busy')
  if (cpuPerBusy !== null && cpuPerBusy < LEAST_CPU_PER_BUSY) {
    const evidence = [
      busy,
      share('CPU while busy', cpuPerBusy, 'of the time that the loop was busy the thread had the CPU'),
    ]
    yield { bottleneck: null, kind: 'starved-host', margin: 1 - cpuPerBusy / LEAST_CPU_PER_BUSY, evidence }
    return
  }
  const top = topOf(facts)
  const owners: { finding: Omit<Finding, 'margin'>; part: number }[] = [
    {
      part: gc,
      finding: {
        bottleneck: null,
        kind: 'memory',
        evidence: [busy, share('garbage collection', gc, 'of the time went to collecting garbage')],
      },
    },
    {
      part: unattributed,
      finding: {
        bottleneck: null,
        kind: 'foreign-code',
        evidence: [busy, share('of no stage', unattributed, 'of the time code ran that belongs to no stage')],
      },
    },
    {
      part: engine,
      finding: {
        bottleneck: null,
        kind: 'per-record-overhead',
        evidence: [busy, share('Headgate itself', engine, 'of the time went to handling the records')],
      },
    },
  ]
  if (top !== null) owners.push({ part: top.part, finding: cpuFinding(top.stage, top.part, busy) })
  owners.sort((one, other) => other.part - one.part)
  for (const { part, finding } of owners.slice(0, 2))
    if (part > 0.1) yield { ...finding, margin: Math.min(1, 0.5 + part / 2) }
}

function topOf({ stages, window }: Facts): { stage: StageFacts; part: number } | null {
  let top: { stage: StageFacts; part: number } | null = null
  for (const stage of stages) {
    const part = stage.window.cpuMs / window.ms
    if (top === null || part > top.part) top = { stage, part }
  }
  return top
}

function cpuFinding(stage: StageFacts, part: number, busy: Evidence): Omit<Finding, 'margin'> {
  const { cpuFit, meanRecords, name } = stage
  const evidence = [busy, share(`code of '${name}'`, part, 'of the time went to it')]
  const { cpuMs, count } = stage.window.durations
  // Without two sizes to compare, the CPU of a write of few records is taken to be the write's.
  const known = cpuFit ?? { fixed: count > 0 ? cpuMs / count : 0, each: 0 }
  const fixed = known.fixed / (known.fixed + known.each * meanRecords)
  const batched = stage.kind === 'sink' || meanRecords > 1
  if (batched && cpuMs > 0 && fixed > 0.7 && (cpuFit !== null || meanRecords <= FEW_RECORDS)) {
    evidence.push(
      milliseconds('fixed part', known.fixed, 'of the thread for each call or write, however many records it carries'),
      plain('records each', meanRecords, 'records', 'that share it'),
    )
    return { bottleneck: name, kind: 'per-record-overhead', evidence }
  }
  return { bottleneck: name, kind: 'own-cpu', evidence }
}

/** The last stage that holds back clearly, or the one that does so most. */
function bindingStage({ stages }: Facts): StageFacts | null {
  const clear = stages.findLast(({ binding }) => binding >= CLEARLY_BINDING)
  if (clear !== undefined) return clear
  let most: StageFacts | null = null
  for (const stage of stages) if (stage.binding >= LEAST_BINDING && stage.binding > (most?.binding ?? 0)) most = stage
  return most
}

function* sourceFindings(facts: Facts, stage: StageFacts | null): Generator<Finding> {
  const stageBinds = stage !== null && !isHeldBySource(facts, stage)
  const { sources, status, backlog, stages } = facts
  for (const { status: source, states, in: pulled } of sources) {
    const { name } = source
    const used = uncommittedShare(source)
    if (states.COMMIT > 0.25 || (!stageBinds && used > 0.5)) yield commitFinding(facts, name, states.COMMIT, used)
    const waitsThere = (source.backlogRecords ?? backlog ?? 0) > 0
    if (states.FETCH > 0.5 && waitsThere && !stageBinds) {
      yield {
        bottleneck: name,
        kind: 'slow-fetch',
        margin: states.FETCH,
        evidence: [
          share('fetching', states.FETCH, 'of the time a pull was under way'),
          perSecond('delivered', pulled, 'records, while more wait in the broker'),
        ],
      }
    }
    // Between two refusals of the gate a pull is under way.
    const isBudget = ['records', 'bytes', 'residence', 'pulling'].includes(source.reason)
    const stagesHaveRoom = stages.every(
      ({ binding, window: { reasons } }) => binding < LEAST_BINDING && (reasons.blocked ?? 0) < LEAST_BINDING,
    )
    if (states.BLOCKED > 0.5 && isBudget && !stageBinds && stagesHaveRoom) {
      yield {
        bottleneck: name,
        kind: 'admission',
        margin: states.BLOCKED / 2,
        evidence: [
          share('without credit', states.BLOCKED, 'of the time the admission budget was used up'),
          plain('admitted', status.admission.records, 'records', 'in flight while the stages wait for work'),
        ],
      }
    }
  }
}

/** How much of what may be delivered without a commit is used up, on average over the partitions that have work. */
function uncommittedShare({ byPartition, limitUncommitted }: SourceStatus): number {
  const busy = byPartition.filter(({ inFlight, uncommitted }) => inFlight + uncommitted > 0)
  if (busy.length === 0 || limitUncommitted <= 0) return 0
  const used = busy.reduce((sum, { inFlight, uncommitted }) => sum + inFlight + uncommitted, 0)
  return used / busy.length / limitUncommitted
}

/**
 * Deliveries wait for a commit, or for room below what may be without one: either commits are slow, or one record has
 * been open for long and holds the watermark.
 */
function commitFinding(
  { status, window, stages, oldestOpen }: Facts,
  source: string,
  waiting: number,
  used: number,
): Finding {
  const commits = status.sources.find(({ name }) => name === source)?.commits ?? 0
  const before = window.from?.sources.find(({ name }) => name === source)?.commits ?? 0
  const evidence = [
    share('waiting for a commit', waiting, 'of the time no more might be delivered before one'),
    share('uncommitted', used, 'of what a partition may have delivered and not committed is used up'),
    perSecond('commits', ((commits - before) * 1000) / window.ms, 'that ended'),
  ]
  const forMs = oldestOpen?.forMs ?? 0
  if (oldestOpen !== null && commits > before && forMs > Math.max(30_000, 20 * slowestMs(stages, 1000))) {
    evidence.push(
      milliseconds('oldest open record', forMs, 'its watermark has not moved'),
      plain('its offset', oldestOpen.offset, '', `in partition ${oldestOpen.partition}`),
    )
  }
  return { bottleneck: source, kind: 'slow-commit', margin: Math.min(1, Math.max(2 * waiting, used - 0.5)), evidence }
}
