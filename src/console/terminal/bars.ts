/**
 * The small graphics of the terminal view: sparkline, tank, and the patterned bar of slot states. Every state has a
 * pattern of its own, so that the bar reads without colour. Pure functions; each returns exactly the cells asked for.
 */
import type { SlotState } from '../../model/status.ts'
import { percent } from './figures.ts'
import { type Line, type Span, span, type Tone } from './spans.ts'

const STEPS = '▁▂▃▄▅▆▇█'

/** In the order of the bar: work first, then the reasons to wait, idleness last. */
const LOOKS: readonly (readonly [SlotState, string, Tone, string])[] = [
  ['CPU', '█', 'accent', 'cpu'],
  ['AWAIT', '▓', 'cool', 'await'],
  ['POOL', '=', 'warn', 'pool'],
  ['RATE', '▒', 'warn', 'rate'],
  ['KEY', '#', 'warn', 'key'],
  ['LINGER', '░', 'plain', 'linger'],
  ['BACKOFF', '×', 'bad', 'backoff'],
  ['BLOCKED', '|', 'bad', 'blocked'],
  ['COMMIT', '+', 'warn', 'commit'],
  ['IDLE', '·', 'dim', 'idle'],
]

/** `width` cells, the newest value at the right, blank where there is no value yet; `top` is the full height. */
export function sparkline(values: readonly number[], width: number, top: number): string {
  const recent = values.slice(-width)
  const marks = recent.map((value) => {
    const step = top > 0 ? Math.ceil((Math.max(0, value) / top) * STEPS.length) - 1 : 0
    return STEPS[Math.min(STEPS.length - 1, Math.max(0, step))]
  })
  return ' '.repeat(width - marks.length) + marks.join('')
}

/** A level between 0 and 1 as `width` cells, the empty part in a faint pattern. */
export function level(share: number, width: number, tone: Tone): Line {
  const bounded = Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0))
  const full = bounded > 0 ? Math.max(1, Math.round(bounded * width)) : 0
  return [span('█'.repeat(full), tone), span('░'.repeat(width - full), 'dim')]
}

/** How full a tank of this age looks: each cell is a step of time, from a second to an hour. */
export function ageLevel(ageMs: number | null): number {
  if (ageMs === null || ageMs < 1000) return 0
  const hour = Math.log10(3600)
  return Math.min(1, Math.max(0.05, Math.log10(ageMs / 1000) / hour))
}

/** Slot time by state, `width` cells in all. A state with a share worth naming keeps at least one cell. */
export function stateBar(shares: Readonly<Record<SlotState, number>> | null, width: number): Line {
  if (!shares) return [span(' '.repeat(width), 'dim')]
  let sum = 0
  const sizes = LOOKS.map(([state]) => {
    const start = Math.round(sum * width)
    sum += shares[state]
    return Math.round(sum * width) - start
  })
  for (const [index, [state]] of LOOKS.entries()) {
    if (sizes[index] !== 0 || shares[state] < 0.01) continue
    const largest = sizes.indexOf(Math.max(...sizes))
    sizes[largest] = (sizes[largest] as number) - 1
    sizes[index] = 1
  }
  return LOOKS.map(([, mark, tone], index) => span(mark.repeat(Math.max(0, sizes[index] as number)), tone)).filter(
    (part) => part.text !== '',
  )
}

/** The largest states in words, each behind its pattern: `▓ await 71%`. */
export function stateWords(shares: Readonly<Record<SlotState, number>> | null, most: number): Span[][] {
  if (!shares) return [[span('no work yet', 'dim')]]
  return LOOKS.filter(([state]) => shares[state] >= 0.01)
    .toSorted(([one], [other]) => shares[other] - shares[one])
    .slice(0, most)
    .map(([state, mark, tone, word]) => [
      span(`${mark} `, tone),
      span(`${word} ${percent(shares[state])}`, state === 'IDLE' ? 'dim' : 'plain'),
    ])
}
