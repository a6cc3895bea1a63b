/**
 * The line: what a flow consists of so far, as plain data that only grows by copying. `flow.ts` gives it its typed
 * face, `stages.ts` makes what is appended. Invariant: names are unique in the whole pipeline, branches included.
 */

import { show } from '../model/option.ts'
import type { AdmissionPlan, FailurePolicy, FlowPlan, Order, StagePlan } from '../model/plan.ts'
import { place, refuse } from './problems.ts'

/** What every stage of a pipeline shares. */
export interface Scope {
  readonly pipeline: string
  readonly admission: AdmissionPlan
  readonly onFailure: FailurePolicy
}

export interface Line {
  readonly scope: Scope
  readonly stages: readonly StagePlan[]
  /** Taken names, those before the branch and in earlier branches included. */
  readonly names: ReadonlySet<string>
  /** The strictest order that a call so far has kept. */
  readonly order: Order
  /** True once values stand for batches: they have no key or partition of their own. */
  readonly batched: boolean
}

export function appended(line: Line, stage: StagePlan): Line {
  return { ...line, stages: [...line.stages, stage], names: new Set([...line.names, stage.name]) }
}

/** `pipeline 'payments' › call 'fraud'`. */
export function at(line: Line, kind: string, name: string): string {
  return place(`pipeline '${line.scope.pipeline}'`, `${kind} '${name}'`)
}

const MOST_NAME = 100

/** Refuses what is not a name: text of 1 to 100 characters without control characters or space around it. */
export function checkName(name: unknown, where: string): string {
  if (typeof name !== 'string') refuse(`${where}: expected a name (text), got ${show(name)}`)
  if (name === '' || name.length > MOST_NAME || name.trim() !== name || /\p{Cc}/u.test(name)) {
    const wanted = 'a name of 1 to 100 characters without control characters or space around it'
    refuse(`${where}: expected ${wanted}, got ${show(name)}`)
  }
  return name
}

/** Checks a name the user gave, or finds the first free one of `map-1`, `map-2`, … */
export function nameStage(line: Line, kind: string, given: unknown): string {
  if (given === undefined) return freeName(line.names, (count) => `${kind}-${count}`)
  const name = checkName(given, place(`pipeline '${line.scope.pipeline}'`, `the name of a ${kind}`))
  if (line.names.has(name)) {
    refuse(`${at(line, kind, name)}: the name is taken by another stage; each stage needs a name of its own`)
  }
  return name
}

/** A sink's own name where it is free, else `name-2`, `name-3`, … */
export function nameSink(line: Line, own: string): string {
  return line.names.has(own) ? freeName(line.names, (count) => `${own}-${count + 1}`) : own
}

function freeName(taken: ReadonlySet<string>, candidate: (count: number) => string): string {
  let count = 1
  while (taken.has(candidate(count))) count += 1
  return candidate(count)
}

/** Every stage name in a flow, its branches included. */
export function namesIn(flow: FlowPlan): string[] {
  const own = [...flow.stages.map((stage) => stage.name), flow.end.name]
  return flow.end.kind === 'route' ? [...own, ...[...flow.end.branches.values()].flatMap(namesIn)] : own
}

const STRICTNESS: Readonly<Record<Order, number>> = { none: 0, key: 1, partition: 2 }

export function stricter(a: Order, b: Order): Order {
  return STRICTNESS[a] >= STRICTNESS[b] ? a : b
}
