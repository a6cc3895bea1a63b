/**
 * The table of stages: what their slots do, in a patterned bar and in words, their attempts, and their limits with a
 * button to change them. It says in words and figures all that the canal draws.
 */
import type { Diagnosis, StageDiagnosis } from '../../model/diagnosis.ts'
import type { StageStatus, Status } from '../../model/status.ts'
import type { ConsoleTick } from '../documents.ts'
import { MARK_LABELS, PHASE_LABELS } from '../labels.ts'
import { count, duration, percent, rate, ratio, UNKNOWN } from '../terminal/figures.ts'
import { closedOf } from './canal-model.ts'
import { byId, element, keep, set, shape, write } from './dom.ts'
import { STATES, stateBar, stateWords } from './patterns.ts'

export type ChangeStage = (stage: string) => void
type Limits = ConsoleTick['limits']['stages'][string]

interface Row {
  readonly stage: StageStatus
  readonly seen: StageDiagnosis | undefined
  readonly limits: Limits | undefined
  readonly nowMs: number
}

/** The kinds of stage whose work can fail and be tried again. */
const TRIES = new Set(['call', 'sink', 'dead-letter'])

export function makeStages(
  change: ChangeStage,
): (status: Status, diagnosis: Diagnosis, limits: ConsoleTick['limits']) => void {
  const table = byId('stages')
  return (status, diagnosis, limits) => {
    const seen = new Map(diagnosis.stages.map((stage) => [stage.name, stage]))
    const rows = status.stages.map((stage) => ({
      stage,
      seen: seen.get(stage.name),
      limits: limits.stages[stage.name],
      nowMs: status.nowMs,
    }))
    keep(
      table,
      rows,
      ({ stage }) => stage.name,
      (first) => row(first.stage.name, change),
    )
  }
}

function row(name: string, change: ChangeStage): { node: Element; update: (row: Row) => void } {
  const mark = element('span', { class: 'mark' })
  const kind = element('small')
  const bar = stateBar('state-bar')
  const words = element('span', { class: 'words' })
  const figures = Array.from({ length: 8 }, () => element('td', { class: 'number' }))
  const limits = element('span')
  const found = element('span')
  const closed = element('b', { class: 'closed-words' })
  const ofWhat = element('span', { class: 'unseen' }, ` the limits of ${name}`)
  const button = element('button', { type: 'button', class: 'small' }, 'Change…', ofWhat)
  button.addEventListener('click', () => change(name))
  const node = element(
    'tr',
    {},
    element('th', { scope: 'row' }, element('span', {}, name), ' ', kind, ' ', mark),
    element('td', { class: 'slots' }, bar.node, words),
    ...figures,
    element('td', { class: 'limits' }, closed, ' ', found, ' ', limits, ' ', button),
  )
  return {
    node,
    update({ stage, seen, limits: present, nowMs }) {
      const slots = stage.limit === null || stage.kind === 'batch' ? null : stage.limit
      write(kind, stage.kind)
      write(mark, seen?.mark ? MARK_LABELS[seen.mark] : '')
      set(mark, { class: `mark ${seen?.mark ?? ''}` })
      bar.update(slots === null ? null : (seen?.states ?? null))
      bar.node.toggleAttribute('hidden', slots === null)
      write(words, slots === null ? '' : stateWords(seen?.states ?? null))
      const tries = TRIES.has(stage.kind)
      const texts = [
        slots === null ? '' : `${count(stage.inFlight)}/${count(slots)}`,
        rate(seen?.outPerSecond ?? null),
        duration(seen?.latencyMs ?? null),
        duration(seen?.bestLatencyMs ?? null),
        tries ? ratio(stage.attempts, stage.first) : '',
        tries ? (stage.attempts > 0 ? percent(stage.rejected429 / stage.attempts) : UNKNOWN) : '',
        tries ? count(stage.timeouts) : '',
        tries ? count(stage.failed) : '',
      ]
      for (const [index, cell] of figures.entries()) write(cell, texts[index] as string)
      button.hidden = present === undefined
      write(found, foundWords(stage))
      write(closed, closedOf(stage, nowMs) ?? '')
      write(limits, present === undefined ? '' : limitWords(present))
    },
  }
}

/** What an adaptive limiter has found: `6 at once (holding),`. */
function foundWords({ limiters }: StageStatus): string {
  const [limiter] = limiters
  if (limiter === undefined || limiter.phase === 'fixed') return ''
  const of = limiters.length > 1 ? `${count(limiters.length)} limiters, the first of them ` : ''
  return `${of}${count(limiter.limit)} at once (${PHASE_LABELS[limiter.phase] ?? limiter.phase}),`
}

function limitWords({ concurrency, perSecond, timeoutMs }: Limits): string {
  const parts = [
    `at most ${count(concurrency)} at once`,
    perSecond === null ? '' : rate(perSecond),
    `${duration(timeoutMs)} each`,
  ]
  return parts.filter(Boolean).join(', ')
}

export function makeLegend(): void {
  byId('legend').append(
    ...STATES.map(([state, word, meaning]) =>
      element(
        'li',
        {},
        shape(
          'svg',
          { class: 'swatch', 'aria-hidden': 'true', focusable: 'false' },
          shape('rect', { width: '100%', height: '100%', fill: `url(#state-${state})` }),
        ),
        element('b', {}, word),
        ` ${meaning}`,
      ),
    ),
  )
}
