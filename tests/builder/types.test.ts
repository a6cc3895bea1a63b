import { describe, expectTypeOf, it } from 'vitest'
import type { z } from 'zod'
import type { Branch, Flow } from '../../src/builder/flow.ts'
import type * as options from '../../src/builder/option-types.ts'
import { type Pipeline, pipeline } from '../../src/builder/pipeline.ts'
import type { pipelineSchema } from '../../src/builder/pipeline-options.ts'
import type { batchSchema, callSchema, routeSchema, sinkSchema, stageSchema } from '../../src/builder/stage-options.ts'
import type { RecordInfo } from '../../src/model/record.ts'
import { type Payment, sinkOf, sourceOf } from './doubles.ts'

const base = pipeline('p').from(sourceOf())

const nothing = (): void => {}

/** Compiled, never run. */
function compiled(..._unused: readonly (() => unknown)[]): void {}

describe('types flow from the source to the sink', () => {
  it('through each stage', () => {
    expectTypeOf(base).toEqualTypeOf<Flow<Payment, Pipeline>>()
    expectTypeOf(base.map((payment) => payment.amount)).toEqualTypeOf<Flow<number, Pipeline>>()
    expectTypeOf(base.map('m', (payment, record) => [payment.id, record.offset] as const)).toEqualTypeOf<
      Flow<readonly [string, number], Pipeline>
    >()
    expectTypeOf(base.flatMap((payment) => payment.id.split(','))).toEqualTypeOf<Flow<string, Pipeline>>()
    expectTypeOf(base.tap(() => {})).toEqualTypeOf<Flow<Payment, Pipeline>>()
    expectTypeOf(base.call('c', async (payment) => payment.amount)).toEqualTypeOf<Flow<number, Pipeline>>()
    expectTypeOf(base.call('c', (payment) => payment.id)).toEqualTypeOf<Flow<string, Pipeline>>()
    expectTypeOf(base.call('c', async (): Promise<unknown> => 1)).toEqualTypeOf<Flow<unknown, Pipeline>>()
    expectTypeOf(base.call('c', async ({ id }) => (id === '' ? null : id))).toEqualTypeOf<
      Flow<string | null, Pipeline>
    >()
    expectTypeOf(base.to(sinkOf())).toEqualTypeOf<Pipeline>()
  })

  it('from several sources as their union', () => {
    const both = pipeline('p').from(sourceOf<string>('a'), { source: sourceOf<number>('b') })
    expectTypeOf(both).toEqualTypeOf<Flow<string | number, Pipeline>>()
  })

  it('narrowed by a type guard', () => {
    type Noted = Payment & { note: string }
    const noted = (payment: Payment): payment is Noted => payment.note !== null
    expectTypeOf(base.filter(noted)).toEqualTypeOf<Flow<Noted, Pipeline>>()
    expectTypeOf(base.filter('noted', noted)).toEqualTypeOf<Flow<Noted, Pipeline>>()
    expectTypeOf(base.filter((payment) => payment.amount > 0)).toEqualTypeOf<Flow<Payment, Pipeline>>()
  })

  it('into batches and out of them', () => {
    base.batch().tap((batch) => expectTypeOf(batch).toEqualTypeOf<readonly Payment[]>())
    expectTypeOf(base.batch().to(sinkOf<Payment>())).toEqualTypeOf<Pipeline>()
    expectTypeOf(base.batch().flatMap((batch) => [...batch])).toEqualTypeOf<Flow<Payment, Pipeline>>()
    expectTypeOf(base.batch().map((batch) => batch.length)).toEqualTypeOf<Flow<number, Pipeline>>()
  })

  it('into branches', () => {
    const whole = base.route('r', (payment) => (payment.amount > 100 ? 'large' : 'small'), {
      large: (flow) => {
        expectTypeOf(flow).toEqualTypeOf<Flow<Payment, Branch>>()
        return flow.map((payment) => payment.amount).to(sinkOf<number>())
      },
      small: (flow) => flow.to(sinkOf<Payment>()),
    })
    expectTypeOf(whole).toEqualTypeOf<Pipeline>()
  })

  it('into the handlers', () => {
    base.map((_, record) => expectTypeOf(record).toEqualTypeOf<RecordInfo>() ?? 1)
    base.call('c', (_, context) => {
      expectTypeOf(context.signal).toEqualTypeOf<AbortSignal>()
      expectTypeOf(context.idempotencyKey).toEqualTypeOf<string>()
      return 1
    })
  })

  it('and stop what cannot work', () => {
    compiled(() => {
      // @ts-expect-error a call must return a value
      base.call('c', async () => {})
      // @ts-expect-error a call must return a value on every path
      base.call('c', async (payment) => (payment.amount > 0 ? payment : undefined))
      // @ts-expect-error map must return a value
      base.map(nothing)
      // @ts-expect-error map is synchronous
      base.map(async (payment) => payment)
      // @ts-expect-error map is synchronous, with a name too
      base.map('m', (payment) => (payment.amount > 0 ? payment : Promise.resolve(payment)))
      // @ts-expect-error tap is synchronous
      base.tap(async () => {})
      // @ts-expect-error a promise is always true
      base.filter(async () => false)
      // @ts-expect-error the sink takes numbers
      base.to(sinkOf<number>())
      // @ts-expect-error the sink takes payments, not batches of them
      base.batch().to(sinkOf<readonly Payment[]>())
      // @ts-expect-error there is no branch of that name
      base.route('r', () => 'b', { a: (flow) => flow.to(sinkOf()) })
      // @ts-expect-error a branch needs a sink
      base.route('r', () => 'a', { a: (flow) => flow.map(() => 1) })
      // @ts-expect-error a batch of batches
      base.batch().batch()
      // @ts-expect-error a unit is missing
      base.call('c', () => 1, { timeout: 5 })
      // @ts-expect-error a sink has no budget
      base.to(sinkOf(), { retry: { budget: 0.1 } })
      // @ts-expect-error nothing can be done without a source
      pipeline('p').to(sinkOf())
      // @ts-expect-error at least one source
      pipeline('p').from()
    })
  })
})

describe('the option types', () => {
  it('are those of the schemas', () => {
    type Same<Given, Schema extends z.ZodType> = Given extends Mutable<z.input<Schema>> ? true : false
    type Mutable<T> = T extends object ? { readonly [K in keyof T]: T[K] } : T
    type Keys<Given, Schema extends z.ZodType> = [keyof Given] extends [keyof z.input<Schema>]
      ? [keyof z.input<Schema>] extends [keyof Given]
        ? Same<Given, Schema>
        : false
      : false
    expectTypeOf<Keys<options.PipelineOptions, typeof pipelineSchema>>().toEqualTypeOf<true>()
    expectTypeOf<Keys<options.StageOptions, typeof stageSchema>>().toEqualTypeOf<true>()
    expectTypeOf<Keys<options.CallOptions, typeof callSchema>>().toEqualTypeOf<true>()
    expectTypeOf<Keys<options.BatchOptions, typeof batchSchema>>().toEqualTypeOf<true>()
    expectTypeOf<Keys<options.RouteOptions, typeof routeSchema>>().toEqualTypeOf<true>()
    expectTypeOf<Keys<options.SinkOptions, typeof sinkSchema>>().toEqualTypeOf<true>()
  })
})
