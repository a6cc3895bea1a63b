/**
 * The terminal view of a status as text: header, flow, rates, places, stages, totals, and what the diagnosis says: the
 * sentence and the knobs. A pure function, so
 * tests compare it with snapshots and the live driver only prints it. No line is wider than `columns`; with `rows`
 * given, the view drops blank lines first and then the emptiest table rows rather than grow past the screen.
 */
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { Status } from '../../model/status.ts'
import { sparkline } from './bars.ts'
import { bytes, count, duration, rate } from './figures.ts'
import { flowLine, flowOfStatus } from './flow-line.ts'
import type { History } from './history.ts'
import { limiterLines } from './limiters.ts'
import { cutLine, type Line, left, paint, right, span, spread, type Tone } from './spans.ts'
import { placesTable, stagesTable } from './tables.ts'
import { healthWords, knobLines, say, verdictLines } from './verdict.ts'

export interface ViewOptions {
  readonly columns: number
  /** Lines of the terminal; unbounded when absent. */
  readonly rows?: number | undefined
  readonly colour: boolean
  readonly history: History
  /** Absent until the first one is there. */
  readonly diagnosis?: Diagnosis | undefined
  /** A sentence under the verdict: what a drain is waiting for. */
  readonly note?: string | undefined
}

const STATE_TONES: Readonly<Record<Status['state'], Tone>> = {
  starting: 'cool',
  running: 'good',
  paused: 'warn',
  draining: 'warn',
  stopped: 'dim',
  failed: 'bad',
}

const MARGIN = ' '
/** The peak stays below the sparkline's full height, so that a steady rate is a calm line and not a wall. */
const HEADROOM = 1.5
/** Arrivals above this multiple of the best completion are cut off: the first fill would flatten all that follows. */
const BURST = 2
const WIDE = 110
/** Lines from which on there is room for more than the first knob of each kind. */
const TALL = 34
const NO_LINE: Line = []

export function renderView(status: Status, options: ViewOptions): string {
  const width = Math.max(20, options.columns - 2)
  const { diagnosis, history } = options
  const flow = flowLine(flowOfStatus(status, diagnosis), width)
  const top = [header(status, diagnosis, width), flow, rates(status, history, width)].map(asBlock)
  const short = options.rows !== undefined && options.rows < TALL
  const bottom = [
    totals(status, width, short && diagnosis !== undefined),
    verdict(status, options, width),
    knobLines(diagnosis?.knobs ?? [], width, short ? 1 : 2),
  ].filter((block) => block.length > 0)
  const blocks = withTables(status, options, width, top, bottom)
  const roomy = options.rows === undefined || blocks.flat().length + blocks.length - 1 <= options.rows - 1
  const lines = blocks.flatMap((block, index) => (roomy && index > 0 ? [NO_LINE, ...block] : block))
  return lines.map((line) => paint(line.length > 0 ? [span(MARGIN), ...line] : line, options.colour)).join('\n')
}

function asBlock(lines: Line | readonly Line[]): readonly Line[] {
  return lines.length > 0 && 'text' in (lines[0] as object) ? [lines as Line] : (lines as readonly Line[])
}

/** Gives stages the rows they need first and places the rest, at least two each. */
function withTables(
  status: Status,
  { rows, history, diagnosis }: ViewOptions,
  width: number,
  top: readonly (readonly Line[])[],
  bottom: readonly (readonly Line[])[],
): readonly (readonly Line[])[] {
  const fixed = [...top, ...bottom].flat().length + 3
  const free = rows === undefined ? Number.POSITIVE_INFINITY : rows - fixed
  const marks = diagnosis && new Map(diagnosis.stages.map(({ name, mark }) => [name, mark]))
  const stages = stagesTable(status, history, width, Math.max(2, free - Math.min(2, status.places.length)), marks)
  const places = placesTable(status, history, width, Math.max(2, free - stages.rows.length))
  const tables = [places, stages].filter((table) => table.rows.length > 0)
  return [...top, ...tables.map(({ heading, rows: body }) => [heading, ...body]), ...bottom]
}

/** The health stands where the state would: a running pipeline is told by how it runs. */
function header(status: Status, diagnosis: Diagnosis | undefined, width: number): Line {
  const tone = STATE_TONES[status.state]
  const uptime = duration(status.nowMs - status.startedAtMs)
  const state = [span(`● ${status.state}`, tone), span(`   up ${uptime}`, 'dim')]
  const known = diagnosis && status.state === 'running'
  const words = known ? [...healthWords(diagnosis.health), span(`   up ${uptime}`, 'dim')] : state
  return spread([span(status.pipeline, 'strong')], words, width)
}

