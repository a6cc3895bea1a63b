/** The doctor's sentences: plain words for causes, figures as people read them. Nothing is decided here. */
import type { CauseKind } from '../model/diagnosis.ts'
import { formatBytes, formatCount, formatDuration, formatNumber } from '../model/units.ts'
import type { Facts, StageFacts } from './facts.ts'
import type { Finding } from './finding.ts'
import { largestPartition } from './rules-stage.ts'

/** What a kind is called where there is no room for a sentence. */
export const CAUSE_NAMES: Readonly<Record<CauseKind, string>> = {
  none: 'nothing',
  'own-cpu': 'own CPU',
  'foreign-code': 'code of no stage',
  'per-record-overhead': 'overhead a record',
  memory: 'memory',
  'starved-host': 'starved host',
  'downstream-latency': 'slow downstream',
  'downstream-saturated': 'saturated downstream',
  'remote-limit': "the downstream's limit",
  'local-limit': 'its own rate limit',
  'pool-wait': 'waiting for the pool',
  'key-skew': 'one hot key',
  'partition-skew': 'one hot partition',
  'small-batches': 'batches too small',
  'slow-sink': 'slow sink',
  'slow-fetch': 'slow source',
  'slow-commit': 'slow commits',
  'retry-storm': 'retries',
  'downstream-down': 'downstream down',
  'dead-letter-full': 'dead-letter sink full',
  stalled: 'stalled',
  admission: 'admission budget',
}

export function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return '∞/s'
  return `${perSecond >= 100 ? formatNumber(Math.round(perSecond)) : Number(perSecond.toPrecision(2))}/s`
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

export function ms(value: number): string {
  return formatDuration(value)
}

/** One sentence on what holds the pipeline back, and the figure that it rests on. */
export function sentenceOf(facts: Facts, finding: Finding): string {
  const stage = facts.stages.find(({ name }) => name === finding.bottleneck)
  if (stage !== undefined) return stageSentence(facts, stage, finding)
  const { gc, cpuPerBusy } = facts.window.process
  const of = finding.bottleneck
  switch (finding.kind) {
    case 'memory':
      return gc > 0.1
        ? `The process spends ${percent(gc)} of its time collecting garbage: it makes more of it than its heap has room for.`
        : `The heap is ${percent(facts.heapShare)} full, so the gate lets in less.`
    case 'starved-host':
      return `The machine gives this process the CPU for only ${percent(cpuPerBusy ?? 0)} of the time it wants it.`
    case 'foreign-code':
      return (
        `Code that belongs to no stage takes ${percent(facts.unattributed)} of the thread, so every downstream looks slow; ` +
        'a CPU profile names it (headgate doctor --profile).'
      )
    case 'per-record-overhead':
      return `Handling the records takes ${percent(facts.engine)} of the thread: this process does not get more through.`
    case 'slow-fetch':
      return `'${of}' delivers ${rate(facts.window.pulledPerSecond)} and no faster, while more waits in the broker and the stages wait for work.`
    case 'slow-commit':
      return commitSentence(facts, finding)
    case 'admission':
      return admissionSentence(facts)
    case 'none':
      return quietSentence(facts)
    default:
      return `${of ?? 'The process'}: ${CAUSE_NAMES[finding.kind]}.`
  }
}

const UNANSWERED: Readonly<Record<string, string>> = {
  HG_CONNECTION_LOST: 'cannot be reached',
  HG_TIMEOUT: 'does not answer in time',
}

function downSentence({ outages, status }: Facts, { name: stage, window }: StageFacts): string {
  const last = status.lastFailures.find((failure) => failure.stage === stage)
  const outage = outages.find((each) => each.stage === stage)
  const { limiters } = window.status
  // A verdict outlasts its cause a little; a breaker closes only once calls have succeeded.
  if (outage === undefined && limiters.length > 0 && limiters.every(({ breaker }) => breaker === 'closed'))
    return `The downstream of '${stage}' was down and answers again: what had to wait for it is being worked off.`
  const refuses = outage !== undefined && outage.refused > outage.failures / 2
  const how = refuses ? 'refuses every call' : (UNANSWERED[last?.code ?? ''] ?? 'fails')
  const since = outage === undefined ? '' : `, no call has succeeded for ${ms(outage.forMs)}`
  return `The downstream of '${stage}' ${how}${since}: one call at a time tests whether it is back, and the rest waits.`
}

function admissionSentence({ status: { admission } }: Facts): string {
  const { records, limitRecords, bytes, limitBytes } = admission
  const isOfBytes = bytes * limitRecords > records * limitBytes
  const budget = isOfBytes ? formatBytes(limitBytes) : formatCount(limitRecords, 'record')
  return `The admission budget lets in ${budget}, too little to keep the stages busy.`
}

function commitSentence(facts: Facts, { bottleneck, evidence }: Finding): string {
  const stuck = evidence.some(({ name }) => name === 'oldest open record') ? facts.oldestOpen : null
  if (stuck !== null)
    return (
      `The record at ${stuck.partition}@${stuck.offset} has been open for ${ms(stuck.forMs)}: ` +
      `nothing behind it can be committed, and '${bottleneck}' may deliver no more before that.`
    )
  const figureOf = (named: string): number => evidence.find(({ name }) => name === named)?.value ?? 0
  // Then it is not the commits that take long: what may be open at once is too little.
  if (figureOf('waiting for a commit') < 0.1)
    return `'${bottleneck}' may have no more delivered and not committed than it has: the stages wait for work.`
  return `Commits to '${bottleneck}' are slow: deliveries wait for them, the stages wait for work.`
}

