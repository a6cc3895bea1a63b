/**
 * What a scenario is: sides that do the same work, and rows that compare one figure of them. `scenarios.ts` lists
 * them, `measure.ts` runs them.
 */
import type { SideReport, SideSpec } from './sides/spec.ts'
import type { Topic } from './topics.ts'

/** Where a side runs is filled in when it starts. */
export type Side = Omit<SideSpec, 'broker' | 'group' | 'topic' | 'records' | 'dist'> & {
  /** Fewer records than the topic has, for a side that would take too long. */
  readonly records?: number
}

export interface Figure {
  /** Begins the row's name. */
  readonly name: string
  readonly unit: string
  /** Less is better: a goal is then the most that Headgate ÷ peer may be. */
  readonly lower?: boolean
  of(report: SideReport): number
}

export interface ScenarioRow {
  readonly figure: Figure
  /** Peers that are no process but follow from one: by label, the side whose report it is read from, and the figure. */
  readonly bounds?: Readonly<Record<string, { readonly side: string; of(report: SideReport): number }>>
  readonly goals: Readonly<Record<string, number>>
}

export interface Scenario {
  readonly name: string
  readonly topic: Topic
  /** Also run with `--smoke`: one scenario of each kind is. */
  readonly smoke: boolean
  /** Has to be there, and is written to. */
  readonly to?: Topic
  /** The side `headgate` and its peers, by label. */
  readonly sides: Readonly<Record<string, Side>>
  readonly rows: readonly ScenarioRow[]
}

export const RATE: Figure = {
  name: 'records',
  unit: 'records/s',
  of: ({ records, seconds }) => records / seconds,
}
/** Leaves out the last calls, which no consumer can hide when the topic ends. */
export const STEADY: Figure = { name: 'steady', unit: 'records/s', of: ({ steadyPerSecond }) => steadyPerSecond }
export const CPU: Figure = {
  name: 'CPU',
  unit: 'µs a record',
  lower: true,
  of: ({ cpuSeconds, records }) => (cpuSeconds * 1e6) / records,
}
export const MEMORY: Figure = { name: 'peak RSS', unit: 'MiB', lower: true, of: ({ rssMiB }) => rssMiB }