/** Completion above arrival, on one scale, so that the gap between them is seen and not computed. */
function rates(status: Status, history: History, width: number): readonly Line[] {
  const { p50, p99 } = status.latencyMs
  const known = status.latencyMs.max > 0
  const beside: readonly Line[] = [
    figure('latency p50', known ? duration(p50) : '–', 'p99', known ? duration(p99) : '–'),
    figure('oldest waits', duration(status.queueAgeMs), '', ''),
  ]
  const chart = Math.max(0, Math.min(90, width - 20 - 38))
  const series = history.series(chart)
  const done = Math.max(1, ...series.done)
  const peak = Math.min(Math.max(done, ...series.in), done * BURST) * HEADROOM
  const rows = [
    [span(left('done', 6)), span(right(rate(status.completionPerSecond), 11), 'strong'), chart, series.done, 'accent'],
    [span(left('in', 6)), span(right(rate(history.inPerSecond(status)), 11)), chart, series.in, 'dim'],
  ] as const
  return rows.map(([name, value, size, points, tone], index) =>
    cutLine(
      [name, value, span('  '), span(sparkline(points, size, peak), tone), span('   '), ...(beside[index] as Line)],
      width,
    ),
  )
}

function figure(name: string, value: string, second: string, secondValue: string): Line {
  const pair = [span(left(name, 13), 'dim'), span(right(value, 8))]
  return second ? [...pair, span(`   ${second} `, 'dim'), span(right(secondValue, 8))] : pair
}

function totals(status: Status, width: number, short: boolean): readonly Line[] {
  const { records, admission, memory, checks } = status
  const ledger: [string, number, Tone][] = [
    ['in', records.in, 'plain'],
    ['out', records.out, 'plain'],
    ['filtered', records.filtered, 'plain'],
    [width < WIDE ? 'dead' : 'dead-lettered', records.deadLettered, records.deadLettered > 0 ? 'warn' : 'plain'],
    ['skipped', records.skipped, records.skipped > 0 ? 'warn' : 'plain'],
    ['returned', records.returned, 'plain'],
    ['in flight', records.inFlight, 'plain'],
  ]
  const always = new Set(['in', 'out', 'in flight'])
  const shown = ledger.filter(([name, value]) => value > 0 || always.has(name))
  const commitFailures = status.sources.reduce((sum, source) => sum + source.commitFailures, 0)
  const memoryLine: Line = [
    span(left('memory', 9), 'dim'),
    span(`${bytes(memory.rssEndBytes)}`),
    span(`, most ${bytes(memory.rssMaxBytes)} · heap most ${bytes(memory.heapMaxBytes)}`, 'dim'),
    ...(width < WIDE ? [] : [span(` · admitted ${bytes(admission.bytes)} of ${bytes(admission.limitBytes)}`, 'dim')]),
  ]
  const lines: Line[] = [
    ...limiterLines(status, width),
    [span(left('records', 9), 'dim'), ...separated(shown)],
    ...(short ? [] : [memoryLine]),
  ]
  if (commitFailures > 0) lines.push([span(left('commits', 9), 'dim'), span(`${count(commitFailures)} failed`, 'warn')])
  if (checks.statesError > 0.01) lines.push([span('meter    slot states do not add up to slot time', 'warn')])
  return lines.map((line) => cutLine(line, width))
}

function separated(entries: readonly (readonly [string, number, Tone])[]): Line {
  return entries.flatMap(([name, value, tone], index) => [
    ...(index > 0 ? [span(' · ', 'dim')] : []),
    span(`${name} `, 'dim'),
    span(count(value), tone),
  ])
}

function verdict(status: Status, { diagnosis, note }: ViewOptions, width: number): readonly Line[] {
  const lines: Line[] = []
  if (status.error) lines.push(...say(`${status.error.message} (${status.error.code})`, '✗', 'bad', 'bad', width))
  if (diagnosis && status.state !== 'failed') lines.push(...verdictLines(diagnosis, width))
  else if (status.verdict) lines.push(...say(status.verdict, '▶', STATE_TONES[status.state], 'strong', width))
  if (note) lines.push(...say(note, '·', 'warn', 'warn', width))
  return lines
}
