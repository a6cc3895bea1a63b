/**
 * A diagnosis as a page of text: what `headgate doctor` prints of a running pipeline or of a report. Everything that
 * the diagnosis holds is on it, the verdict and its evidence first; the live view is the short form. A pure function:
 * no line is wider than `columns`, and without colour it says the same.
 */
import type { Diagnosis, StageDiagnosis } from '../../model/diagnosis.ts'
import { SLOT_STATES, type WaitStatus } from '../../model/status.ts'
import { admittedWords, PLACE_LABELS } from '../labels.ts'
import { level, stateBar, stateWords } from './bars.ts'
import { bytes, count, duration, percent, rate, UNKNOWN } from './figures.ts'
import { flowLine, flowOfDiagnosis } from './flow-line.ts'
import { cutLine, type Line, left, lineCells, paint, right, type Span, span, spread } from './spans.ts'
import { markWords } from './tables.ts'
import { evidenceLines, healthWords, knobLines, say, verdictLines } from './verdict.ts'

export interface ReportOptions {
  readonly columns: number
  readonly colour: boolean
}

const MARGIN = ' '
const MOST_ROWS = 5

export function renderDiagnosis(diagnosis: Diagnosis, { columns, colour }: ReportOptions): string {
  const width = Math.max(20, columns - 2)
  const blocks: readonly (readonly Line[])[] = [
    [header(diagnosis, width)],
    [flowLine(flowOfDiagnosis(diagnosis), width)],
    figures(diagnosis),
    verdictLines(diagnosis, width),
    diagnosis.mistakes.flatMap(({ sentence }) => say(sentence, '!', 'warn', 'plain', width)),
    evidenceLines(diagnosis, width),
    stages(diagnosis, width),
    places(diagnosis),
    knobLines(diagnosis.knobs, width, MOST_ROWS),
    autoscale(diagnosis, width),
    hotKeys(diagnosis),
    partitions(diagnosis),
    failures(diagnosis),
    profile(diagnosis),
    checks(diagnosis),
  ]
  const lines = blocks
    .filter((block) => block.length > 0)
    .flatMap((block, index) => (index > 0 ? [[], ...block] : block))
  return lines
    .map((line: Line) => paint(line.length > 0 ? [span(MARGIN), ...cutLine(line, width)] : line, colour))
    .join('\n')
}

function header({ pipeline, health, window }: Diagnosis, width: number): Line {
  const over = window.ms > 0 ? `   over ${duration(window.ms)}` : ''
  return spread([span(pipeline, 'strong')], [...healthWords(health), span(over, 'dim')], width)
}

/** Completion, latency and queue age first; what was pulled and what arrives beside them. */
function figures({ flow }: Diagnosis): readonly Line[] {
  const { p50, p99, max } = flow.latencySinceStartMs
  const slope = flow.backlogSlope
  const growing = slope === null || Math.abs(slope) < 0.5 ? '' : slope > 0 ? ` ▲ ${rate(slope)}` : ` ▼ ${rate(-slope)}`
  const backlog = flow.backlogRecords === null ? 'unknown' : `${count(flow.backlogRecords)}${growing}`
  const capacity = flow.capacityPerSecond === null ? '' : ` of ${rate(flow.capacityPerSecond)} possible`
  const since = max > 0 ? `p50 ${duration(p50)}, p99 ${duration(p99)} since the start` : ''
  return [
    row('completed', rate(flow.completionPerSecond), capacity),
    row('latency', duration(flow.latencyMs), since),
    row('oldest', duration(flow.queueAgeMs), `backlog ${backlog}`),
    row('arriving', rate(flow.arrivalsPerSecond), `pulled ${rate(flow.pulledPerSecond)}`, 'plain'),
  ]
}

function row(name: string, value: string, beside: string, tone: Span['tone'] = 'strong'): Line {
  return [span(left(name, 11), 'dim'), span(right(value, 9), tone), span(`   ${beside.trim()}`, 'dim')]
}

function stages({ stages: all }: Diagnosis, width: number): readonly Line[] {
  if (all.length === 0) return []
  const name = column(
    all.map((stage) => stage.name),
    width < 100 ? 16 : 26,
  )
  const bar = Math.max(6, Math.min(28, width - name - 59))
  const heading: Line = [
    span(left('working', name), 'strong'),
    span(left('slot time', bar + 17), 'dim'),
    span(right('slots', 6) + right('out', RATE_CELLS) + right('one try', 8), 'dim'),
  ]
  return [heading, ...all.map((stage) => stageRow(stage, name, bar))]
}

/** Enough for `▓ backoff 100%`. */
const WORD_CELLS = 14
/** Enough for `1,234,567/s`, and a space before it. */
const RATE_CELLS = 12

function stageRow(stage: StageDiagnosis, name: number, bar: number): Line {
  const states = SLOT_STATES.some((state) => stage.states[state] > 0) ? stage.states : null
  const [words = [span('')]] = stateWords(states, 1)
  return [
    span(left(stage.name, name)),
    ...stateBar(states, bar),
    span('  '),
    ...words,
    span(' '.repeat(Math.max(0, WORD_CELLS + 1 - lineCells(words)))),
    span(right(stage.slots === null ? UNKNOWN : count(Math.round(stage.slots)), 6)),
    span(right(rate(stage.outPerSecond), RATE_CELLS)),
    span(right(duration(stage.latencyMs), 8)),
    ...markWords(stage.mark),
  ]
}

