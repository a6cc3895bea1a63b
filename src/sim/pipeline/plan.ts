/** The plan of a simulated pipeline: parse, enrich, batch, store. */
import type { Sink, Source } from '../../model/connector.ts'
import type { CallPlan, Plan, RetryPlan } from '../../model/plan.ts'
import type { PipelineSpec } from './spec.ts'

/** `parsed` is called for each record that the synchronous stage runs for. */
export function planOf(
  { enrich, batch, store, admission, source: { commitEveryMs } }: PipelineSpec,
  source: Source,
  parsed: () => void,
): Plan {
  const retry: RetryPlan = {
    attempts: enrich.attempts,
    backoff: { baseMs: 20, maxMs: 500, factor: 2 },
    budget: enrich.retryBudget,
  }
  const call: CallPlan = {
    kind: 'call',
    name: 'enrich',
    fn: (value: never) => value,
    order: enrich.order,
    concurrency:
      enrich.adaptiveMax === null
        ? { kind: 'fixed', limit: enrich.slots }
        : { kind: 'adaptive', limiter: null, initial: null, min: 1, max: enrich.adaptiveMax, target: 1 },
    limitKey: null,
    rate: enrich.ratePerSecond === null ? null : { perSecond: enrich.ratePerSecond, burst: 5 },
    timeoutMs: enrich.timeoutMs,
    retry,
    onFailure: { kind: 'skip' },
    queueRecords: enrich.queueRecords,
  }
  const parse = (value: unknown): unknown => {
    parsed()
    return value
  }
  return {
    name: 'simulated',
    sources: [{ source, onFailure: { kind: 'skip' } }],
    flow: {
      stages: [
        { kind: 'map', name: 'parse', fn: parse as never, onFailure: { kind: 'skip' } },
        call,
        { kind: 'batch', name: 'batch', records: batch.records, bytes: 10_000_000, withinMs: batch.withinMs },
      ],
      end: {
        kind: 'sink',
        name: 'store',
        sink: modelledSink(store.writes),
        order: 'none',
        retry,
        onFailure: { kind: 'skip' },
        queueRecords: 4096,
      },
    },
    admission: {
      records: admission.records,
      bytes: 64 * 1024 * 1024,
      residenceMs: admission.residenceMs,
      maxRecordBytes: 1024 * 1024,
      uncommittedRecords: admission.uncommittedRecords,
    },
    commit: { intervalMs: commitEveryMs, records: 1_000_000 },
    drainMs: 10_000,
    revokeGraceMs: 2000,
  }
}

function modelledSink(maxInFlightWrites: number): Sink<never> {
  const never = (): never => {
    throw new Error('the engine calls no connector')
  }
  return {
    name: 'store',
    capabilities: { maxBatchRecords: 10_000, maxInFlightWrites, idempotent: true, atomic: false },
    open: never,
    write: never,
    close: never,
  }
}
