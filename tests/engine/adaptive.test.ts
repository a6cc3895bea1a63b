/** How a call stage limits its calls: one limiter, one for each tenant, one for several stages, in virtual time. */
import { describe, expect, test } from 'vitest'
import { HeadgateError, overloaded } from '../../src/model/errors.ts'
import type { CallPlan, ConcurrencyPlan, Plan } from '../../src/model/plan.ts'
import type { LimiterStatus } from '../../src/model/status.ts'
import { Drive, servers } from './downstream.ts'
import { callPlan, planOf, sinkPlan } from './hand.ts'

const ADAPTIVE: ConcurrencyPlan = { kind: 'adaptive', limiter: null, initial: null, min: 1, max: 500, target: 1 }

function adaptivePlan(call: Partial<CallPlan> = {}, ...more: CallPlan[]): Plan {
  const first = callPlan({ concurrency: ADAPTIVE, queueRecords: 2000, timeoutMs: 10_000, ...call })
  const admission = {
    records: 10_000,
    bytes: 2 ** 26,
    residenceMs: 10_000,
    maxRecordBytes: 1000,
    uncommittedRecords: 1e6,
  }
  return planOf({ stages: [first, ...more], end: sinkPlan({ queueRecords: 2000 }) }, { admission })
}

function limitersOf(drive: Drive, stage = 'call'): LimiterStatus[] {
  return drive.hand.engine.snapshot().stages.find(({ name }) => name === stage)!.limiters
}

