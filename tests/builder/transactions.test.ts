import { describe, expect, it } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { deadLetter } from '../../src/builder/policies.ts'
import type { DeadLetter, Sink, Source, TransactionalSink, Transactions } from '../../src/model/connector.ts'
import { type Payment, refusal, sinkOf, sourceOf } from './doubles.ts'

const EXACTLY = { delivery: 'exactly-once' } as const
const nothing = null as unknown as Transactions

function inScope(scope: string): TransactionalSink {
  return { scope, transactions: () => nothing, join: () => {} }
}

function transactionalSource(scope = 'kafka:a:9092', name = 'payments'): Source<Payment> {
  return { ...sourceOf<Payment>(name), transactional: { scope, progress: () => null, committed: () => {} } }
}

function transactionalSink<T>(name = 'results', scope = 'kafka:a:9092'): Sink<T> {
  return { ...sinkOf<T>(name), transactional: inScope(scope) }
}

describe('delivery: exactly-once', () => {
  it('makes a plan with transactions, and no plan has them otherwise', () => {
    const build = (options?: Parameters<typeof pipeline>[1]) =>
      pipeline('p', options).from(transactionalSource()).to(transactionalSink()).plan
    expect(build().transaction).toBeUndefined()
    expect(build(EXACTLY).transaction).toEqual({ intervalMs: 1000, records: 10_000, id: null, timeoutMs: 60_000 })
    const transaction = { intervalMs: 100, records: 5, id: 'instance-3', timeoutMs: 10_000 }
    expect(build({ ...EXACTLY, transaction }).transaction).toEqual(transaction)
  })

  it('may have several sources, branches and dead letters of one cluster, and batches that are one write', () => {
    const dead = transactionalSink<DeadLetter>('dead')
    const made = pipeline('p', { ...EXACTLY, onFailure: deadLetter(dead) })
      .from(transactionalSource(), transactionalSource('kafka:a:9092', 'refunds'))
      .route('kind', ({ amount }) => (amount > 0 ? 'large' : 'small'), {
        large: (flow) => flow.to(transactionalSink('large')),
        small: (flow) => flow.batch().to(transactionalSink('small')),
      })
    expect(made.plan.transaction).toBeDefined()
  })

  it('is refused with a sink, a source or a dead-letter sink that takes part in no transaction', () => {
    expect(refusal(() => pipeline('p', EXACTLY).from(transactionalSource()).to(sinkOf('file')))).toMatch(
      /cannot be kept, since the sink 'file' takes part in no transaction.*at-least-once/,
    )
    expect(refusal(() => pipeline('p', EXACTLY).from(sourceOf('file')).to(transactionalSink()))).toMatch(
      /the source 'file' takes part in no transaction/,
    )
    const onFailure = deadLetter(sinkOf<DeadLetter>('dead'))
    expect(
      refusal(() =>
        pipeline('p', { ...EXACTLY, onFailure })
          .from(transactionalSource())
          .to(transactionalSink()),
      ),
    ).toMatch(/the dead-letter sink 'dead' takes part in no transaction/)
    const branch = (): unknown =>
      pipeline('p', EXACTLY)
        .from(transactionalSource())
        .route('kind', () => 'a' as const, { a: (flow) => flow.to(sinkOf('http')) })
    expect(refusal(branch)).toMatch(/the sink 'http' takes part in no transaction/)
  })

  it('is refused over two clusters, whichever connector is in the other one', () => {
    const elsewhere = 'kafka:b:9092'
    for (const build of [
      () => pipeline('p', EXACTLY).from(transactionalSource()).to(transactionalSink('results', elsewhere)),
      () =>
        pipeline('p', EXACTLY)
          .from(transactionalSource(), transactionalSource(elsewhere, 'refunds'))
          .to(transactionalSink()),
      () =>
        pipeline('p', { ...EXACTLY, onFailure: deadLetter(transactionalSink('dead', elsewhere)) })
          .from(transactionalSource())
          .to(transactionalSink()),
    ])
      expect(refusal(build)).toMatch(/no transaction spans two clusters.*kafka:b:9092.*the same list of brokers/)
  })

  it('is refused where a value made of a batch goes on', () => {
    const build = (): unknown =>
      pipeline('p', EXACTLY)
        .from(transactionalSource())
        .batch()
        .call('score', async (values) => values)
        .to(transactionalSink())
    expect(refusal(build)).toMatch(/cannot be kept behind batch.*may be taken away/)
  })

  it('refuses transactions without it, and intervals that leave no time for their end', () => {
    expect(refusal(() => pipeline('p', { transaction: { intervalMs: 5 } }))).toMatch(/add it, or leave this out/)
    const transaction = { intervalMs: 1000, timeoutMs: 1500 }
    expect(refusal(() => pipeline('p', { ...EXACTLY, transaction }))).toMatch(/at least twice the interval/)
  })
})
