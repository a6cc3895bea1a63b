/**
 * What exactly-once asks of a pipeline: `pipeline.ts` asks here before it makes a plan. Invariant: a plan with
 * transactions can keep its promise; what could not is refused with the reason, and what would have to change.
 */
import type { Sink, Source } from '../model/connector.ts'
import type { FlowPlan, SourcePlan, TransactionPlan } from '../model/plan.ts'
import { formatNumber } from '../model/units.ts'
import type { PipelineOptions } from './option-types.ts'
import { refuse } from './problems.ts'
import { deadSinksOf, outputsOf } from './sinks.ts'

interface Given {
  readonly intervalMs: number
  readonly records: number
  readonly id?: string | undefined
  readonly timeoutMs: number
}

/** Undefined where records are delivered at least once. */
export function settleTransaction(
  where: string,
  delivery: PipelineOptions['delivery'],
  { id, ...transaction }: Given,
  given: PipelineOptions | undefined,
): TransactionPlan | undefined {
  if (delivery !== 'exactly-once') {
    if (given?.transaction === undefined) return undefined
    refuse(
      `${where} › transaction: there are no transactions without delivery: 'exactly-once'; add it, or leave this out`,
    )
  }
  const { intervalMs, timeoutMs } = transaction
  if (intervalMs * 2 > timeoutMs) {
    refuse(
      `${where} › transaction.intervalMs: a transaction of ${formatNumber(intervalMs)} ms leaves no time to end it before ` +
        `the broker aborts it after ${formatNumber(timeoutMs)}; set timeoutMs to at least twice the interval`,
    )
  }
  return { ...transaction, id: id ?? null }
}

/** Throws `HG_OPTION_INVALID` with the first reason why the flow cannot be exactly-once. */
export function checkTransactions(where: string, sources: readonly SourcePlan[], flow: FlowPlan): void {
  const [first, ...others] = sources.map(({ source }) => source) as [Source, ...Source[]]
  const scope = scopeOf(where, 'source', first)
  for (const source of others) checkScope(where, 'source', source, first, scope)
  for (const sink of outputsOf(flow)) checkScope(where, 'sink', sink, first, scope)
  for (const sink of deadSinksOf(sources, flow)) checkScope(where, 'dead-letter sink', sink, first, scope)
  checkBatches(where, flow)
}

type Connector = Source | Sink<never>

function scopeOf(where: string, what: string, { name, transactional }: Connector): string {
  if (transactional !== undefined) return transactional.scope
  refuse(
    `${where} › delivery: 'exactly-once' cannot be kept, since the ${what} '${name}' takes part in no transaction: what ` +
      'it stores and the progress of the sources would not be committed together. Use connectors of one Kafka cluster ' +
      "(kafka.source, and kafka.sink with acks 'all' and idempotence), or delivery: 'at-least-once' with outputs that " +
      'may be repeated',
  )
}

function checkScope(where: string, what: string, connector: Connector, first: Source, scope: string): void {
  const own = scopeOf(where, what, connector)
  if (own === scope) return
  refuse(
    `${where} › delivery: 'exactly-once' cannot be kept, since no transaction spans two clusters: the ${what} ` +
      `'${connector.name}' is in ${own}, the source '${first.name}' in ${scope}. If they are the same cluster, give both ` +
      'the same list of brokers',
  )
}

/** A batch that is more than one write stands for records of several partitions, of which one may be taken away. */
function checkBatches(where: string, { stages, end }: FlowPlan): void {
  const batch = stages.find(({ kind }, at) => kind === 'batch' && (at < stages.length - 1 || end.kind === 'route'))
  if (batch !== undefined) {
    refuse(
      `${where} › delivery: 'exactly-once' cannot be kept behind ${batch.name}: a value made of a batch stands for ` +
        'records of several partitions, and one of them may be taken away before the transaction ends. Put .to(sink) ' +
        'directly behind .batch(), or leave the batch out: the sink gathers by itself',
    )
  }
  if (end.kind === 'route') for (const branch of end.branches.values()) checkBatches(where, branch)
}
