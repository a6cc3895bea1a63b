/**
 * The two tables of the terminal view: the places where records wait, and the stages that work on them. Columns are
 * dropped from the right as the terminal narrows, never squeezed; rows keep the order of the flow so that they do not
 * jump between redraws. Both return a heading and rows within `width` cells.
 */
import type { StageDiagnosis } from '../../model/diagnosis.ts'
import type { StageStatus, Status, WaitStatus } from '../../model/status.ts'
import { MARK_LABELS } from '../labels.ts'
import { level, stateBar, stateWords } from './bars.ts'
import { bytes, count, duration, percent, ratio, UNKNOWN } from './figures.ts'
import type { History, StageWindow } from './history.ts'
import { cutLine, type Line, left, lineCells, right, span, type Tone } from './spans.ts'

const WIDE = 110

export interface Table {
  readonly heading: Line
  readonly rows: readonly Line[]
}

/** Places that hold, have held or may hold records; those that never did share one line at the end. */
export function placesTable(status: Status, history: History, width: number, rows: number): Table {
  const wide = width >= WIDE
  const used = status.places.filter(({ name, records }) => records !== 0 || history.hasHeld(name))
  const unused = status.places.filter((place) => !used.includes(place))
  const name = nameWidth(status.places, wide ? 30 : 22)
  const heading = [
    span(left('waiting', name), 'strong'),
    span(right('records', 13) + right('bytes', 12) + right('empties in', 13), 'dim'),
    span(left('    of its limit', 16), 'dim'),
  ]
  const shown = fullest(used, unused.length > 0 ? rows - 1 : rows).map((place) => placeRow(place, name, wide))
  if (unused.length > 0) shown.push([span(`empty: ${unused.map((place) => place.name).join(', ')}`, 'dim')])
  return { heading: cutLine(heading, width), rows: shown.map((row) => cutLine(row, width)) }
}

function placeRow(place: WaitStatus, name: number, wide: boolean): Line {
  const { records, limitRecords, seconds } = place
  const quiet = !records && !place.bytes
  const tone: Tone = quiet ? 'dim' : 'plain'
  const empties = quiet ? UNKNOWN : seconds === null ? 'never' : duration(seconds * 1000)
  const figures = [
    span(left(place.name, name), tone),
    span(right(count(records), 13), tone),
    span(right(place.bytes ? bytes(place.bytes) : UNKNOWN, 12), tone),
    span(right(empties, 13), quiet ? 'dim' : seconds === null ? 'warn' : 'plain'),
  ]
  if (!records || limitRecords === null || limitRecords <= 0) return figures
  const share = records / limitRecords
  const bar = level(share, wide ? 20 : 10, share >= 0.9 ? 'warn' : 'accent')
  return [...figures, span('    '), ...bar, span(` ${percent(share)}`, 'dim')]
}

/** All places when there is room, else the fullest ones, still in the order of the flow. */
function fullest(places: readonly WaitStatus[], rows: number): readonly WaitStatus[] {
  if (places.length <= rows) return places
  const kept = new Set(places.toSorted((one, other) => (other.records ?? 0) - (one.records ?? 0)).slice(0, rows))
  return places.filter((place) => kept.has(place))
}

/** What holds back, is held back or has too little to do, by the name of the stage; undefined without a diagnosis. */
export type Marks = ReadonlyMap<string, StageDiagnosis['mark']> | undefined

/** With `marks` a column says so; a narrow terminal then has no room for the time-outs. */
export function stagesTable(status: Status, history: History, width: number, rows: number, marks?: Marks): Table {
  const stages = busiest(status.stages, rows)
  const wide = width >= WIDE
  const columns = columnsOf(nameWidth(stages, wide ? 24 : 16), width, wide, marks)
  const words = columns.words * WORD_CELLS
  const heading = [
    span(left('working', columns.name + 2), 'strong'),
    span(left('slot time, last 5 s', columns.bar + 2 + words), 'dim'),
    span(right('in flight', 11) + right('tries', 6) + right('429', 5), 'dim'),
    ...(wide || !marks ? [span(right('timeouts', 9), 'dim')] : []),
    ...(wide ? [span(right('failed', 8) + right('p99', 9), 'dim')] : []),
  ]
  return {
    heading: cutLine(heading, width),
    rows: stages.map((stage) => cutLine(stageRow(stage, status, history, columns, wide, marks), width)),
  }
}

