/**
 * The drawer under the stages: what each part was told, asked for when it is opened, since it does not change while the
 * pipeline runs. Credentials have been masked by the pipeline: they never come here.
 */
import type { OptionsDocument } from '../documents.ts'
import { bytes, count, duration } from '../terminal/figures.ts'
import { byId, element, fill, write } from './dom.ts'

type Part = OptionsDocument['parts'][number]
type Value = Part['options'][string]

const PART_WORDS: Readonly<Record<Part['part'], string>> = {
  pipeline: 'pipeline',
  source: 'source',
  stage: 'stage',
  sink: 'sink',
  'dead-letter': 'dead letter',
}

export function makeOptions(): void {
  const drawer = byId<HTMLDetailsElement>('options-drawer')
  drawer.addEventListener('toggle', () => {
    if (drawer.open) void load()
  })
}

async function load(): Promise<void> {
  const problem = byId('options-problem')
  try {
    const answer = await fetch('/options')
    if (!answer.ok) throw new Error(`the pipeline answered with ${answer.status}`)
    const { parts } = (await answer.json()) as OptionsDocument
    fill(byId('options'), ...parts.map(partOf))
    problem.hidden = true
  } catch (thrown) {
    problem.hidden = false
    write(problem, `The options cannot be shown: ${thrown instanceof Error ? thrown.message : String(thrown)}.`)
  }
}

function partOf({ part, name, kind, options }: Part): Element {
  const what = part === 'stage' || part === 'sink' || part === 'dead-letter' ? kind : PART_WORDS[part]
  const pairs = Object.entries(options)
  return element(
    'section',
    { class: 'part-options' },
    element('h3', {}, name, ' ', element('small', {}, what === name ? PART_WORDS[part] : what)),
    pairs.length === 0
      ? element('p', { class: 'empty' }, 'It says nothing of its options.')
      : element('dl', {}, ...pairs.map(([option, value]) => pairOf(option, value))),
  )
}

function pairOf(option: string, value: Value): Element {
  return element('div', {}, element('dt', {}, option), element('dd', {}, inWords(option, value)))
}

/** `withinMs 50` → `50 ms`, `bytes 1000000` → `977 KiB`: names of options end with their unit. */
function inWords(option: string, value: Value): string {
  if (value === null) return 'none'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  if (typeof value === 'string') return value === '' ? 'nothing' : value
  if (option.endsWith('Ms')) return duration(value)
  if (/bytes$/i.test(option)) return bytes(value)
  return Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(5)))
}
