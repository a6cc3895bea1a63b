/**
 * The knobs that matter for a cause: those that help, those that relieve something at no cost, and those that would
 * make it worse. Each is turned in the capacity model, so what it says is what the smallest bound says then.
 */
import type { Advice, CauseKind, Knob, Setting } from '../model/diagnosis.ts'
import { formatNumber } from '../model/units.ts'
import { heldByRepeats, isShared, predict, type Turn } from './capacity.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { QUEUEING } from './rules-stage.ts'
import { CAUSE_NAMES, rate } from './words.ts'

/** Settings that `running.setLimits` takes. */
const LIVE: ReadonlySet<Setting> = new Set(['concurrency', 'rate', 'admission'])

interface Proposal {
  readonly setting: Setting
  readonly factor: number
  readonly advice: Advice
  readonly what: string
  readonly from?: number | null
  readonly to?: number | null
  /** Of one attempt, after the turn. */
  readonly latencyMs?: number | null
  /** Why, where the figures do not say it. */
  readonly because?: string
  /** Of the process or of another stage. */
  readonly stage?: string | null
}

/** Less than this is no gain. */
const LEAST_GAIN = 1.02
/** Knobs that rank first. */
const RANK: Readonly<Record<Advice, number>> = { turn: 0, safe: 1, hurts: 2 }

export function knobsOf(facts: Facts, finding: Finding): Knob[] {
  if (finding.kind === 'none' || facts.perSecond <= 0) return []
  const stage = facts.stages.find(({ name }) => name === finding.bottleneck)
  const proposals = [
    ...(stage === undefined ? processProposals(facts, finding) : stageProposals(facts, stage, finding)),
  ]
  return proposals
    .map((proposal) => knobOf(facts, finding, proposal))
    .filter(({ advice, gainRatio }) => advice !== 'turn' || gainRatio >= LEAST_GAIN)
    .filter(({ from, to }) => from === null || from !== to)
    .sort((one, other) => RANK[one.advice] - RANK[other.advice] || other.gainRatio - one.gainRatio)
}

function knobOf(facts: Facts, finding: Finding, proposal: Proposal): Knob {
  const { setting, factor, advice, what, from = null, to = null, latencyMs = null, because } = proposal
  const stage = proposal.stage === undefined ? finding.bottleneck : proposal.stage
  const turn: Turn = { setting, stage, factor }
  const after = predict(facts, finding, turn)
  // What costs nothing changes nothing; what hurts gains nothing, and loses what the model says it does now.
  const kept = (): number => Math.min(1, after.perSecond / predict(facts, finding, { ...turn, factor: 1 }).perSecond)
  const perSecond = advice === 'turn' ? after.perSecond : facts.perSecond * kept()
  const gainRatio = perSecond / facts.perSecond
  const nextBottleneck = after.kind === 'none' ? null : { stage: after.stage, kind: after.kind }
  return {
    knob: what,
    setting,
    stage,
    from,
    to,
    predicted: { completionPerSecond: perSecond, latencyMs },
    gainRatio,
    nextBottleneck,
    advice,
    live:
      LIVE.has(setting) && stage !== null && facts.stages.some(({ name, kind }) => name === stage && kind === 'call'),
    sentence: sentence(what, from, to, advice, gainRatio, perSecond, nextBottleneck, because),
  }
}

function sentence(
  what: string,
  from: number | null,
  to: number | null,
  advice: Advice,
  gainRatio: number,
  perSecond: number,
  next: Knob['nextBottleneck'],
  because: string | undefined,
): string {
  const turned = from === null || to === null ? what : `${what} ${figure(from)} → ${figure(to)}`
  const gain = advice === 'turn' ? `+${Math.round((gainRatio - 1) * 100)} % (${rate(perSecond)})` : '0 %'
  const why = because === undefined ? '' : `: ${because}`
  const then =
    advice === 'turn' && next !== null
      ? `; then ${next.stage === null ? '' : `'${next.stage}', `}${CAUSE_NAMES[next.kind]}`
      : ''
  return `${turned}, ${gain}${then}${why}.`
}

function figure(value: number): string {
  return formatNumber(Number(value.toPrecision(3)))
}

