/** A sink that is down: what paces its repeats is one backoff for the whole stage, in place of a retry budget. */
import { describe, expect, test } from 'vitest'
import { batch, Hand, planOf, sinkPlan } from './hand.ts'

const RECORDS = 40
const MOST_WRITES = 4
const DOWN_MS = 20_000
const STEP_MS = 5
const BACKOFF = { baseMs: 10, maxMs: 2000, factor: 2 }
/** At the longest backoff, of which half is certain, in an outage of this length; and as often again while it grows. */
const MOST_ROUNDS = 2 * (DOWN_MS / (BACKOFF.maxMs / 2))

describe.each([
  ['any order, some writes at once', false, 'none'],
  ['an order, all or nothing', true, 'partition'],
] as const)('a sink that is down: %s', (_, atomic, order) => {
  /** Runs until `untilMs`; every write ends at once, with what `answer` says. Returns the writes that were begun. */
  function run(hand: Hand, untilMs: number, answer: 'written' | { threw: unknown }): number {
    let writes = 0
    while (hand.nowMs < untilMs) {
      for (; hand.has('write'); writes += 1) hand.wrote(hand.take('write'), answer)
      hand.step(() => {}, STEP_MS)
    }
    return writes
  }

  const start = (): Hand => {
    const plan = sinkPlan(
      { order, retry: { attempts: 1_000_000, backoff: BACKOFF } },
      { atomic, maxBatchRecords: RECORDS / MOST_WRITES, maxInFlightWrites: MOST_WRITES },
    )
    const hand = new Hand(planOf({ stages: [], end: plan }))
    hand.pulled(
      batch(
        'p',
        1,
        Array.from({ length: RECORDS }, (__, offset) => offset),
      ),
    )
    return hand
  }

  test('is written to ever less often, loses nothing and goes on once it answers', () => {
    const hand = start()
    const writes = run(hand, DOWN_MS, { threw: new Error('down') })
    expect(writes).toBeGreaterThan(MOST_WRITES)
    expect(writes).toBeLessThanOrEqual(MOST_ROUNDS * (atomic ? 1 : MOST_WRITES))
    expect(hand.engine.snapshot().stages.at(-1)).toMatchObject({ reason: 'backoff' })
    expect(hand.engine.snapshot().records).toMatchObject({ out: 0, inFlight: RECORDS })

    run(hand, DOWN_MS + BACKOFF.maxMs + STEP_MS, 'written')
    expect(hand.engine.snapshot().records).toMatchObject({ out: RECORDS, inFlight: 0, skipped: 0, returned: 0 })
  })
})