function places({ places: all, placesCheck }: Diagnosis): readonly Line[] {
  const used = all.filter(({ records }) => records !== 0)
  if (used.length === 0) return []
  const name = column(used.map((place) => place.name))
  const heading: Line = [
    span(left('waiting', name), 'strong'),
    span(right('records', 12) + right('bytes', 11) + right('empties in', 12), 'dim'),
  ]
  const sum: Line = [
    span(left('in all', name), 'dim'),
    span(right(count(placesCheck.records), 12)),
    span(`   of ${admittedWords(placesCheck)}`, 'dim'),
    ...(placesCheck.holds ? [] : [span('   they do not add up: a defect of the meter', 'warn')]),
  ]
  return [heading, ...used.map((place) => placeRow(place, name)), sum]
}

function placeRow({ name, kind, records, bytes: held, seconds, limitRecords }: WaitStatus, column: number): Line {
  const share = records !== null && limitRecords ? records / limitRecords : null
  return [
    span(left(name, column)),
    span(right(count(records), 12)),
    span(right(held === null || held === 0 ? UNKNOWN : bytes(held), 11)),
    span(right(seconds === null ? 'unknown' : duration(seconds * 1000), 12)),
    span('   '),
    ...(share === null
      ? [span(PLACE_LABELS[kind], 'dim')]
      : [...level(share, 10, share >= 0.9 ? 'warn' : 'accent'), span(` ${percent(share)}`, 'dim')]),
  ]
}

function autoscale({ autoscale: signal }: Diagnosis, width: number): readonly Line[] {
  return say(`autoscale: ${signal.sentence}`, '·', 'dim', 'dim', width)
}

function hotKeys({ hotKeys: keys }: Diagnosis): readonly Line[] {
  const shown = keys.slice(0, MOST_ROWS)
  const name = column(shown.map(({ key }) => key))
  return titled('hot keys', shown, ({ source, key, share }) => [
    span(`  ${left(key, name)}`),
    span(right(percent(share), 6)),
    span(`  of '${source}'`, 'dim'),
  ])
}

function partitions({ partitions: all }: Diagnosis): readonly Line[] {
  const worst = all
    .toSorted((one, other) => (other.oldestMs ?? 0) - (one.oldestMs ?? 0) || other.share - one.share)
    .slice(0, MOST_ROWS)
  const ofOne = new Set(all.map(({ source }) => source)).size === 1
  const nameOf = ofOne ? ({ partition }: (typeof all)[number]): string => partition : partitionName
  const name = column(worst.map(nameOf))
  return titled(`partitions, the oldest of ${count(all.length)}`, worst, (one) => [
    span(`  ${left(nameOf(one), name)}`),
    span(right(percent(one.share), 5)),
    span(
      `  lag ${count(one.lagRecords)} · queued ${count(one.queuedRecords)} · to commit ${count(one.uncommittedRecords)}`,
      'dim',
    ),
    span(one.oldestMs === null ? '' : ` · @${one.watermark} ${duration(one.oldestMs)} old`, 'dim'),
  ])
}

function failures({ lastFailures, atMs }: Diagnosis): readonly Line[] {
  return titled('last failures', lastFailures.slice(0, MOST_ROWS), (one) => [
    span(`  ${partitionName(one)} @ ${one.offset}`),
    span(` ${one.stage} ${one.code}`, 'warn'),
    span(` ${duration(Math.max(0, atMs - one.atMs))} ago: ${one.message}`, 'dim'),
  ])
}

function profile({ profile: taken }: Diagnosis): readonly Line[] {
  if (taken === null) return []
  const title = `CPU profile of ${duration(taken.durationMs)}, ${percent(taken.foreignShare)} in code of no stage`
  return titled(title, taken.frames.slice(0, 2 * MOST_ROWS), (frame) => [
    span(right(percent(frame.share), 6)),
    span(`  ${frame.function} `),
    span(`${frame.where}${frame.stage === null ? '' : `  '${frame.stage}'`}`, 'dim'),
  ])
}

function checks({ selfChecks }: Diagnosis): readonly Line[] {
  if (selfChecks.holds) return []
  const errors = `slot states off by ${percent(selfChecks.statesError)}, Little's law by ${percent(selfChecks.littleError)}`
  return [[span(`the figures do not agree with one another: ${errors}`, 'warn')]]
}

/** The source's name goes before it, unless the partition carries it already. */
function partitionName({ source, partition }: { readonly source: string; readonly partition: string }): string {
  return partition.startsWith(source) ? partition : `${source} ${partition}`
}

function titled<One>(title: string, rows: readonly One[], line: (one: One) => Line): readonly Line[] {
  return rows.length === 0 ? [] : [[span(title, 'strong')], ...rows.map(line)]
}

/** Wide enough for the names, `most` at most. */
function column(names: readonly string[], most = 26): number {
  return Math.min(most, Math.max(10, ...names.map((name) => name.length))) + 2
}