function* stageProposals(facts: Facts, stage: StageFacts, finding: Finding): Generator<Proposal> {
  const { name, window, quietMs, meanRecords, batchRecords: batch } = stage
  const { latencyMs, slots, states, status } = window
  const limit = Math.max(1, Math.round(slots))
  const took = latencyMs ?? 0
  const slotsOf = `slots of '${name}'`
  const moreSlots = (advice: Advice, factor: number, more: Partial<Proposal> = {}): Proposal => ({
    setting: 'concurrency', factor, advice, what: slotsOf, from: limit, to: Math.max(1, Math.round(limit * factor)), ...more,
  }) // biome-ignore format: as one line of facts
  const replicas = (advice: Advice, because: string): Proposal => ({
    setting: 'replicas', factor: 2, advice, what: 'processes', from: 1, to: 2, stage: null, because,
  }) // biome-ignore format: as one line of facts
  const downstream = (what: 'speed' | 'capacity'): Proposal => ({
    setting: 'downstream', factor: 1.5, advice: 'turn', what: `${what} of the downstream of '${name}'`, latencyMs: took / 1.5,
  }) // biome-ignore format: as one line of facts

  switch (finding.kind) {
    case 'own-cpu':
      yield { setting: 'own-code', factor: 0.5, advice: 'turn', what: `half the CPU a record in '${name}'` }
      yield replicas('turn', 'each has a thread of its own')
      yield* moreCalls(facts)
      break
    case 'per-record-overhead':
    case 'small-batches':
      yield {
        setting: 'batch-records', factor: 4, advice: 'turn', what: `records in a batch for '${name}'`,
        from: batch ?? Math.round(meanRecords), to: Math.round((batch ?? meanRecords) * 4),
      } // biome-ignore format: as one line of facts
      if (stage.kind === 'call') yield moreSlots('turn', 1.5)
      break
    case 'downstream-latency':
      yield moreSlots('turn', 1.5, { latencyMs })
      yield moreSlots('turn', 2, { latencyMs })
      yield downstream('speed')
      break
    case 'downstream-saturated': {
      const enough = quietMs === null || took <= 0 ? 0.5 : Math.max(1 / limit, Math.min(0.9, (1.15 * quietMs) / took))
      yield downstream('capacity')
      yield moreSlots('safe', enough, {
        latencyMs: took * enough,
        because: `a call takes ${Math.round((1 - enough) * 100)} % less time`,
      })
      yield moreSlots('hurts', 2, { latencyMs: took * 2, because: 'calls only wait twice as long' })
      yield replicas('hurts', 'they share the downstream')
      break
    }
    case 'remote-limit':
      yield { setting: 'downstream', factor: 1.5, advice: 'turn', what: `quota of the downstream of '${name}'` }
      if (status.settings.perSecond === null)
        yield {
          setting: 'rate',
          factor: 1,
          advice: 'safe',
          what: `rate of '${name}'`,
          from: null,
          to: Math.floor(window.out),
          because: `${rate(window.out)}, then nothing is refused`,
        }
      if (heldByRepeats(stage))
        yield moreSlots('turn', 2, {
          because: 'only repeats are left, and they may hold no more than a share of the slots',
        })
      else yield moreSlots('hurts', 2, { because: 'more calls would only be refused' })
      yield replicas('hurts', 'they share the quota')
      break
    case 'local-limit': {
      const { perSecond } = status.settings
      yield {
        setting: 'rate', factor: 1.5, advice: 'turn', what: `rate of '${name}'`,
        from: perSecond, to: perSecond === null ? null : perSecond * 1.5,
      } // biome-ignore format: as one line of facts
      yield replicas('hurts', 'each keeps to the rate for itself, so together they exceed it')
      break
    }
    case 'pool-wait': {
      const busy = states.AWAIT + states.POOL + states.CPU
      // A slot whose answer waits for the thread has given its connection back.
      const late = (window.attempts * facts.window.process.lateMs) / 1000
      const pool = Math.max(1, Math.round((busy - states.POOL) * slots - late))
      const larger = Math.max(pool + 1, Math.round(pool * 1.5))
      yield {
        setting: 'pool', factor: larger / pool, advice: 'turn', what: `pool of '${name}'`, from: pool, to: larger,
      } // biome-ignore format: as one line of facts
      yield moreSlots('safe', pool / limit, {
        latencyMs: busy > 0 ? took * (1 - states.POOL / busy) : took,
        because: 'as many as the pool has',
      })
      yield moreSlots('hurts', 2, { because: 'more calls wait for the same pool' })
      break
    }
    case 'key-skew':
      yield { setting: 'keys', factor: 0.5, advice: 'turn', what: 'the hottest key split in two' }
      yield downstream('speed')
      yield moreSlots('safe', Math.min(1, Math.max(1 / limit, (1.25 * stage.busySlots) / limit)), {
        because: 'the others stand idle',
      })
      break
    case 'partition-skew':
      yield {
        setting: 'keys',
        factor: 0.5,
        advice: 'turn',
        what: `order by key in '${name}', or records spread over more partitions`,
      }
      break
    case 'slow-sink':
      yield moreSlots('turn', 2, { what: `writes at once of '${name}'` })
      // Whether larger ones pay can be told only where writes of two sizes were seen.
      if (stage.durationFit !== null)
        yield {
          setting: 'batch-records',
          factor: 2,
          advice: 'turn',
          what: `records in a batch for '${name}'`,
          from: batch ?? Math.round(meanRecords),
          to: Math.round((batch ?? meanRecords) * 2),
        }
      yield { setting: 'downstream', factor: 1.5, advice: 'turn', what: `speed of '${name}'` }
      break
    case 'retry-storm':
    case 'downstream-down': {
      // Failures that have nothing to do with the load are no reason against slots.
      const byLoad = status.timeouts > 0 || (quietMs !== null && took > QUEUEING * quietMs)
      yield {
        setting: 'retry-budget', factor: window.counts.attempts > 0 ? Math.max(0.05, window.counts.ok / window.counts.attempts) : 1,
        advice: 'turn', what: `attempts of '${name}' that succeed the first time`,
      } // biome-ignore format: as one line of facts
      if (byLoad || finding.kind === 'downstream-down')
        yield moreSlots('safe', 0.5, { because: 'fewer at once, and a retry budget, let the downstream recover' })
      if (byLoad) yield moreSlots('hurts', 2, { because: 'more attempts would fail' })
      break
    }
    default:
      break
  }
}

