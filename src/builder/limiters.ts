/** Refuses stages that share a limiter and say different things about it: only one of them could be heeded. */
import { show } from '../model/option.ts'
import type { CallPlan, FlowPlan } from '../model/plan.ts'
import { refuse } from './problems.ts'

export function checkLimiters(where: string, flow: FlowPlan): void {
  const first = new Map<string, CallPlan>()
  for (const call of callsIn(flow)) {
    const { concurrency } = call
    if (concurrency.kind !== 'adaptive' || concurrency.limiter === null) continue
    const before = first.get(concurrency.limiter)
    if (before === undefined) first.set(concurrency.limiter, call)
    else compare(`${where} › limiter '${concurrency.limiter}'`, before, call)
  }
}

function compare(where: string, one: CallPlan, other: CallPlan): void {
  for (const option of ['initial', 'min', 'max', 'target'] as const) {
    const [first, second] = [one, other].map(({ concurrency }) => (concurrency as Adaptive)[option])
    if (first === second) continue
    refuse(
      `${where}: '${one.name}' gives ${option} ${show(first)} and '${other.name}' gives ${show(second)}; ` +
        'stages that share a limiter must give it the same options',
    )
  }
}

type Adaptive = Extract<CallPlan['concurrency'], { kind: 'adaptive' }>

function callsIn({ stages, end }: FlowPlan): CallPlan[] {
  const calls = stages.filter((stage): stage is CallPlan => stage.kind === 'call')
  return end.kind === 'route' ? [...calls, ...[...end.branches.values()].flatMap(callsIn)] : calls
}
