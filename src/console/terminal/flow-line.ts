/**
 * The pipeline in one line, records flowing to the right: `payments ███ 3m10s ─▶ gate 12% ─▶ fraud 64/64 ◀ ─▶ enriched`.
 * When the terminal is too narrow, stages without slots are folded into `…` first, then names are shortened; the source,
 * the gate, the bottleneck and the last stage always stay. Drawn from a status, or from a diagnosis alone.
 */
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { Status } from '../../model/status.ts'
import { ageLevel, level } from './bars.ts'
import { count, duration, percent } from './figures.ts'
import { cut, cutLine, type Line, lineCells, type Span, span, type Tone } from './spans.ts'

const ARROW: Span = span(' ─▶ ', 'dim')
const TANK_CELLS = 4
const FULL = 0.9
const SIMPLE = new Set(['map', 'filter', 'tap', 'flatMap', 'decode'])

interface Step {
  readonly name: string
  /** Cells before the stage's name, and figures after it. */
  readonly figures: Line
  readonly tone: Tone
  /** What gives way when there is no room: 2 first, then 1; a step of 0 stays. */
  readonly fold: 0 | 1 | 2
}

const FOLDED: Step = { name: '…', figures: [], tone: 'dim', fold: 2 }

/** What the line shows, whichever it was taken from. */
export interface Flow {
  readonly sources: readonly { readonly name: string; readonly records: number | null; readonly ageMs: number | null }[]
  /** How full the admission is, 1 for its limit; null where that is not known. */
  readonly gateShare: number | null
  readonly stages: readonly {
    readonly name: string
    readonly kind: string
    readonly inFlight: number | null
    /** Slots, or null for a stage that has none of its own. */
    readonly limit: number | null
    readonly bottleneck: boolean
  }[]
}

export function flowOfStatus({ sources, admission, stages }: Status, diagnosis?: Diagnosis): Flow {
  const marked = markedStages(diagnosis)
  return {
    sources: sources.map(({ name, backlogRecords, backlogAgeMs }) => ({
      name,
      records: backlogRecords,
      ageMs: backlogAgeMs,
    })),
    gateShare: Math.max(
      admission.limitRecords > 0 ? admission.records / admission.limitRecords : 0,
      admission.limitBytes > 0 ? admission.bytes / admission.limitBytes : 0,
    ),
    stages: stages.filter(isOnTheWay).map(({ name, kind, inFlight, limit }) => ({
      name,
      kind,
      inFlight,
      limit: kind === 'batch' ? null : limit,
      bottleneck: marked.has(name),
    })),
  }
}

export function flowOfDiagnosis(diagnosis: Diagnosis): Flow {
  const marked = markedStages(diagnosis)
  const { queueAgeMs } = diagnosis.flow
  return {
    sources: diagnosis.sources.map(({ name, backlogRecords }) => ({
      name,
      records: backlogRecords,
      ageMs: backlogRecords === null || backlogRecords > 0 ? queueAgeMs : 0,
    })),
    gateShare: null,
    stages: diagnosis.stages.filter(isOnTheWay).map(({ name, kind, slots, states }) => ({
      name,
      kind,
      // In use on average: a write or a call of a batch is one, however many records it carries.
      inFlight: slots === null ? null : Math.round(slots * (states.CPU + states.AWAIT + states.POOL)),
      limit: slots === null || kind === 'batch' ? null : Math.round(slots),
      bottleneck: marked.has(name),
    })),
  }
}

/** The sink of what failed is beside the stream, not a part of it. */
function isOnTheWay({ kind }: { readonly kind: string }): boolean {
  return kind !== 'dead-letter'
}

function markedStages(diagnosis: Diagnosis | undefined): ReadonlySet<string> {
  return new Set(diagnosis?.stages.filter(({ mark }) => mark === 'bottleneck').map(({ name }) => name))
}

const MARKS = [' ◀ BOTTLENECK', ' ◀'] as const

export function flowLine(flow: Flow, width: number): Line {
  const sources = sourceLine(flow.sources)
  const gate = gateStep(flow.gateShare)
  for (const mark of MARKS) {
    const steps = [gate, ...flow.stages.map((stage, index, all) => stageStep(stage, index === all.length - 1, mark))]
    for (const [shape, longest] of [
      [steps, 24],
      [steps, 16],
      [fold(steps, 2), 16],
      [fold(steps, 1), 16],
    ] as const) {
      const line = join(sources(longest), shape, longest)
      if (lineCells(line) <= width) return line
    }
  }
  const steps = [gate, ...flow.stages.map((stage, index, all) => stageStep(stage, index === all.length - 1, ' ◀'))]
  const folded = fold(steps, 1)
  for (const longest of [12, 8, 5]) {
    const line = join(sources(longest), folded, longest)
    if (lineCells(line) <= width) return line
  }
  const marked = steps.slice(1, -1).find(({ tone }) => tone === 'mark')
  const ends = [folded[0] as Step, FOLDED, ...(marked ? [marked] : []), folded.at(-1) as Step]
  return cutLine(join(sources(8), folded.length > ends.length ? ends : folded, 8), width)
}

function sourceLine(sources: Flow['sources']): (longest: number) => Line {
  const oldest = sources.reduce<number | null>(
    (most, { ageMs }) => (ageMs === null ? most : Math.max(most ?? 0, ageMs)),
    null,
  )
  const name = sources.length === 1 ? (sources[0]?.name ?? '') : `${sources.length} sources`
  const backlog = sources.reduce<number | null>(
    (sum, { records }) => (records === null ? sum : (sum ?? 0) + records),
    null,
  )
  const behind = oldest !== null && oldest >= 1000
  const figure = behind ? ` ${duration(oldest)}` : backlog === null ? '' : backlog > 0 ? ` ${count(backlog)}` : ' empty'
  return (longest) => [
    span(`${cut(name, longest)} `),
    ...level(ageLevel(oldest), TANK_CELLS, 'accent'),
    span(figure, behind ? 'strong' : 'dim'),
  ]
}

function gateStep(share: number | null): Step {
  if (share === null) return { name: 'gate', figures: [], tone: 'plain', fold: 0 }
  // Above its limit when the limit has just become narrower.
  const shown = span(share > 1 ? ' >100%' : ` ${percent(share)}`, share >= FULL ? 'warn' : 'accent')
  return { name: 'gate', figures: [shown], tone: 'plain', fold: 0 }
}

function stageStep(
  { name, kind, inFlight, limit, bottleneck }: Flow['stages'][number],
  last: boolean,
  mark: string,
): Step {
  const tone = bottleneck ? 'mark' : 'plain'
  const marked = bottleneck ? [span(mark, 'bad')] : []
  if (limit === null) return { name, figures: marked, tone, fold: last || bottleneck ? 0 : SIMPLE.has(kind) ? 2 : 1 }
  const full = limit > 0 && inFlight !== null && inFlight >= limit * FULL
  const shown = inFlight === null ? ` ${count(limit)}` : ` ${count(inFlight)}/${count(limit)}`
  return { name, figures: [span(shown, full ? 'warn' : 'accent'), ...marked], tone, fold: 0 }
}

/** Neighbouring steps that give way at this point become one `…`. */
function fold(steps: readonly Step[], from: 1 | 2): Step[] {
  return steps
    .map((step) => (step.fold >= from ? FOLDED : step))
    .filter((step, index, all) => step !== FOLDED || all[index - 1] !== FOLDED)
}

function join(source: Line, steps: readonly Step[], longest: number): Line {
  return [...source, ...steps.flatMap(({ name, figures, tone }) => [ARROW, span(cut(name, longest), tone), ...figures])]
}
