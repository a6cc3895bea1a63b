/**
 * What each part of a pipeline was told, as the console shows it: the options of the plan with every default filled in,
 * and those that a connector says of itself. Invariant: what a connector says is masked here once more, by its names,
 * since anybody may have written it.
 */
import type { DeadLetter, Sink, Source } from '../model/connector.ts'
import {
  type CallPlan,
  type ConcurrencyPlan,
  deadLetterName,
  type FailurePolicy,
  type FlowPlan,
  type Plan,
  type SinkPlan,
  type StagePlan,
} from '../model/plan.ts'
import { type ShownOptions, shownOptions } from '../model/shown-options.ts'

export interface PartOptions {
  readonly part: 'pipeline' | 'source' | 'stage' | 'sink' | 'dead-letter'
  /** As it is called in the status. */
  readonly name: string
  /** `call`, `batch` …, or what is read or written: `kafka:payments`. */
  readonly kind: string
  readonly options: ShownOptions
}

export function optionsOf(plan: Plan): PartOptions[] {
  const { name, admission, commit, transaction, drainMs, revokeGraceMs, sources, flow } = plan
  const deadSinks = new Map<string, Sink<DeadLetter>>()
  const policy = (onFailure: FailurePolicy): string => {
    if (onFailure.kind !== 'deadLetter') return onFailure.kind
    const deadName = deadLetterName(onFailure.sink)
    deadSinks.set(deadName, onFailure.sink)
    return deadName
  }
  const whole = shownOptions({ admission, commit, transaction, drainMs, revokeGraceMs })
  const parts: PartOptions[] = [
    { part: 'pipeline', name, kind: 'pipeline', options: whole },
    ...sources.map(({ source, onFailure }): PartOptions => {
      const options = { ...connectorOptions(source), onFailure: policy(onFailure) }
      return { part: 'source', name: source.name, kind: 'source', options }
    }),
    ...flowParts(flow, policy),
  ]
  for (const [deadName, sink] of deadSinks)
    parts.push({ part: 'dead-letter', name: deadName, kind: sink.name, options: connectorOptions(sink) })
  return parts
}

type Policy = (onFailure: FailurePolicy) => string

function flowParts({ stages, end }: FlowPlan, policy: Policy): PartOptions[] {
  const parts = stages.map((stage): PartOptions => {
    return { part: 'stage', name: stage.name, kind: stage.kind, options: stageOptions(stage, policy) }
  })
  if (end.kind === 'sink') {
    parts.push({ part: 'sink', name: end.name, kind: end.sink.name, options: sinkOptions(end, policy) })
    return parts
  }
  const { name, kind, queueRecords, onFailure, branches } = end
  parts.push({ part: 'stage', name, kind, options: { queueRecords, onFailure: policy(onFailure) } })
  for (const branch of branches.values()) parts.push(...flowParts(branch, policy))
  return parts
}

function stageOptions(stage: StagePlan, policy: Policy): ShownOptions {
  if (stage.kind === 'batch') {
    const { records, bytes, withinMs } = stage
    return { records, bytes, withinMs }
  }
  if (stage.kind === 'call') return callOptions(stage, policy)
  return { onFailure: policy(stage.onFailure) }
}

function callOptions(call: CallPlan, policy: Policy): ShownOptions {
  const { order, concurrency, limitKey, rate, timeoutMs, retry, queueRecords, onFailure } = call
  return {
    order,
    ...concurrencyOptions(concurrency),
    limitKey: limitKey === null ? null : 'a function',
    ...(rate === null ? { rate } : shownOptions({ rate })),
    timeoutMs,
    ...shownOptions({ retry }),
    queueRecords,
    onFailure: policy(onFailure),
  }
}

function concurrencyOptions(concurrency: ConcurrencyPlan): ShownOptions {
  if (concurrency.kind === 'fixed') return { concurrency: concurrency.limit }
  const { kind, ...given } = concurrency
  return { concurrency: kind, ...shownOptions({ concurrency: given }) }
}

function sinkOptions({ sink, order, retry, queueRecords, onFailure }: SinkPlan, policy: Policy): ShownOptions {
  return { ...connectorOptions(sink), order, ...shownOptions({ retry }), queueRecords, onFailure: policy(onFailure) }
}

function connectorOptions({ shownOptions: told }: Pick<Source | Sink<never>, 'shownOptions'>): ShownOptions {
  return told === undefined ? {} : shownOptions(told)
}