describe('an adaptive call stage', () => {
  test('finds what the downstream takes, and queues next to nothing there', () => {
    const drive = new Drive(adaptivePlan(), servers(20, 50))
    drive.run(30_000)
    const capacity = (20 / 50) * 1000
    expect(drive.completedBetween(20_000, 30_000)).toBeGreaterThan(0.9 * capacity * 10)
    const [limiter] = limitersOf(drive)
    expect(limiter).toMatchObject({ key: null, breaker: 'closed' })
    expect(limiter!.limit).toBeLessThan(40)
    expect(limiter!.baselineMs).toBeCloseTo(50, 0)
  })

  test('while the downstream is down the gate closes: few attempts are made, and no record uses up its own', () => {
    const healthy = servers(20, 50)
    const refused = new HeadgateError('HG_CONNECTION_LOST', 'refused')
    const isDown = (nowMs: number): boolean => nowMs >= 10_000 && nowMs < 30_000
    const drive = new Drive(
      adaptivePlan({ retry: { attempts: 2, backoff: { baseMs: 10, maxMs: 100, factor: 2 }, budget: 0.1 } }),
      (offset, nowMs, slot) => (isDown(nowMs) ? { afterMs: 5, thrown: refused } : healthy(offset, nowMs, slot)),
    )
    drive.run(45_000)
    expect(drive.startedBetween(10_000, 30_000)).toBeLessThan(80)
    expect(drive.completedBetween(40_000, 45_000)).toBeGreaterThan(0.8 * 400 * 5)
    expect(drive.hand.engine.failure).toBeNull()
  })

  test("one tenant's 429 closes the gate for that tenant alone", () => {
    const healthy = servers(20, 10)
    const full = overloaded('429', { status: 429, retryAfterMs: 60_000 })
    const tenant = (offset: number): string => (offset % 100 === 0 ? 'full' : 'fine')
    const drive = new Drive(adaptivePlan({ limitKey: tenant as CallPlan['limitKey'] }), (offset, nowMs, slot) =>
      tenant(offset) === 'full' ? { afterMs: 5, thrown: full } : healthy(offset, nowMs, slot),
    )
    drive.run(5000)
    const calledFull = drive.hand.engine.snapshot().stages.find(({ name }) => name === 'call')!.rejected429
    expect(calledFull).toBeLessThan(4)
    expect(drive.completedBetween(2000, 5000)).toBeGreaterThan(3000)
    expect(limitersOf(drive).find(({ key }) => key === 'full')).toMatchObject({ gate: 'retry-after' })
    expect(limitersOf(drive).find(({ key }) => key === 'fine')?.gate).not.toBe('retry-after')
  })

  test('thousands of tenants are bounded, and those that come again find their limiter', () => {
    const drive = new Drive(
      adaptivePlan({ limitKey: ((offset: number) => `tenant-${offset % 5000}`) as CallPlan['limitKey'] }),
      servers(2000, 5),
    )
    drive.run(80)
    expect(drive.done.length).toBeGreaterThan(10_000)
    const { engine } = drive.hand
    const inUse = engine.inFlight
    const [learned] = Object.values(engine.learned())
    expect(Object.keys(learned!).length).toBeLessThanOrEqual(1000 + inUse)
    expect(limitersOf(drive).length).toBeLessThanOrEqual(8)
  })

  test('a key that cannot be had is no key: the record is not lost, and the others go on', () => {
    const limitKey = ((offset: number) => {
      if (offset % 2 === 0) throw new Error('no tenant')
      return 7 as never
    }) as CallPlan['limitKey']
    const drive = new Drive(adaptivePlan({ limitKey }), servers(10, 10))
    drive.run(2000)
    expect(drive.done.length).toBeGreaterThan(500)
    expect(limitersOf(drive).map(({ key }) => key)).toEqual([''])
  })

  test('stages that name one limiter share its permits', () => {
    const shared: ConcurrencyPlan = { ...ADAPTIVE, limiter: 'host', max: 6 }
    let live = 0
    let most = 0
    const drive = new Drive(
      adaptivePlan({ concurrency: shared }, callPlan({ name: 'second', concurrency: shared, queueRecords: 100 })),
      () => ({ afterMs: 20 }),
    )
    const count = (by: number) => (live += by)
    const { engine } = drive.hand
    const settled = engine.settled.bind(engine)
    engine.settled = (slot) => {
      count(-1)
      settled(slot)
    }
    const push = drive.startedMs.push.bind(drive.startedMs)
    drive.startedMs.push = (...started) => {
      most = Math.max(most, count(1))
      return push(...started)
    }
    drive.run(5000)
    expect(most).toBe(6)
    expect(drive.done.length).toBeGreaterThan(100)
  })

  test('what was learned is where the next run begins, and nonsense is ignored', () => {
    const first = new Drive(adaptivePlan(), servers(20, 50))
    first.run(20_000)
    const learned = JSON.parse(JSON.stringify(first.hand.engine.learned()))
    expect(Object.keys(learned)).toEqual(['stage:call'])
    expect(learnedStart(learned)).toBeGreaterThan(10)
    for (const nonsense of [{}, { 'stage:call': null }, { 'stage:call': { '': { version: 1, limit: -3 } } }, { x: 1 }])
      expect(learnedStart(nonsense)).toBe(1)
  })

  test('figures of a quota that a handler heard pace the calls', () => {
    const drive = new Drive(adaptivePlan(), (_offset, nowMs, slot) => {
      const leftMs = 1000 - (nowMs % 1000)
      slot.heard = {
        limit: 50,
        remaining: Math.max(0, 50 - drive.startedBetween(nowMs - (nowMs % 1000), Infinity)),
        resetMs: leftMs,
      }
      return { afterMs: 10 }
    })
    drive.run(20_000)
    const perSecond = drive.startedBetween(10_000, 20_000) / 10
    expect(perSecond).toBeLessThanOrEqual(51)
    expect(perSecond).toBeGreaterThan(40)
    expect(limitersOf(drive)[0]!.ratePerSecond).toBeCloseTo(50, -1)
  })

  test('a maximum that is lowered while it runs holds from then on', () => {
    const drive = new Drive(adaptivePlan(), servers(50, 20))
    drive.run(10_000)
    drive.hand.step(() => drive.hand.engine.setLimits({ stages: { call: { concurrency: 5 } } }))
    drive.run(11_000)
    expect(limitersOf(drive)[0]!.limit).toBeLessThanOrEqual(5)
    expect(drive.completedBetween(10_500, 11_000)).toBeLessThanOrEqual((5 / 20) * 500 + 5)
  })
})

function learnedStart(learned: unknown): number {
  const drive = new Drive(adaptivePlan(), servers(20, 50), learned)
  return limitersOf(drive)[0]!.limit
}
