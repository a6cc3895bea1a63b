import type { Dispatcher } from 'undici'
import { describe, expectTypeOf, it } from 'vitest'
import {
  type AttemptOutcome,
  type Ended,
  type Limit,
  type LimiterOptions,
  type LimitLearned,
  limiter,
  limitInterceptor,
} from '../../src/limit/index.ts'

const limit = limiter()

/** Compiled, never run. */
function compiled(..._unused: readonly (() => unknown)[]): void {}

describe('types', () => {
  it('of a result are those of the call', () => {
    compiled(() => {
      expectTypeOf(limit(() => fetch('http://x'))).toEqualTypeOf<Promise<Response>>()
      expectTypeOf(limit(() => 5)).toEqualTypeOf<Promise<number>>()
      expectTypeOf(limit(async () => {})).toEqualTypeOf<Promise<void>>()
      expectTypeOf(limit((): PromiseLike<string> => Promise.resolve('x'))).toEqualTypeOf<Promise<string>>()
      expectTypeOf(limit(async (): Promise<unknown> => 1)).toEqualTypeOf<Promise<unknown>>()
    })
  })

  it('refuse what is refused when it runs', () => {
    compiled(
      // @ts-expect-error a call that is made already
      () => limit(fetch('http://x')),
      // @ts-expect-error a call takes nothing
      () => limit((url: string) => fetch(url)),
      // @ts-expect-error a key is a text
      () => limit(() => 1, { key: 5 }),
      // @ts-expect-error no such option
      () => limit(() => 1, { timeoutMs: 5 }),
      // @ts-expect-error no such option
      () => limiter({ concurrency: 5 }),
      // @ts-expect-error no such outcome
      () => limiter({ classify: () => ({ kind: 'busy' }) }),
      // @ts-expect-error what the outcome is has to be known at once
      () => limiter({ classify: async () => undefined }),
    )
  })

  it('fit one another', () => {
    expectTypeOf(limit).toEqualTypeOf<Limit>()
    expectTypeOf(limit.learned()).toEqualTypeOf<LimitLearned>()
    expectTypeOf(limit.learned()).toExtend<LimiterOptions['learned']>()
    expectTypeOf<NonNullable<LimiterOptions['classify']>>().parameters.toEqualTypeOf<[Ended]>()
    expectTypeOf<NonNullable<LimiterOptions['classify']>>().returns.toEqualTypeOf<AttemptOutcome | undefined>()
    expectTypeOf(limit.snapshot().keys).items.toHaveProperty('latencyMs').toEqualTypeOf<number | null>()
  })

  it('of the interceptor are those that undici composes', () => {
    expectTypeOf(limitInterceptor(limit)).toExtend<Dispatcher.DispatcherComposeInterceptor>()
  })
})