function quietSentence({ backlog, behind, status, window, waiting }: Facts): string {
  if (window.completions === 0 && status.records.inFlight === 0 && (backlog ?? 0) === 0)
    return backlog === null
      ? 'Nothing arrives here; how much waits in the source is unknown.'
      : 'Idle: nothing arrives and nothing waits.'
  if (behind)
    return `${formatCount(waiting, 'record')} ${waiting === 1 ? 'waits' : 'wait'}, and nothing that is seen here holds ${waiting === 1 ? 'it' : 'them'} back.`
  if (backlog === null) return 'Keeping up: nothing waits here; how much waits in the source is unknown.'
  if (waiting === 0) return 'Keeping up: nothing waits.'
  return `Keeping up: ${formatCount(waiting, 'record')} ${waiting === 1 ? 'waits' : 'wait'}, less than half a second of work.`
}

function stageSentence(facts: Facts, stage: StageFacts, { kind, evidence }: Finding): string {
  const { name, quietMs, window, meanRecords, durationFit, cpuFit } = stage
  const { latencyMs, slots, states, counts } = window
  const took = latencyMs === null ? 'an unknown time' : ms(latencyMs)
  const slotsText = formatCount(Math.round(slots), 'slot')
  switch (kind) {
    case 'own-cpu':
      return `'${name}' uses ${percent(window.cpuMs / facts.window.ms)} of the thread with its own code.`
    case 'per-record-overhead':
      return (
        `Each call or write of '${name}' costs the thread ${ms(cpuFit?.fixed ?? 0)} however few records it carries, ` +
        `and they carry ${formatCount(Number(meanRecords.toPrecision(2)), 'record')}: larger batches would share it.`
      )
    case 'downstream-latency':
      return `'${name}' has ${Math.round(slots) === 1 ? 'its only slot' : `all ${slotsText}`} busy and a call takes ${took}: more at once would get more done.`
    case 'downstream-saturated': {
      const beside = quietMs === null ? '' : ` A call takes ${took}, and ${ms(quietMs)} when few are in flight.`
      return `The downstream of '${name}' gives no more than ${rate(window.out)}: more calls only wait longer.${beside}`
    }
    case 'remote-limit':
      if ((window.reasons.quota ?? 0) > 0.2)
        return `'${name}' is held at the quota that its downstream grants, ${rate(window.out)}.`
      return `The downstream of '${name}' limits it to ${rate((counts.ok * 1000) / facts.window.ms)}: it refused ${percent(counts.attempts > 0 ? counts.rejected / counts.attempts : 0)} of the calls.`
    case 'local-limit':
      return `'${name}' runs at its own rate limit, ${rate(window.status.settings.perSecond ?? window.attempts)}.`
    case 'pool-wait': {
      const busy = states.AWAIT + states.POOL + states.CPU
      return `Calls of '${name}' wait for a connection or worker for ${percent(busy > 0 ? states.POOL / busy : 0)} of their time: the pool is too small.`
    }
    case 'key-skew': {
      const [hot] = facts.status.hotKeys
      const which =
        hot === undefined ? 'Records of one key' : `Records with the key '${hot.key}' (${percent(hot.share)} of all)`
      return `${which} wait for one another in '${name}', ${took} each, while slots are free.`
    }
    case 'partition-skew': {
      const most = largestPartition(facts)
      const which =
        most === null ? 'Records of one partition' : `Records of partition ${most.name} (${percent(most.share)} of all)`
      return `${which} wait for one another in '${name}', ${took} each, while slots are free.`
    }
    case 'small-batches': {
      const fixed = durationFit === null ? took : ms(durationFit.fixed)
      return `'${name}' carries ${formatCount(Number(meanRecords.toPrecision(2)), 'record')} at a time, and each time takes ${fixed} however few they are.`
    }
    case 'slow-sink':
      return `'${name}' is written to as fast as it takes it: ${formatCount(Math.round(slots), 'write')} at once, ${took} each.`
    case 'retry-storm':
      return (
        `${percent(counts.attempts > 0 ? counts.failed / counts.attempts : 0)} of the attempts of '${name}' fail and are repeated: ` +
        `${(counts.first > 0 ? counts.attempts / counts.first : 1).toFixed(1)} attempts for each record.`
      )
    case 'downstream-down':
      return downSentence(facts, stage)
    case 'dead-letter-full':
      if (window.status.kind === 'dead-letter')
        return `'${name}' takes ${rate(window.out)} and no more: what fails waits to be put away, and holds back the rest.`
      return `'${name}' waits for its dead-letter sink, which takes no more.`
    case 'stalled': {
      const { oldestOpen } = facts
      const where = oldestOpen === null ? '' : ` The oldest record is ${oldestOpen.partition}@${oldestOpen.offset}.`
      const { inFlight, kind: of } = window.status
      const busy = formatCount(inFlight, of === 'sink' ? 'write' : 'call')
      const not = inFlight === 1 ? 'does not end' : 'do not end'
      if (evidence.some((each) => each.name === 'no answer for'))
        return `'${name}' has got nothing done for ${ms(facts.stillMs.get(name) ?? 0)}: ${busy} ${not}, and only what comes after completes.${where}`
      return `Nothing has completed for ${ms(facts.sinceCompletionMs)}: ${busy} of '${name}' ${not}.${where}`
    }
    default:
      return `'${name}': ${CAUSE_NAMES[kind]}.`
  }
}
