import { describe, expect, it } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { deadLetter, exponential, fixed, perMinute, perSecond, skip, stop } from '../../src/builder/policies.ts'
import type { CallPlan, RoutePlan, SinkPlan } from '../../src/model/plan.ts'
import { deadSink, type Payment, refusal, sinkOf, sourceOf } from './doubles.ts'

const score = async (payment: Payment) => ({ ...payment, score: 1 })
const SINK_RETRY = { attempts: 5, backoff: { baseMs: 100, maxMs: 10_000, factor: 2 } }
const CALL_RETRY = { ...SINK_RETRY, budget: 0.1 }

describe('the plan of a pipeline', () => {
  it('is bounded everywhere when no option is given', () => {
    const source = sourceOf()
    const sink = sinkOf()
    const { plan } = pipeline('payments').from(source).call('fraud', score).batch().to(sink)
    expect(plan).toEqual({
      name: 'payments',
      sources: [{ source, onFailure: { kind: 'stop' } }],
      admission: {
        records: 10_000,
        bytes: 64 * 1024 * 1024,
        residenceMs: 10_000,
        maxRecordBytes: 1024 * 1024,
        uncommittedRecords: 1_000_000,
      },
      commit: { intervalMs: 1_000 },
      drainMs: 25_000,
      revokeGraceMs: 20_000,
      flow: {
        stages: [
          {
            kind: 'call',
            name: 'fraud',
            fn: score,
            order: 'none',
            concurrency: { kind: 'adaptive', limiter: null, initial: null, min: 1, max: 1000, target: 1 },
            limitKey: null,
            rate: null,
            timeoutMs: 30_000,
            retry: CALL_RETRY,
            onFailure: { kind: 'stop' },
            queueRecords: 4000,
          },
          { kind: 'batch', name: 'batch-1', records: 500, bytes: 1_000_000, withinMs: 50 },
        ],
        end: {
          kind: 'sink',
          name: 'enriched',
          sink,
          order: 'none',
          retry: SINK_RETRY,
          onFailure: { kind: 'stop' },
          queueRecords: 4096,
        },
      },
    })
    expect(plan.sources[0]?.source).toBe(source)
  })

  it('holds what was given', () => {
    const dead = deadSink()
    const { plan } = pipeline('payments', {
      admission: { records: 200, bytes: 500_000, maxRecordBytes: 1000 },
      commit: { intervalMs: 5 },
      drainMs: 0,
    })
      .from({ source: sourceOf(), onFailure: skip() })
      .call('fraud', score, {
        order: 'key',
        concurrency: fixed(512),
        rate: perMinute(20_000),
        timeoutMs: 2_000,
        retry: { attempts: 3, backoff: exponential({ baseMs: 20_000 }) },
        onFailure: deadLetter(dead),
      })
      .batch()
      .to(sinkOf(), { retry: false, name: 'out', queueRecords: 9000 })
    const [call, batch] = plan.flow.stages
    expect(plan.sources[0]?.onFailure).toEqual({ kind: 'skip' })
    expect(call).toMatchObject({
      order: 'key',
      concurrency: { kind: 'fixed', limit: 512 },
      queueRecords: 2048,
      timeoutMs: 2000,
      rate: { perSecond: 20_000 / 60, burst: 34 },
      retry: { attempts: 3, backoff: { baseMs: 20_000, maxMs: 20_000, factor: 2 }, budget: 0.1 },
      onFailure: { kind: 'deadLetter', sink: dead },
    })
    expect(batch).toMatchObject({ records: 200, bytes: 500_000 })
    expect(plan.flow.end).toMatchObject({ name: 'out', queueRecords: 9000 })
    expect(plan.flow.end).toHaveProperty('retry', { ...SINK_RETRY, attempts: 1 })
    expect(plan).toMatchObject({ drainMs: 0, commit: { intervalMs: 5 } })
  })

  it('hands the failure policy of the pipeline down to stages, branches, sinks and sources', () => {
    const { plan } = pipeline('p', { onFailure: skip() })
      .from(sourceOf())
      .map((payment) => payment)
      .filter(() => true, { onFailure: stop() })
      .route('way', () => 'a', { a: (flow) => flow.call('fraud', score).to(sinkOf()) })
    const route = plan.flow.end as RoutePlan
    const branch = route.branches.get('a')!
    expect(plan.sources[0]?.onFailure.kind).toBe('skip')
    expect(plan.flow.stages.map((stage) => 'onFailure' in stage && stage.onFailure.kind)).toEqual(['skip', 'stop'])
    expect(route.onFailure.kind).toBe('skip')
    expect((branch.stages[0] as CallPlan).onFailure.kind).toBe('skip')
    expect((branch.end as SinkPlan).onFailure.kind).toBe('skip')
  })

  it('lowers defaults of batch and record size to a smaller admission', () => {
    const { plan } = pipeline('p', { admission: { records: 10, bytes: 2048 } })
      .from(sourceOf())
      .batch()
      .to(sinkOf())
    expect(plan.admission.maxRecordBytes).toBe(2048)
    expect(plan.flow.stages[0]).toMatchObject({ records: 10, bytes: 2048 })
  })

  it('makes the queue of a sink large enough for two batches', () => {
    const { plan } = pipeline('p').from(sourceOf()).batch({ records: 5000 }).to(sinkOf())
    expect(plan.flow.end.queueRecords).toBe(10_000)
  })

  it('merges several sources', () => {
    const { plan } = pipeline('p')
      .from(sourceOf('a'), { source: sourceOf('b'), onFailure: skip() })
      .to(sinkOf())
    expect(plan.sources.map(({ source, onFailure }) => [source.name, onFailure.kind])).toEqual([
      ['a', 'stop'],
      ['b', 'skip'],
    ])
  })
})

