/** How many slots repeats may hold: a share beside first attempts, all of them once nothing else waits and calls succeed. */
import { describe, expect, test } from 'vitest'
import { CallLine } from '../../src/engine/call-line.ts'
import { LimiterPool } from '../../src/engine/limiter-pool.ts'
import { placeName } from '../../src/engine/place.ts'
import { HeadgateError, overloaded } from '../../src/model/errors.ts'
import type { CallPlan, ConcurrencyPlan, Plan } from '../../src/model/plan.ts'
import { type Downstream, Drive, EMPTY_PULL_MS } from './downstream.ts'
import { callPlan, planOf, sinkPlan } from './hand.ts'
import { newItem, newPartition } from './items.ts'

const SLOTS = 40
const CALL_MS = 50
/** What is admitted before anything has completed. */
const BACKLOG = 500
const DOWN_UNTIL_MS = 3000
const FIXED: ConcurrencyPlan = { kind: 'fixed', limit: SLOTS }
const tooBusy = overloaded('503', { status: 503 })
const broken = new HeadgateError('HG_HANDLER_FAILED', '500')

function planWith(call: Partial<CallPlan>, ...more: CallPlan[]): Plan {
  const retry = { attempts: 5, backoff: { baseMs: 50, maxMs: 200, factor: 2 }, budget: 0.1 }
  const first = callPlan({ concurrency: FIXED, queueRecords: BACKLOG, timeoutMs: 10_000, retry, ...call })
  const admission = {
    records: BACKLOG,
    bytes: 2 ** 26,
    residenceMs: 1e6,
    maxRecordBytes: 1000,
    uncommittedRecords: 1e6,
  }
  return planOf({ stages: [first, ...more], end: sinkPlan({ queueRecords: 2000 }) }, { admission })
}

interface Attempt {
  readonly offset: number
  readonly repeat: boolean
  readonly failed: boolean
  readonly fromMs: number
  readonly toMs: number
}

/** Runs a downstream and keeps every attempt that was made. */
class Watched extends Drive {
  readonly attempts: Attempt[]

  constructor(plan: Plan, downstream: Downstream) {
    const attempts: Attempt[] = []
    super(plan, (offset, nowMs, slot) => {
      const answer = downstream(offset, nowMs, slot)
      attempts.push({
        offset,
        repeat: slot.retry,
        failed: answer.thrown !== undefined,
        fromMs: nowMs,
        toMs: nowMs + answer.afterMs,
      })
      return answer
    })
    this.attempts = attempts
  }

  /** Of the attempts that `counts` is true for: in flight at an instant. */
  inFlightAt(atMs: number, counts: (attempt: Attempt) => boolean): number {
    return this.attempts.filter((each) => each.fromMs <= atMs && atMs < each.toMs && counts(each)).length
  }

  mostInFlight(fromMs: number, counts: (attempt: Attempt) => boolean, toMs = Number.POSITIVE_INFINITY): number {
    const starts = this.attempts.filter((each) => each.fromMs >= fromMs && each.fromMs < toMs && counts(each))
    return Math.max(0, ...starts.map((each) => this.inFlightAt(each.fromMs, counts)))
  }

  /** Mean over a span, looked at every few milliseconds. */
  inFlightBetween(fromMs: number, toMs: number, counts: (attempt: Attempt) => boolean): number {
    let sum = 0
    let looks = 0
    for (let atMs = fromMs; atMs < toMs; atMs += CALL_MS / 10) {
      sum += this.inFlightAt(atMs, counts)
      looks += 1
    }
    return sum / looks
  }
}

const isRepeat = ({ repeat }: Attempt): boolean => repeat
const isFirst = ({ repeat }: Attempt): boolean => !repeat

/** Refuses everything until `DOWN_UNTIL_MS`, then each attempt that `fails` says. */
function healsWith(fails: () => boolean): Downstream {
  return (_offset, nowMs) =>
    nowMs < DOWN_UNTIL_MS
      ? { afterMs: 5, thrown: tooBusy }
      : { afterMs: CALL_MS, thrown: fails() ? tooBusy : undefined }
}

/** True for `share` of the times it is asked, evenly. */
function everySoOften(share: number): () => boolean {
  let owed = 0
  return () => {
    owed += share
    if (owed < 1) return false
    owed -= 1
    return true
  }
}

const SHARE = SLOTS / 4

