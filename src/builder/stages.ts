/**
 * Makes one stage of the plan from what the user gave: checks it, fills in defaults, and refuses combinations that
 * cannot work, with the reason. `flow.ts` calls it. Invariant: a stage it returns can run.
 */
import type { Sink } from '../model/connector.ts'
import { show } from '../model/option.ts'
import {
  type BatchPlan,
  type CallPlan,
  type ConcurrencyPlan,
  type FlatMapPlan,
  mostCalls,
  type RetryPlan,
  type SinkPlan,
  type SinkRetryPlan,
  type SyncStagePlan,
} from '../model/plan.ts'
import { formatNumber } from '../model/units.ts'
import { at, checkName, type Line, nameSink, nameStage } from './line.ts'
import type { CallOptions, SinkOptions, SinkRetryOptions } from './option-types.ts'
import { adaptive, checkBackoff, settleBackoff, settleRate } from './policies.ts'
import { parseOptions, refuse } from './problems.ts'
import { isAsyncFunction, isSink, SINK_METHODS } from './recognize.ts'
import { batchSchema, callSchema, sinkSchema, stageSchema } from './stage-options.ts'

type SyncKind = SyncStagePlan['kind'] | FlatMapPlan['kind']

/** `(fn, options?)` or `(name, fn, options?)`. */
export type SyncArguments = readonly [first: unknown, second?: unknown, third?: unknown]

export function makeSync(line: Line, kind: SyncKind, [first, second, third]: SyncArguments) {
  const named = typeof first === 'string'
  const name = nameStage(line, kind, named ? first : undefined)
  const where = at(line, kind, name)
  const fn = named ? second : first
  if (typeof fn !== 'function') refuse(`${where}: expected a function, got ${show(fn)}`)
  if (isAsyncFunction(fn)) {
    refuse(`${where}: expected a synchronous function, got an async one; use .call('${name}', …) for asynchronous work`)
  }
  const { onFailure = line.scope.onFailure } = parseOptions(stageSchema, named ? third : second, where)
  return { kind, name, fn, onFailure } as SyncStagePlan | FlatMapPlan
}

export function makeCall(line: Line, givenName: unknown, fn: unknown, given: CallOptions | undefined): CallPlan {
  if (typeof givenName === 'function') {
    refuse(`pipeline '${line.scope.pipeline}' › call: expected a name first, as in .call('score', handler)`)
  }
  const name = nameStage(line, 'call', givenName ?? null)
  const where = at(line, 'call', name)
  if (typeof fn !== 'function') refuse(`${where}: expected a handler function, got ${show(fn)}`)
  const options = parseOptions(callSchema, given, where)
  const order = options.order ?? 'none'
  if (line.batched && order !== 'none') {
    refuse(
      `${where} › order: '${order}' cannot be kept behind .batch(), since a batch has no single ${order}; ` +
        `put the call before .batch(), or leave its order at 'none'`,
    )
  }
  const concurrency = settleConcurrency(options.concurrency)
  return {
    kind: 'call',
    name,
    fn: fn as CallPlan['fn'],
    order,
    concurrency,
    limitKey: options.limitKey ?? null,
    rate: options.rate ? settleRate(options.rate) : null,
    timeoutMs: options.timeoutMs,
    retry: settleRetry(options.retry, given?.retry, CALLED_ONCE, where),
    onFailure: options.onFailure ?? line.scope.onFailure,
    queueRecords: options.queueRecords ?? Math.max(1024, 4 * mostCalls(concurrency)),
  }
}

const ADAPTIVE = adaptive()

function settleConcurrency(given: number | ConcurrencyPlan | undefined): ConcurrencyPlan {
  if (given === undefined) return ADAPTIVE
  return typeof given === 'number' ? { kind: 'fixed', limit: given } : given
}

/** Without retries the backoff still matters: overload and a lost connection are waited out, whatever `attempts`. */
const CALLED_ONCE = parseOptions(callSchema, { retry: { attempts: 1 } }, 'retry').retry as RetryPlan
const WRITTEN_ONCE = parseOptions(sinkSchema, { retry: { attempts: 1 } }, 'retry').retry as SinkRetryPlan

