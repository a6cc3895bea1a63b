/**
 * Looks at all sinks of a finished pipeline together, dead-letter sinks included. `pipeline.ts` asks before it makes a
 * plan of them. Invariant: every sink of a plan has one place in it, so that what it allows at once is kept, and every
 * dead-letter sink has a name of its own in status and messages.
 */
import type { DeadLetter, Sink } from '../model/connector.ts'
import { deadLetterName, type FailurePolicy, type FlowPlan, type SourcePlan } from '../model/plan.ts'
import { namesIn } from './line.ts'
import { refuse } from './problems.ts'

/** Throws `HG_OPTION_INVALID` when a sink is used in two places, or two dead-letter sinks cannot be told apart. */
export function checkSinks(where: string, sources: readonly SourcePlan[], flow: FlowPlan): void {
  const outputs = outputsOf(flow)
  const twice = outputs.find((sink, index) => outputs.indexOf(sink) !== index)
  if (twice) {
    refuse(
      `${where}: the sink '${twice.name}' ends two branches, which would write to it at the same time; make a sink for ` +
        'each branch, they may well write to the same place',
    )
  }
  const names = new Set(namesIn(flow))
  for (const sink of deadSinksOf(sources, flow)) {
    if (outputs.includes(sink)) {
      refuse(
        `${where}: the sink '${sink.name}' takes both results and dead letters; make a sink of its own for the dead letters`,
      )
    }
    if (names.has(deadLetterName(sink))) {
      refuse(
        `${where}: two dead-letter sinks are named '${sink.name}', and nobody could tell them apart in the status; ` +
          'give each a name of its own, or use one sink for both',
      )
    }
    names.add(deadLetterName(sink))
  }
}

/** Each once. */
export function deadSinksOf(sources: readonly SourcePlan[], flow: FlowPlan): Set<Sink<DeadLetter>> {
  return new Set([...sources.map(({ onFailure }) => onFailure), ...policiesOf(flow)].flatMap(deadSink))
}

function deadSink(policy: FailurePolicy): Sink<DeadLetter>[] {
  return policy.kind === 'deadLetter' ? [policy.sink] : []
}

export function outputsOf({ end }: FlowPlan): Sink<never>[] {
  return end.kind === 'sink' ? [end.sink] : [...end.branches.values()].flatMap(outputsOf)
}

function policiesOf({ stages, end }: FlowPlan): FailurePolicy[] {
  const own = stages.flatMap((stage) => (stage.kind === 'batch' ? [] : [stage.onFailure]))
  const below = end.kind === 'route' ? [...end.branches.values()].flatMap(policiesOf) : []
  return [...own, end.onFailure, ...below]
}
