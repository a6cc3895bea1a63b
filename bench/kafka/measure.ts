/**
 * Measures one scenario: every side once a repeat, each repeat beginning with another side, and ratios taken within a
 * repeat before their median, so that a slow minute of the machine hits all sides alike. A side that left a record of
 * the topic uncommitted is a failure and not a measurement.
 */
import { Missing, median, type Result, verdict } from '../harness.ts'
import type { Scenario } from './scenario.ts'
import { DIST, runSide } from './side.ts'
import type { SideReport, SideSpec } from './sides/spec.ts'

export interface Surroundings {
  readonly broker: string
  /** Records of the topic that the group has not committed. */
  lag(group: string, topic: string): Promise<number>
  say(text: string): void
}

type Reports = Readonly<Record<string, SideReport>>

/** Sides that commit nothing. */
const NO_CONSUMERS = ['alone', 'fetch-alone']

let groups = 0

export async function measureScenario(scenario: Scenario, repeats: number, around: Surroundings): Promise<Result[]> {
  const labels = Object.keys(scenario.sides)
  const skipped: Record<string, string> = {}
  const all: Reports[] = []
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    const reports: Record<string, SideReport> = {}
    for (let turn = 0; turn < labels.length; turn += 1) {
      const label = labels[(turn + repeat) % labels.length] as string
      if (label in skipped) continue
      try {
        reports[label] = await measureSide(scenario, label, around)
        around.say(`${scenario.name}: repeat ${repeat + 1}, ${label} ${summary(reports[label])}`)
      } catch (error) {
        const kind = error instanceof Missing ? 'missing' : 'failed'
        skipped[label] = `${kind}: ${error instanceof Error ? error.message : String(error)}`
        around.say(`${scenario.name}: ${label} skipped, ${skipped[label]}`)
      }
    }
    checkSums(scenario, reports)
    all.push(reports)
  }
  return scenario.rows.map((_, index) => resultOf(scenario, index, all, skipped))
}

async function measureSide(scenario: Scenario, label: string, around: Surroundings): Promise<SideReport> {
  const { topic } = scenario
  const side = scenario.sides[label] as Scenario['sides'][string]
  const records = side.records ?? topic.records
  groups += 1
  const spec: SideSpec = {
    ...side,
    ...{ broker: around.broker, topic: topic.name, records, stopEarly: records < topic.records, dist: DIST },
    group: `bench-${process.pid}-${Date.now().toString(36)}-${groups}`,
  }
  const report = await runSide(spec)
  if (report.records < records) throw new Error(`did ${report.records} of ${records} records`)
  const left = spec.stopEarly || NO_CONSUMERS.includes(spec.side) ? 0 : await around.lag(spec.group, topic.name)
  if (left !== 0) throw new Error(`left ${left} of ${records} records uncommitted`)
  return report
}

/** Sides that saw the whole topic have seen the same. */
function checkSums(scenario: Scenario, reports: Reports): void {
  const sums = Object.entries(reports).filter(([label]) => scenario.sides[label]?.records === undefined)
  const seen = new Set(sums.map(([, { sum }]) => sum).filter((sum) => sum !== 0))
  if (seen.size > 1) throw new Error(`${scenario.name}: the sides did not do the same work: ${JSON.stringify(sums)}`)
}

function summary({ records, seconds, cpuSeconds, rssMiB }: SideReport): string {
  return `${Math.round(records / seconds)} records/s, ${cpuSeconds.toFixed(2)} s of CPU, ${Math.round(rssMiB)} MiB`
}

function resultOf(
  scenario: Scenario,
  index: number,
  all: readonly Reports[],
  skipped: Readonly<Record<string, string>>,
): Result {
  const { figure, goals, bounds = {} } = scenario.rows[index] as Scenario['rows'][number]
  const values = new Map<string, number[]>()
  const ratios = new Map<string, number[]>()
  for (const reports of all) {
    const now = Object.entries(reports).map(([label, report]): [string, number] => [label, figure.of(report)])
    for (const [label, { side, of }] of Object.entries(bounds)) {
      const report = reports[side]
      if (report !== undefined) now.push([label, of(report)])
    }
    const ours = reports['headgate'] && figure.of(reports['headgate'])
    for (const [label, value] of now) {
      add(values, label, value)
      if (ours !== undefined && label !== 'headgate') add(ratios, label, ours / value)
    }
  }
  const { headgate = null, ...peers } = medians(values) as Record<string, number> & { headgate?: number }
  const ratio = medians(ratios)
  const lower = figure.lower ?? false
  return {
    ...{ name: `${scenario.name} · ${figure.name}`, unit: figure.unit, headgate, peers, ratio, goal: goals, lower },
    ...{ holds: verdict(goals, ratio, lower), skipped, notes: index === 0 ? notesOf(all) : {} },
  }
}

function notesOf(all: readonly Reports[]): Record<string, number> {
  const notes = new Map<string, number[]>()
  for (const reports of all) {
    for (const [label, report] of Object.entries(reports)) {
      for (const [note, value] of Object.entries(report.notes)) add(notes, `${label}: ${note}`, value)
    }
  }
  return medians(notes)
}

function add(lists: Map<string, number[]>, label: string, value: number): void {
  const list = lists.get(label)
  if (list === undefined) lists.set(label, [value])
  else list.push(value)
}

function medians(lists: ReadonlyMap<string, readonly number[]>): Record<string, number> {
  return Object.fromEntries([...lists].map(([label, list]) => [label, median(list)]))
}