function settleRetry<R extends SinkRetryPlan>(
  retry: R | false,
  given: SinkRetryOptions | false | undefined,
  once: R,
  where: string,
): R {
  if (retry === false || given === false) return once
  checkBackoff(retry.backoff, given?.backoff, `${where} › retry.backoff`)
  return { ...retry, backoff: settleBackoff(retry.backoff, given?.backoff) }
}

export function makeBatch(line: Line, given: unknown): BatchPlan {
  const name = nameStage(line, 'batch', undefined)
  const where = at(line, 'batch', name)
  const options = parseOptions(batchSchema, given, where)
  const { admission } = line.scope
  const { records = Math.min(500, admission.records), bytes = Math.min(1_000_000, admission.bytes) } = options
  if (records > admission.records) refuse(`${where} › ${never('records', records, admission.records)}`)
  if (bytes > admission.bytes) refuse(`${where} › ${never('bytes', bytes, admission.bytes)}`)
  return { kind: 'batch', name, records, bytes, withinMs: options.withinMs }
}

function never(option: 'records' | 'bytes', wanted: number, admitted: number): string {
  return (
    `${option}: a batch of ${formatNumber(wanted)} ${option} would never fill, since admission.${option} lets only ` +
    `${formatNumber(admitted)} into the pipeline at once; lower the batch or raise the admission`
  )
}

export function makeSink(line: Line, sink: unknown, given: unknown): SinkPlan {
  const pipeline = `pipeline '${line.scope.pipeline}' › to`
  if (!isSink(sink)) {
    refuse(
      `${pipeline}: expected a sink (an object with name, capabilities, ${SINK_METHODS.join(', ')}), got ${show(sink)}`,
    )
  }
  const own = checkName(sink.name, `${pipeline}: the sink's name`)
  const options = parseOptions(sinkSchema, given, at(line, 'sink', own))
  const name = options.name === undefined ? nameSink(line, own) : nameStage(line, 'sink', options.name)
  const where = at(line, 'sink', name)
  const batch = closingBatch(line)
  checkSinkBatch(sink, batch, where)
  const { queueRecords = Math.max(4096, 2 * (batch?.records ?? 0)) } = options
  if (batch && queueRecords < batch.records) {
    refuse(
      `${where} › queueRecords: a queue of ${formatNumber(queueRecords)} records cannot take a batch of ` +
        `${formatNumber(batch.records)}; raise queueRecords or lower the records of the batch`,
    )
  }
  return {
    kind: 'sink',
    name,
    sink,
    order: sinkOrder(line, options.order, where),
    retry: settleRetry(options.retry, (given as SinkOptions | undefined)?.retry, WRITTEN_ONCE, where),
    onFailure: options.onFailure ?? line.scope.onFailure,
    queueRecords,
  }
}

/** The batch stage directly before the sink: each of its batches is one write. */
function closingBatch(line: Line): BatchPlan | null {
  const last = line.stages.at(-1)
  return last?.kind === 'batch' ? last : null
}

function checkSinkBatch(sink: Sink<never>, batch: BatchPlan | null, where: string): void {
  const { maxBatchRecords } = sink.capabilities
  if (!batch || !(batch.records > maxBatchRecords)) return
  refuse(
    `${where}: the sink takes at most ${formatNumber(maxBatchRecords)} records a write, and ${batch.name} makes ` +
      `batches of ${formatNumber(batch.records)}; set .batch({ records: ${maxBatchRecords} }) or less`,
  )
}

/** Behind a batch and a further stage a value stands for several records, so only `none` can be kept. */
function sinkOrder(line: Line, given: SinkPlan['order'] | undefined, where: string): SinkPlan['order'] {
  const combined = line.batched && closingBatch(line) === null
  if (!combined) return given ?? line.order
  if (given !== undefined && given !== 'none') {
    refuse(`${where} › order: '${given}' cannot be kept for values made of batches, which have no single ${given}`)
  }
  return 'none'
}
