/**
 * The pipeline in one line, records flowing to the right: `payments ███ 3m10s ─▶ gate 12% ─▶ fraud 64/64 ─▶ enriched`.
 * When the terminal is too narrow, stages without slots are folded into `…` first, then names are shortened; the source, the
 * gate and the last stage always stay.
 */
import type { SourceStatus, StageStatus, Status } from '../../model/status.ts'
import { ageLevel, level } from './bars.ts'
import { count, duration, percent } from './figures.ts'
import { cut, cutLine, type Line, lineCells, type Span, span } from './spans.ts'

const ARROW: Span = span(' ─▶ ', 'dim')
const TANK_CELLS = 4
const FULL = 0.9
const SIMPLE = new Set(['map', 'filter', 'tap', 'flatMap', 'decode'])

interface Step {
  readonly name: string
  /** Cells before the stage's name, and figures after it. */
  readonly figures: Line
  /** What gives way when there is no room: 2 first, then 1; a step of 0 stays. */
  readonly fold: 0 | 1 | 2
}

const FOLDED: Step = { name: '…', figures: [], fold: 2 }

export function flowLine(status: Status, width: number): Line {
  const sources = sourceLine(status.sources)
  const steps = [gate(status), ...status.stages.map(stageStep)]
  for (const [shape, longest] of [
    [steps, 24],
    [steps, 16],
    [fold(steps, 2), 16],
    [fold(steps, 1), 16],
  ] as const) {
    const line = join(sources(longest), shape, longest)
    if (lineCells(line) <= width) return line
  }
  const folded = fold(steps, 1)
  for (const longest of [12, 8, 5]) {
    const line = join(sources(longest), folded, longest)
    if (lineCells(line) <= width) return line
  }
  const ends = [folded[0] as Step, FOLDED, folded.at(-1) as Step]
  return cutLine(join(sources(8), folded.length > 3 ? ends : folded, 8), width)
}

function sourceLine(sources: readonly SourceStatus[]): (longest: number) => Line {
  const oldest = sources.reduce<number | null>(
    (most, { backlogAgeMs }) => (backlogAgeMs === null ? most : Math.max(most ?? 0, backlogAgeMs)),
    null,
  )
  const name = sources.length === 1 ? (sources[0] as SourceStatus).name : `${sources.length} sources`
  const backlog = sources.reduce<number | null>(
    (sum, { backlogRecords }) => (backlogRecords === null ? sum : (sum ?? 0) + backlogRecords),
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

function gate({ admission }: Status): Step {
  const share = Math.max(
    admission.limitRecords > 0 ? admission.records / admission.limitRecords : 0,
    admission.limitBytes > 0 ? admission.bytes / admission.limitBytes : 0,
  )
  // Above its limit when the limit has just become narrower.
  const shown = span(share > 1 ? ' >100%' : ` ${percent(share)}`, share >= FULL ? 'warn' : 'accent')
  return { name: 'gate', figures: [shown], fold: 0 }
}

function stageStep(stage: StageStatus, index: number, stages: readonly StageStatus[]): Step {
  const last = index === stages.length - 1
  if (stage.limit === null || stage.kind === 'batch')
    return { name: stage.name, figures: [], fold: last ? 0 : SIMPLE.has(stage.kind) ? 2 : 1 }
  const full = stage.limit > 0 && stage.inFlight >= stage.limit * FULL
  const shown = span(` ${count(stage.inFlight)}/${count(stage.limit)}`, full ? 'warn' : 'accent')
  return { name: stage.name, figures: [shown], fold: 0 }
}

/** Neighbouring steps that give way at this point become one `…`. */
function fold(steps: readonly Step[], from: 1 | 2): Step[] {
  return steps
    .map((step) => (step.fold >= from ? FOLDED : step))
    .filter((step, index, all) => step !== FOLDED || all[index - 1] !== FOLDED)
}

function join(source: Line, steps: readonly Step[], longest: number): Line {
  return [...source, ...steps.flatMap(({ name, figures }) => [ARROW, span(cut(name, longest)), ...figures])]
}