const OTHER_CPUS: Proposal = {
  setting: 'replicas', factor: 2, advice: 'turn', what: 'processes, on other CPUs', from: 1, to: 2,
} // biome-ignore format: as one line of facts

function* processProposals(facts: Facts, { kind, bottleneck }: Finding): Generator<Proposal> {
  const source = bottleneck ?? ''
  switch (kind) {
    case 'foreign-code':
      yield { setting: 'own-code', factor: 0, advice: 'turn', what: 'without the code of no stage' }
      break
    case 'memory':
      yield { setting: 'heap', factor: 0.25, advice: 'turn', what: 'a quarter of the garbage, or a larger heap' }
      break
    case 'starved-host':
      yield OTHER_CPUS
      yield* moreCalls(facts)
      break
    case 'per-record-overhead':
      yield OTHER_CPUS
      break
    case 'slow-fetch':
      yield { setting: 'fetch', factor: 2, advice: 'turn', what: `what '${source}' delivers at once, or how fast` }
      break
    case 'slow-commit':
      yield {
        setting: 'commit',
        factor: 2,
        advice: 'turn',
        what: `uncommittedRecords, or the speed of commits of '${source}'`,
      }
      break
    case 'admission':
      yield { setting: 'admission', factor: 2, advice: 'turn', what: 'the admission budget' }
      break
    default:
      break
  }
}

/** What people turn first, and what does not help here: slots of the first call stage. */
function* moreCalls({ stages }: Facts): Generator<Proposal> {
  const call = stages.find(({ kind }) => kind === 'call')
  if (call === undefined) return
  const from = Math.round(call.window.slots)
  const what = `slots of '${call.name}'`
  const because = 'the thread is busy: calls would only seem to take longer'
  yield { setting: 'concurrency', factor: 2, advice: 'hurts', what, stage: call.name, from, to: from * 2, because }
}

/** What more processes would make worse, or exceed: a rate that was set is one that the downstream was promised. */
const STAY: ReadonlySet<CauseKind> = new Set([
  'local-limit', 'retry-storm', 'downstream-down', 'stalled', 'dead-letter-full',
]) // biome-ignore format: a list reads better in rows

/** Whether more processes would get more done. */
export function scales(finding: Finding): boolean {
  const { kind } = finding
  return !isShared(kind) && !STAY.has(kind)
}
