/**
 * Where the queue lives: every place in records, bytes and seconds, what they hold in all beside what was admitted, and
 * the backlog in the broker beside them. The strip above the table shows the share of each place within the pipeline.
 */
import type { Diagnosis } from '../../model/diagnosis.ts'
import type { WaitStatus } from '../../model/status.ts'
import { admittedWords, PLACE_LABELS } from '../labels.ts'
import { bytes, count, duration, percent, UNKNOWN } from '../terminal/figures.ts'
import { byId, element, keep, set, write } from './dom.ts'

export function showPlaces({ places, placesCheck, flow }: Diagnosis): void {
  const { records, holds } = placesCheck
  const sum = `${count(records)} of ${admittedWords(placesCheck)}`
  const check = holds ? ', and they add up' : '; they do not add up: a defect of the meter'
  const backlog = flow.backlogRecords === null ? '' : ` · ${count(flow.backlogRecords)} more in the broker`
  write(byId('places-sum'), `${sum}${check}${backlog}`)
  set(byId('places-sum'), { class: holds ? 'quiet' : 'problem' })

  const inside = places.filter(({ kind, records: held }) => kind !== 'backlog' && (held ?? 0) > 0)
  const whole = inside.reduce((total, { records: held }) => total + (held ?? 0), 0)
  keep(
    byId('places-bar'),
    inside,
    ({ name }) => name,
    () => {
      const node = element('span')
      return {
        node,
        update(place) {
          const share = (place.records ?? 0) / Math.max(1, whole)
          set(node, { class: `kind-${place.kind}`, title: `${place.name}: ${count(place.records)}` })
          node.style.flexGrow = String(Math.max(0.002, share))
          write(node, share > 0.14 ? `${place.name} ${percent(share)}` : '')
        },
      }
    },
  )
  const holding = places.filter(({ kind, records: held }) => held !== 0 || kind === 'backlog' || kind === 'in-call')
  const empty = places.filter((place) => !holding.includes(place)).map(({ name }) => name)
  keep(byId('places'), holding, ({ name }) => name, row)
  write(byId('places-empty'), empty.length > 0 ? `Empty: ${empty.join(', ')}` : '')
}

function row(): { node: Element; update: (place: WaitStatus) => void } {
  const name = element('th', { scope: 'row' })
  const [label, where] = [element('span'), element('small')]
  name.append(label, ' ', where)
  const [records, size, seconds] = [
    element('td', { class: 'number' }),
    element('td', { class: 'number' }),
    element('td', { class: 'number' }),
  ]
  const [meter, words] = [element('span', { class: 'level', 'aria-hidden': 'true' }, element('i')), element('span')]
  const node = element('tr', {}, name, records, size, seconds, element('td', { class: 'of' }, meter, words))
  return {
    node,
    update(place) {
      const none = place.records === 0
      write(label, place.name)
      write(where, PLACE_LABELS[place.kind])
      write(records, count(place.records))
      write(size, place.bytes ? bytes(place.bytes) : UNKNOWN)
      write(
        seconds,
        none
          ? UNKNOWN
          : place.seconds === null
            ? place.records === null
              ? 'unknown'
              : 'never'
            : duration(place.seconds * 1000),
      )
      set(node, { class: none ? 'none' : place.kind === 'backlog' ? 'backlog' : null })
      const share = place.records !== null && place.limitRecords ? place.records / place.limitRecords : null
      meter.hidden = share === null
      write(words, share === null ? '' : percent(share))
      set(meter, { class: share !== null && share >= 0.9 ? 'level full' : 'level' })
      const bar = meter.firstElementChild as HTMLElement
      bar.style.width = `${Math.min(100, (share ?? 0) * 100)}%`
    },
  }
}
