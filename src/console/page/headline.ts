/**
 * The top of the page: how the pipeline is, in a word and a sentence, what the verdict rests on, and the figures that
 * count: completion rate, end-to-end latency, age of the oldest record. Records pulled come second. A screen reader is
 * told when the verdict becomes another one, not twice a second.
 */
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { Status } from '../../model/status.ts'
import { CAUSE_LABELS, HEALTH_LABELS, healthDetail } from '../labels.ts'
import { bytes, count, duration, inUnit, percent, rate } from '../terminal/figures.ts'
import { byId, element, keep, set, write } from './dom.ts'

const UNSURE = 0.5
/** The least time between two announcements. */
const ANNOUNCE_MS = 10_000

let announced = ''
let announcedMs = Number.NEGATIVE_INFINITY

export function showHeadline(status: Status, diagnosis: Diagnosis): void {
  const { health, verdict } = diagnosis
  const [label, mood] = HEALTH_LABELS[health.kind]
  write(byId('pipeline'), status.pipeline)
  write(byId('state'), status.state)
  set(byId('state'), { 'data-state': status.state })
  write(byId('uptime'), `up ${duration(status.nowMs - status.startedAtMs)}`)
  const title = `${label} · ${status.pipeline} · Headgate`
  if (document.title !== title) document.title = title

  write(byId('health'), label)
  set(byId('health'), { 'data-mood': mood })
  write(byId('health-detail'), healthDetail(health, duration))
  write(byId('health-sentence'), status.error ? `${status.error.message} (${status.error.code})` : health.sentence)
  const isSaid = health.sentence.includes(verdict.sentence)
  write(byId('verdict-sentence'), isSaid ? '' : verdict.sentence)
  const second = verdict.kind !== 'none' && verdict.confidence < UNSURE ? verdict.second : null
  byId('second').hidden = second === null
  write(byId('second'), second === null ? '' : `Two candidates; the other one: ${second.sentence}`)
  byId('mistakes').hidden = diagnosis.mistakes.length === 0
  keep(
    byId('mistakes'),
    diagnosis.mistakes,
    ({ mistake, stage }) => `${mistake} ${stage}`,
    () => {
      const node = element('li')
      return { node, update: ({ sentence }) => write(node, sentence) }
    },
  )
  showEvidence(diagnosis)
  showFigures(diagnosis)
  announce(
    `${health.kind} ${verdict.kind} ${verdict.bottleneck}`,
    `${label}. ${health.sentence} ${isSaid ? '' : verdict.sentence}`,
  )
}

function showEvidence({ verdict, selfChecks, window: seen, atMs }: Diagnosis): void {
  const where = verdict.bottleneck === null ? '' : `${verdict.bottleneck}: `
  const cause = verdict.kind === 'none' ? CAUSE_LABELS.none : `${where}${CAUSE_LABELS[verdict.kind]}`
  const since = verdict.sinceMs > 0 ? `, for ${duration(Math.max(0, atMs - verdict.sinceMs))}` : ''
  write(byId('confidence'), `${cause}, ${percent(verdict.confidence)} sure${since}`)
  keep(
    byId('evidence'),
    verdict.evidence,
    ({ name }) => name,
    () => {
      const [name, value, meaning] = [element('dt'), element('b'), element('span')]
      return {
        node: element('div', {}, name, element('dd', {}, value, meaning)),
        update(one) {
          write(name, one.name)
          write(value, inUnit(one.value, one.unit))
          write(meaning, one.meaning)
        },
      }
    },
  )
  const checks = selfChecks.holds
    ? `The figures agree with one another: slot states add up to slot time within ${percent(selfChecks.statesError)}, Little’s law holds within ${percent(selfChecks.littleError)}.`
    : `The figures do not agree with one another: slot states are off by ${percent(selfChecks.statesError)}, Little’s law by ${percent(selfChecks.littleError)}.`
  write(byId('checks'), `Over ${duration(seen.ms)} with ${count(seen.completions)} completions. ${checks}`)
}

function showFigures({ flow }: Diagnosis): void {
  const { p50, p99, max } = flow.latencySinceStartMs
  write(byId('done'), rate(flow.completionPerSecond))
  write(byId('done-beside'), flow.capacityPerSecond === null ? '' : `of ${rate(flow.capacityPerSecond)} possible`)
  write(byId('latency'), duration(flow.latencyMs))
  write(byId('latency-beside'), max > 0 ? `p50 ${duration(p50)}, p99 ${duration(p99)} since the start` : '')
  write(byId('age'), duration(flow.queueAgeMs))
  const backlog = flow.backlogRecords === null ? 'backlog unknown' : `${count(flow.backlogRecords)} in the broker`
  write(byId('age-beside'), backlog)
  write(byId('arriving'), rate(flow.arrivalsPerSecond))
  write(byId('arriving-beside'), flow.arrivalsPerSecond === null ? 'the broker cannot tell' : '')
  write(byId('pulled'), rate(flow.pulledPerSecond))
}

function announce(verdict: string, sentence: string): void {
  const nowMs = performance.now()
  if (verdict === announced || nowMs - announcedMs < ANNOUNCE_MS) return
  announced = verdict
  announcedMs = nowMs
  write(byId('announcer'), sentence)
}

export function showProcess({ process, autoscale }: Diagnosis): void {
  const pairs: readonly (readonly [string, string])[] = [
    ['Event loop busy', percent(process.loopUtilisation)],
    ['of it in no stage', percent(process.unattributedShare)],
    ['Garbage collection', percent(process.gcShare)],
    ['Heap', `${bytes(process.heapUsedBytes)} of ${bytes(process.heapLimitBytes)}`],
    ['Memory (RSS)', bytes(process.rssBytes)],
    ['Processes', `${autoscale.action} · ${autoscale.current} now, ${autoscale.desired} wanted`],
  ]
  keep(
    byId('process'),
    pairs,
    ([name]) => name,
    ([name]) => {
      const value = element('dd')
      return { node: element('div', {}, element('dt', {}, name), value), update: ([, text]) => write(value, text) }
    },
  )
  write(byId('autoscale'), autoscale.sentence)
}