describe('names', () => {
  it('are counted up where none is given, across branches', () => {
    const { plan } = pipeline('p')
      .from(sourceOf())
      .map((payment) => payment)
      .map('map-2', (payment) => payment)
      .map((payment) => payment)
      .tap(() => {})
      .route('way', () => 'a', {
        a: (flow) => flow.map((payment) => payment).to(sinkOf('same')),
        b: (flow) => flow.flatMap((payment) => [payment]).to(sinkOf('same')),
      })
    const names = plan.flow.stages.map((stage) => stage.name)
    const branches = [...(plan.flow.end as RoutePlan).branches.values()]
    expect(names).toEqual(['map-1', 'map-2', 'map-3', 'tap-1'])
    expect(branches.map((flow) => [...flow.stages.map((stage) => stage.name), flow.end.name])).toEqual([
      ['map-4', 'same'],
      ['flatMap-1', 'same-2'],
    ])
  })

  it('may be used again when a flow is continued in two ways', () => {
    const base = pipeline('p').from(sourceOf())
    expect(base.call('fraud', score).to(sinkOf()).plan.flow.stages).toHaveLength(1)
    expect(base.call('fraud', score).to(sinkOf()).plan.flow.stages).toHaveLength(1)
  })

  it('are refused when they occur twice, also in another branch', () => {
    const base = pipeline('p').from(sourceOf()).call('fraud', score)
    expect(refusal(() => base.call('fraud', score))).toBe(
      "pipeline 'p' › call 'fraud': the name is taken by another stage; each stage needs a name of its own",
    )
    expect(
      refusal(() =>
        base.route('way', () => 'a', {
          a: (flow) => flow.call('again', score).to(sinkOf()),
          b: (flow) => flow.call('again', score).to(sinkOf()),
        }),
      ),
    ).toContain("call 'again': the name is taken")
    expect(refusal(() => base.to(sinkOf(), { name: 'fraud' }))).toContain("sink 'fraud': the name is taken")
  })
})

describe('the name decode', () => {
  it('belongs to the stage that decodes', () => {
    const base = pipeline('p').from(sourceOf())
    expect(refusal(() => base.map('decode', () => 1))).toContain("map 'decode': the name is taken")
    const two = pipeline('p').from(sourceOf('a'), sourceOf('b'))
    expect(refusal(() => two.map('decode-2', () => 1))).toContain("map 'decode-2': the name is taken")
    expect(two.map('decode', () => 1).to(sinkOf('decode-1')).plan.flow.end.name).toBe('decode-1-2')
  })
})

describe('the order of a sink', () => {
  const orderOf = (build: () => { plan: { flow: { end: unknown } } }) => (build().plan.flow.end as SinkPlan).order
  const base = pipeline('p').from(sourceOf())

  it('is the strictest of the calls before it', () => {
    const key = base.call('a', score, { order: 'key' })
    expect(orderOf(() => base.to(sinkOf()))).toBe('none')
    expect(orderOf(() => key.call('b', score).to(sinkOf()))).toBe('key')
    expect(orderOf(() => key.call('b', score, { order: 'partition' }).to(sinkOf()))).toBe('partition')
    expect(orderOf(() => key.batch().to(sinkOf()))).toBe('key')
    expect(orderOf(() => key.to(sinkOf(), { order: 'none' }))).toBe('none')
  })

  it('is none for values that batches were made into', () => {
    const combined = base
      .call('a', score, { order: 'key' })
      .batch()
      .map((batch) => batch.length)
    expect(orderOf(() => combined.to(sinkOf()))).toBe('none')
    expect(refusal(() => combined.to(sinkOf(), { order: 'key' }))).toContain('values made of batches')
  })

  it('is inherited by branches', () => {
    const { plan } = base.call('a', score, { order: 'key' }).route('way', () => 'x', { x: (flow) => flow.to(sinkOf()) })
    expect(((plan.flow.end as RoutePlan).branches.get('x')!.end as SinkPlan).order).toBe('key')
  })
})

describe('rates', () => {
  it('allow a burst of a tenth of a second unless told otherwise', () => {
    expect(perSecond(1000)).toEqual({ perSecond: 1000, burst: 100 })
    expect(perSecond(0.5)).toEqual({ perSecond: 0.5, burst: 1 })
    expect(perMinute(600, { burst: 7 })).toEqual({ perSecond: 10, burst: 7 })
  })
})
