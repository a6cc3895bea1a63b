/**
 * The knobs, in three columns: those that help, those that cost nothing, and those that would hurt. Each says what is
 * predicted and what would hold the pipeline back then. A knob that can be turned while it runs has a button.
 */
import type { Advice, Diagnosis, Knob } from '../../model/diagnosis.ts'
import { gain, nextBottleneck } from '../labels.ts'
import { change, duration, rate } from '../terminal/figures.ts'
import { byId, element, keep, write } from './dom.ts'

const COLUMNS: readonly (readonly [Advice, string, string, string])[] = [
  ['turn', 'Turn', 'these help', 'No knob is known to help here.'],
  ['safe', 'Safe', 'these cost no throughput', 'None is known here.'],
  ['hurts', 'Hurts', 'leave these', 'None is known here.'],
]

export type TurnKnob = (knob: Knob) => void

/** Whether the page can turn it: the settings that `POST /control` takes. */
function canTurn({ live, setting, stage, to, advice }: Knob): boolean {
  return (
    live && to !== null && advice !== 'hurts' && stage !== null && (setting === 'concurrency' || setting === 'rate')
  )
}

export function makeKnobs(turn: TurnKnob): (diagnosis: Diagnosis) => void {
  const columns = COLUMNS.map(([advice, title, meaning, none]) => {
    const list = element('ul')
    const empty = element('p', { class: 'empty' }, none)
    const heading = element('h3', {}, title, ' ', element('small', {}, meaning))
    byId('knobs').append(
      element('section', { class: `advice ${advice}`, 'aria-label': `${title}: ${meaning}` }, heading, list, empty),
    )
    return { advice, list, empty }
  })
  return ({ knobs }) => {
    for (const { advice, list, empty } of columns) {
      const shown = knobs.filter((knob) => knob.advice === advice)
      empty.hidden = shown.length > 0
      keep(
        list,
        shown,
        ({ knob, setting }) => `${setting} ${knob}`,
        () => card(turn),
      )
    }
  }
}

function card(turn: TurnKnob): { node: Element; update: (knob: Knob) => void } {
  const [name, values, ratio, predicted, sentence] = [
    element('b'),
    element('span', { class: 'values' }),
    element('span', { class: 'gain' }),
    element('p', { class: 'predicted' }),
    element('p', { class: 'quiet' }),
  ]
  const [value, ofWhat] = [element('span'), element('span', { class: 'unseen' })]
  const button = element('button', { type: 'button', class: 'small' }, value, ofWhat)
  let present: Knob | undefined
  button.addEventListener('click', () => present && turn(present))
  const node = element('li', {}, element('p', { class: 'what' }, name, ' ', values, ratio), predicted, sentence, button)
  return {
    node,
    update(knob) {
      present = knob
      write(name, knob.knob)
      write(values, change(knob.from, knob.to))
      write(ratio, gain(knob.gainRatio))
      const { completionPerSecond, latencyMs } = knob.predicted
      const latency = latencyMs === null ? '' : `, one try ${duration(latencyMs)}`
      const next = knob.advice === 'turn' ? ` · ${nextBottleneck(knob)}` : ''
      write(predicted, `→ ${rate(completionPerSecond)}${latency}${next}`)
      write(sentence, reasonOf(knob))
      button.hidden = !canTurn(knob)
      write(value, `Set to ${knob.to}…`)
      write(ofWhat, ` (${knob.knob})`)
    },
  }
}

/** What its sentence says beyond the figures that stand above it. */
function reasonOf({ sentence }: Knob): string {
  const reason = sentence.split(': ').slice(1).join(': ')
  return reason.charAt(0).toUpperCase() + reason.slice(1)
}