describe('repeats', () => {
  test('fill the slots once the downstream is back and nothing else waits', () => {
    const drive = new Watched(
      planWith({}),
      healsWith(() => false),
    )
    drive.records = BACKLOG
    drive.run(DOWN_UNTIL_MS)
    expect(waitingFirst(drive)).toBe(0)
    drive.run(2 * DOWN_UNTIL_MS)
    const backMs = DOWN_UNTIL_MS + 3 * CALL_MS
    expect(drive.inFlightBetween(backMs, backMs + 8 * CALL_MS, isRepeat)).toBeGreaterThan(0.95 * SLOTS)
    expect(drive.done.length).toBe(BACKLOG)
  })

  test('are let in at the pace of a slow start, not all at once', () => {
    const drive = new Watched(
      planWith({}),
      healsWith(() => false),
    )
    drive.records = BACKLOG
    drive.run(DOWN_UNTIL_MS + 2 * CALL_MS)
    const backMs = DOWN_UNTIL_MS + CALL_MS
    expect(drive.mostInFlight(DOWN_UNTIL_MS, isRepeat, backMs)).toBe(SHARE)
    expect(drive.mostInFlight(backMs, isRepeat, backMs + CALL_MS)).toBe(2 * SHARE)
  })

  test('keep to their share once first attempts wait again, which use the rest', () => {
    const drive = new Watched(
      planWith({}),
      healsWith(() => false),
    )
    drive.run(DOWN_UNTIL_MS)
    while (waitingFirst(drive) === 0) drive.run(drive.hand.nowMs + 1)
    const fromMs = drive.hand.nowMs + 2 * CALL_MS
    drive.run(fromMs + 10 * CALL_MS)
    expect(waitingFirst(drive)).toBeGreaterThan(0)
    expect(waitingRepeats(drive)).toBeGreaterThan(0)
    expect(drive.mostInFlight(fromMs, isRepeat)).toBe(SHARE)
    expect(drive.inFlightBetween(fromMs, drive.hand.nowMs, isFirst)).toBe(SLOTS - SHARE)
  })

  for (const failing of [0.5, 0.9, 1]) {
    test(`hardly leave their share while ${failing * 100} % of the attempts go on to fail, although nothing else waits`, () => {
      const drive = new Watched(planWith({}), healsWith(everySoOften(failing)))
      drive.records = BACKLOG
      drive.run(DOWN_UNTIL_MS + 1000)
      expect(drive.mostInFlight(DOWN_UNTIL_MS, isRepeat)).toBeLessThan(1.5 * SHARE)
    })
  }

  test('that a downstream left behind which failed them are done soon after it is well, not at the pace of the reserve', () => {
    const retry = { attempts: 1000, backoff: { baseMs: 50, maxMs: 200, factor: 2 }, budget: 0.1 }
    const drive = new Watched(planWith({ retry }), (_offset, nowMs) =>
      nowMs < DOWN_UNTIL_MS ? { afterMs: 5, thrown: broken } : { afterMs: CALL_MS },
    )
    drive.records = BACKLOG
    drive.run(DOWN_UNTIL_MS)
    const withReserveMs = BACKLOG * 1000
    drive.run(DOWN_UNTIL_MS + withReserveMs / 10)
    expect(drive.done.length).toBe(BACKLOG)
  })

  test('that fail again stay a small share of the successes, however many wait', () => {
    const fails = everySoOften(0.6)
    const retry = { attempts: 1000, backoff: { baseMs: 50, maxMs: 200, factor: 2 }, budget: 0.1 }
    const drive = new Watched(planWith({ retry }), () => ({ afterMs: CALL_MS, thrown: fails() ? broken : undefined }))
    const ran = 20_000
    drive.run(ran)
    const inVain = drive.attempts.filter((each) => each.repeat && each.failed && each.toMs <= ran).length
    const successes = drive.attempts.filter((each) => !each.failed && each.toMs <= ran).length
    expect(waitingRepeats(drive)).toBeGreaterThan(SLOTS)
    expect(inVain).toBeLessThanOrEqual(10 + 0.1 * successes + ran / 1000)
  })

  test('make room for first attempts that come later with the next slots that are free', () => {
    const drive = new Watched(
      planWith({}),
      healsWith(() => false),
    )
    drive.records = BACKLOG
    drive.run(DOWN_UNTIL_MS + 4 * CALL_MS)
    const inFlight = drive.inFlightAt(drive.hand.nowMs, isRepeat)
    expect(inFlight).toBeGreaterThan(0.95 * SLOTS)
    drive.records += SLOTS
    drive.run(drive.hand.nowMs + EMPTY_PULL_MS + 2 * CALL_MS)
    const firstMs = drive.attempts.find(({ offset }) => offset >= BACKLOG)?.fromMs ?? Number.NaN
    expect(waitingRepeats(drive)).toBeGreaterThan(0)
    expect(drive.inFlightAt(firstMs + CALL_MS / 2, isFirst)).toBeGreaterThanOrEqual(SLOTS - SHARE)
  })

  test('keep to their share while first attempts of another stage wait for the same limiter', () => {
    const pool = new LimiterPool(FIXED, 1000, 0, () => 0, {})
    const line = new CallLine(pool.take(null, 0))
    const other = new CallLine(pool.take(null, 0))
    const started = (): number => {
      let count = 0
      for (; line.retryFits && line.pooled.admit(0) === 0; count += 1) line.sent(true, 0)
      for (let left = count; left > 0; left -= 1) line.settled(null, true, 0, { kind: 'ignored' })
      return count
    }
    for (let left = SLOTS; left > 0; left -= 1) line.settled(line.sent(false, 0), false, 0, { kind: 'success' })
    expect(started()).toBe(SLOTS)
    other.queue.push(newItem(newPartition(), 0))
    expect(started()).toBe(SHARE)
    other.queue.shift(null)
    expect(started()).toBe(SLOTS)
  })
})

function waitingFirst(drive: Drive): number {
  return recordsIn(drive, 'queue')
}

function waitingRepeats(drive: Drive): number {
  return recordsIn(drive, 'backoff')
}

function recordsIn(drive: Drive, kind: 'queue' | 'backoff'): number {
  const place = drive.hand.engine.snapshot().places.find(({ name }) => name === placeName('call', kind))
  return place?.records ?? Number.NaN
}
