/**
 * Makes the route that ends a flow: a selector and one further flow a branch. `flow.ts` calls it and lends it the way
 * to build a branch. Invariant: every branch ends in a sink or a route, and no name occurs twice across branches.
 */

import { show } from '../model/option.ts'
import type { FlowPlan, RoutePlan } from '../model/plan.ts'
import { at, checkName, type Line, nameStage, namesIn } from './line.ts'
import { parseOptions, place, refuse } from './problems.ts'
import { entriesOf, isAsyncFunction } from './recognize.ts'
import { routeSchema } from './stage-options.ts'

export interface RouteGiven {
  readonly name: unknown
  readonly select: unknown
  readonly branches: unknown
  readonly options: unknown
}

/** Runs the user's function for a branch on a flow that starts with `line`; null when it returned no finished flow. */
// biome-ignore lint/suspicious/noExplicitAny: the functions are the user's; their types are checked in flow.ts
type BuildBranch = (build: (flow: any) => unknown, line: Line) => FlowPlan | null

export function makeRoute(line: Line, given: RouteGiven, buildBranch: BuildBranch): RoutePlan {
  const name = nameStage(line, 'route', given.name ?? null)
  const where = at(line, 'route', name)
  const { select, branches } = given
  if (typeof select !== 'function' || isAsyncFunction(select)) {
    const got = typeof select === 'function' ? 'an async one' : show(select)
    refuse(`${where}: expected a synchronous function that names the branch, got ${got}`)
  }
  const entries = entriesOf(branches)
  if (!entries || entries.length === 0) {
    refuse(
      `${where}: expected an object with at least one branch, as in { large: (flow) => flow.to(sink) }, got ${show(branches)}`,
    )
  }
  const options = parseOptions(routeSchema, given.options, where)
  let names: ReadonlySet<string> = new Set([...line.names, name])
  const flows = new Map<string, FlowPlan>()
  for (const [branch, build] of entries) {
    const from = place(where, `branch '${checkName(branch, `${where} › branch`)}'`)
    if (typeof build !== 'function') refuse(`${from}: expected a function of the flow, got ${show(build)}`)
    const flow = buildBranch(build as (flow: unknown) => unknown, { ...line, stages: [], names })
    if (!flow) refuse(`${from}: the branch has no end; return what .to(sink) or .route(…) gives`)
    names = new Set([...names, ...newNames(flow, names, from)])
    flows.set(branch, flow)
  }
  return {
    kind: 'route',
    name,
    select: select as RoutePlan['select'],
    branches: flows,
    queueRecords: options.queueRecords ?? 1024,
    onFailure: options.onFailure ?? line.scope.onFailure,
  }
}

/** Catches a branch that was built elsewhere and returned here a second time. */
function newNames(flow: FlowPlan, taken: ReadonlySet<string>, where: string): string[] {
  const names = namesIn(flow)
  const twice = names.find((name) => taken.has(name))
  if (twice !== undefined) refuse(`${where}: '${twice}' is already part of the pipeline; build each branch anew`)
  return names
}
