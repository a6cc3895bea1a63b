/** The dashboard and the alerts: every series that they name is exposed, with labels and values that it can have. */
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { CAUSE_KINDS, HEALTH_KINDS } from '../../src/model/diagnosis.ts'
import { SLOT_STATES } from '../../src/model/status.ts'
import { FAMILIES } from '../../src/telemetry/families.ts'
import type { Family } from '../../src/telemetry/family.ts'

const read = (name: string): string => readFileSync(new URL(`../../dashboards/${name}`, import.meta.url), 'utf8')

interface Panel {
  readonly title: string
  readonly targets?: readonly { readonly expr: string }[]
}

interface Dashboard {
  readonly panels: readonly Panel[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] }
}

const DASHBOARD = JSON.parse(read('grafana.json')) as Dashboard
const QUERIES = [
  ...DASHBOARD.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => [title, expr] as const)),
  ...DASHBOARD.templating.list.flatMap(({ name, definition }) =>
    definition ? [[`$${name}`, definition] as const] : [],
  ),
]

/** Blocks of `- alert:` with the folded or plain expression. */
const ALERTS = read('alerts.yml')
  .split(/^ {6}- alert: /m)
  .slice(1)
  .map((block) => {
    const [name = ''] = block.split('\n', 1)
    const expr = /^ {8}expr: (?:\|\n((?: {10}.*\n)+)|(.*)\n)/m.exec(block)
    return { name, expr: expr?.[1] ?? expr?.[2] ?? '', severity: /severity: (\w+)/.exec(block)?.[1] }
  })

/** Labels that a scraper adds, and those that aggregation leaves. */
const SCRAPED = new Set(['pipeline', 'instance', 'job'])
const VALUES: Readonly<Record<string, readonly string[]>> = {
  health: HEALTH_KINDS,
  cause: CAUSE_KINDS,
  state: [...SLOT_STATES, 'starting', 'running', 'paused', 'draining', 'stopped', 'failed'],
  outcome: ['ok', 'refused', 'failed', 'timeout'],
  fate: ['out', 'filtered', 'dead_lettered', 'skipped', 'returned'],
  check: ['states', 'little'],
  figure: ['current', 'desired', 'need', 'cap'],
}

function familyOf(name: string): { family: Family; labels: ReadonlySet<string> } {
  const part = /_(bucket|sum|count)$/.exec(name)
  const family = FAMILIES.find((each) =>
    each.type === 'histogram' ? part !== null && each.name === name.slice(0, part.index) : each.name === name,
  )
  expect(family, `no series is called ${name}`).toBeDefined()
  const labels = [...SCRAPED, ...family!.labels, ...(name.endsWith('_bucket') ? ['le'] : [])]
  return { family: family!, labels: new Set(labels) }
}

function check(expr: string): void {
  const series = [...expr.matchAll(/\b(headgate_\w+)(?:\{([^}]*)\})?/g)]
  expect(series.length).toBeGreaterThan(0)
  const grouped = new Set<string>()
  for (const [, name, matchers = ''] of series) {
    const { family, labels } = familyOf(name as string)
    for (const label of labels) grouped.add(label)
    for (const [, label, , value] of matchers.matchAll(/(\w+)\s*(=~|!~|!=|=)"([^"]*)"/g)) {
      expect(labels, `${name} has no label ${label}`).toContain(label)
      const known = VALUES[label as string]
      if (known === undefined || (value as string).startsWith('$')) continue
      for (const word of (value as string).split('|')) expect(known, `${label}="${word}"`).toContain(word)
    }
    const rated = new RegExp(`(rate|increase)\\(${name}\\b`).test(expr)
    if (rated) expect(family.type, `${name} is rated`).not.toBe('gauge')
    if (family.type === 'counter') expect(rated, `${name} is a counter`).toBe(true)
  }
  for (const [, list] of expr.matchAll(/\b(?:by|ignoring)\s*\(([^)]*)\)/g)) {
    for (const label of (list as string).split(',')) expect(grouped).toContain(label.trim())
  }
}

test.each(QUERIES)('the dashboard asks for what there is: %s, %s', (_, expr) => check(expr))

test.each(ALERTS)('the alert $name asks for what there is', ({ expr, severity }) => {
  check(expr)
  expect(['page', 'ticket']).toContain(severity)
})

test('no alert pages for a throttle or a burst, and each thing that needs somebody has one', () => {
  const paged = ALERTS.filter(({ severity }) => severity === 'page').map(({ expr }) => expr)
  expect(paged.length).toBeGreaterThan(2)
  for (const calm of ['throttling', 'absorbing-burst', 'keeping-up', 'idle']) {
    for (const expr of paged) expect(expr).not.toContain(calm)
  }
  for (const health of ['retry-storm', 'stalled']) expect(paged.join()).toContain(`health="${health}"`)
  expect(ALERTS.map(({ expr }) => expr).join()).toContain('health="overload"')
})

test('the dashboard shows completion, latency and queue age before anything else', () => {
  const titles = DASHBOARD.panels.map(({ title }) => title)
  expect(titles.slice(0, 6)).toEqual([
    'Health',
    'Bottleneck',
    'Completed a second',
    "Latency from the source's timestamp",
    'Backlog in the broker',
    'Oldest record',
  ])
})