/** All stages when there is room, else those with slots first, still in the order of the flow. */
function busiest(stages: readonly StageStatus[], rows: number): readonly StageStatus[] {
  if (stages.length <= rows) return stages
  const kept = new Set(stages.toSorted((one, other) => (other.limit ?? -1) - (one.limit ?? -1)).slice(0, rows))
  return stages.filter((stage) => kept.has(stage))
}

/** Enough for `▓ backoff 100%` and a blank. */
const WORD_CELLS = 15

const MARK_CELLS = 13
const LEAST_BAR = 6

/** The bar gets what the other columns leave; too little of that and the second word gives way. */
function columnsOf(
  name: number,
  width: number,
  wide: boolean,
  marks: Marks,
): { name: number; bar: number; words: number } {
  const figures = wide ? 48 : marks ? 22 : 31
  const free = width - (name + 2) - 2 - figures - (marks ? MARK_CELLS : 0)
  const words = wide && free - 2 * WORD_CELLS >= LEAST_BAR ? 2 : 1
  return { name, words, bar: Math.max(LEAST_BAR, Math.min(wide ? 36 : 18, free - words * WORD_CELLS)) }
}

function stageRow(
  stage: StageStatus,
  status: Status,
  history: History,
  columns: { name: number; bar: number; words: number },
  wide: boolean,
  marks: Marks,
): Line {
  const window = history.stage(status, stage)
  const words = stateWords(window.shares, columns.words).flatMap((word) => [
    ...word,
    span(' '.repeat(Math.max(0, WORD_CELLS - lineCells(word)))),
  ])
  const missing = columns.words * WORD_CELLS - lineCells(words)
  const shown = stage.limit === null ? '' : `${count(stage.inFlight)}/${count(stage.limit)}`
  return [
    span(left(stage.name, columns.name + 2)),
    ...stateBar(window.shares, columns.bar),
    span('  '),
    ...words,
    span(' '.repeat(Math.max(0, missing))),
    ...(ATTEMPTING.has(stage.kind)
      ? [span(right(shown, 11)), ...attempts(stage, window, wide, marks)]
      : marks?.get(stage.name)
        ? [span(' '.repeat(attemptCells(wide)))]
        : []),
    ...markWords(marks?.get(stage.name) ?? null),
  ]
}

function attemptCells(wide: boolean): number {
  return wide ? 48 : 22
}

/** `◀ bottleneck`, `pushed back`, `starved`, or nothing. */
export function markWords(mark: StageDiagnosis['mark']): Line {
  if (mark === null) return []
  if (mark === 'bottleneck') return [span(' ◀ bottleneck', 'bad')]
  return [span(`  ${MARK_LABELS[mark]}`, mark === 'pushed-back' ? 'warn' : 'dim')]
}

/** The kinds of stage whose work can fail and be tried again. */
const ATTEMPTING = new Set(['call', 'sink', 'dead-letter'])

function attempts(stage: StageStatus, window: StageWindow, wide: boolean, marks: Marks): Line {
  const share429 = window.attempts > 0 ? window.rejected429 / window.attempts : 0
  const tries = ratio(window.attempts, window.first)
  const narrow = [
    span(right(tries, 6), Number(tries) > 1.5 ? 'bad' : 'plain'),
    span(right(window.attempts > 0 ? percent(share429) : UNKNOWN, 5), share429 > 0.05 ? 'warn' : 'plain'),
    ...(wide || !marks ? [span(right(count(stage.timeouts), 9), stage.timeouts > 0 ? 'warn' : 'dim')] : []),
  ]
  if (!wide) return narrow
  return [
    ...narrow,
    span(right(count(stage.failed), 8), stage.failed > 0 ? 'warn' : 'dim'),
    span(right(stage.ok > 0 ? duration(stage.latencyMs.p99) : UNKNOWN, 9)),
  ]
}

function nameWidth(rows: readonly { name: string }[], most: number): number {
  return Math.min(most, Math.max(12, ...rows.map(({ name }) => name.length)))
}
