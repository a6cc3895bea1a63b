/**
 * The patterned bars of slot states: each state has a colour and a pattern of its own, so that a bar reads without
 * colour, in print and to the colour-blind. The patterns are defined once in the page and referred to by every bar.
 */
import { SLOT_STATES, type SlotState } from '../../model/status.ts'
import { percent } from '../terminal/figures.ts'
import { set, shape } from './dom.ts'

const CELL = 8

/** In the order of a bar: work first, then the reasons to wait, idleness last. */
export const STATES: readonly (readonly [state: SlotState, word: string, meaning: string])[] = [
  ['CPU', 'cpu', 'runs its code'],
  ['AWAIT', 'await', 'waits for the downstream'],
  ['POOL', 'pool', 'waits for a connection or worker'],
  ['RATE', 'rate', 'held by a rate limit'],
  ['KEY', 'key', 'held by the order of its key'],
  ['LINGER', 'linger', 'lets a batch fill'],
  ['BACKOFF', 'backoff', 'waits between two attempts'],
  ['BLOCKED', 'blocked', 'no room in the next stage'],
  ['COMMIT', 'commit', 'waits for the end of a transaction'],
  ['IDLE', 'idle', 'nothing to do'],
]

/** The marks on the ground of each state, within one cell. */
const MARKS: Readonly<Record<SlotState, string>> = {
  CPU: '',
  AWAIT: 'M-2 6 6 -2M2 10 10 2',
  POOL: 'M0 2H8M0 6H8',
  RATE: 'M2 0V8M6 0V8',
  KEY: 'M0 4H8M4 0V8',
  LINGER: 'M2 2h.01M6 6h.01',
  BACKOFF: 'M1 1 7 7M7 1 1 7',
  BLOCKED: 'M-2 2 6 10M2 -2 10 6',
  COMMIT: 'M0 2H8M0 6H8M4 2V6',
  IDLE: 'M4 4h.01',
}

export function definePatterns(into: SVGSVGElement): void {
  const definitions = SLOT_STATES.map((state) =>
    shape(
      'pattern',
      { id: `state-${state}`, width: CELL, height: CELL, patternUnits: 'userSpaceOnUse', class: `state-${state}` },
      shape('rect', { width: CELL, height: CELL, class: 'ground' }),
      shape('path', { d: MARKS[state], class: 'marks' }),
    ),
  )
  into.replaceChildren(shape('defs', {}, ...definitions))
}

export interface StateBar {
  readonly node: SVGElement
  update(shares: Readonly<Record<SlotState, number>> | null): void
}

/** A bar as wide as its place. Its words are beside it, so it is hidden from screen readers. */
export function stateBar(className = 'state-bar'): StateBar {
  const parts = STATES.map(([state]) => shape('rect', { y: 0, height: '100%', fill: `url(#state-${state})` }))
  const node = shape('svg', { class: className, 'aria-hidden': 'true', focusable: 'false' }, ...parts)
  return {
    node,
    update(shares) {
      let sum = 0
      STATES.forEach(([state], index) => {
        const share = shares?.[state] ?? 0
        set(parts[index] as SVGRectElement, { x: `${(sum * 100).toFixed(2)}%`, width: `${(share * 100).toFixed(2)}%` })
        sum += share
      })
    },
  }
}

/** The two largest states: `rate 62% · await 27%`. */
export function stateWords(shares: Readonly<Record<SlotState, number>> | null, most = 2): string {
  if (!shares) return 'no slots of its own'
  return STATES.filter(([state]) => shares[state] >= 0.005)
    .toSorted(([one], [other]) => shares[other] - shares[one])
    .slice(0, most)
    .map(([state, word]) => `${word} ${percent(shares[state])}`)
    .join(' · ')
}
