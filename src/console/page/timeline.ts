/**
 * The verdicts of the last 15 minutes: a strip under the charts, on their time axis, and a list with the last ones in
 * words. A span is told apart by its pattern and its words as well as by its colour.
 */
import type { CauseKind } from '../../model/diagnosis.ts'
import type { VerdictSpan } from '../documents.ts'
import { CAUSE_LABELS, HEALTH_LABELS } from '../labels.ts'
import { duration } from '../terminal/figures.ts'
import { byId, element, keep, set, write } from './dom.ts'
import { clock } from './lists.ts'

const MOST_LISTED = 6
const LETTER_PX = 8

export class Timeline {
  #spans: VerdictSpan[] = []

  replace(spans: readonly VerdictSpan[]): void {
    this.#spans = [...spans]
  }

  /** The latest spans take the place of those that began when they did. */
  add(spans: readonly VerdictSpan[]): void {
    const starts = new Set(spans.map(({ fromMs }) => fromMs))
    this.#spans = [...this.#spans.filter(({ fromMs }) => !starts.has(fromMs)), ...spans].toSorted(
      (one, other) => one.fromMs - other.fromMs,
    )
  }

  /** `window`: the time axis of the charts, in seconds. */
  show([from, to]: readonly [number, number]): void {
    const [startMs, endMs] = [from * 1000, to * 1000]
    const strip = byId('timeline')
    const widePx = strip.clientWidth
    this.#spans = this.#spans.filter(({ untilMs }) => untilMs > startMs)
    keep(
      strip,
      this.#spans,
      ({ fromMs }) => String(fromMs),
      () => {
        const node = element('span')
        return {
          node,
          update(span) {
            const [label, mood] = HEALTH_LABELS[span.health]
            const left = (Math.max(span.fromMs, startMs) - startMs) / (endMs - startMs)
            const width = (Math.min(span.untilMs, endMs) - Math.max(span.fromMs, startMs)) / (endMs - startMs)
            node.style.left = `${left * 100}%`
            node.style.width = `${Math.max(0.15, width * 100)}%`
            set(node, { 'data-mood': mood, title: `${clock(span.fromMs)} ${label}: ${span.sentence}` })
            write(node, width * widePx > label.length * LETTER_PX + 12 ? label : '')
          },
        }
      },
    )
    keep(
      byId('verdicts'),
      this.#spans.slice(-MOST_LISTED).toReversed(),
      ({ fromMs }) => String(fromMs),
      () => {
        const [at, label, cause, lasted] = [element('time'), element('b'), element('span'), element('small')]
        return {
          node: element('li', {}, at, label, cause, lasted),
          update(span) {
            const kind = CAUSE_LABELS[span.kind as CauseKind] ?? span.kind
            const [word, mood] = HEALTH_LABELS[span.health]
            write(at, clock(span.fromMs))
            write(label, word)
            set(label, { 'data-mood': mood, class: 'chip' })
            write(cause, span.kind === 'none' ? '' : span.bottleneck === null ? kind : `${span.bottleneck}: ${kind}`)
            write(lasted, `for ${duration(span.untilMs - span.fromMs)}`)
          },
        }
      },
    )
  }
}
