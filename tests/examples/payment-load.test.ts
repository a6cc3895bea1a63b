/** The example's load: accounts follow Zipf's law, sequences rise, the schedule keeps its rate, the API counts true. */
import { describe, expect, it } from 'vitest'
import { Arrivals } from '../../examples/payment-enrichment/arrivals.ts'
import { FraudTally } from '../../examples/payment-enrichment/fraud-tally.ts'
import { Payment } from '../../examples/payment-enrichment/payment.ts'
import { paymentMaker } from '../../examples/payment-enrichment/payment-maker.ts'
import { seededDraw, zipf } from '../../examples/payment-enrichment/random.ts'

const options = { seed: 1, startedAtMs: 1_750_000_000_000, accounts: 10_000, exponent: 0.9 }

describe('the Zipf draw', () => {
  it('gives each rank its share', () => {
    const rank = zipf(seededDraw(1), 1_000, 1)
    const counts = new Float64Array(1_000)
    for (let nth = 0; nth < 200_000; nth += 1) counts[rank()]! += 1
    const harmonic = Array.from({ length: 1_000 }, (_, index) => 1 / (index + 1)).reduce((a, b) => a + b, 0)
    for (const wanted of [0, 1, 2, 9]) {
      const share = 1 / (wanted + 1) / harmonic
      expect(counts[wanted]! / 200_000).toBeGreaterThan(share * 0.93)
      expect(counts[wanted]! / 200_000).toBeLessThan(share * 1.07)
    }
    expect(counts.filter((count) => count > 0).length).toBeGreaterThan(990)
  })

  it('stays within its ranks at both ends', () => {
    expect(zipf(() => 0, 5, 1)()).toBe(0)
    expect(zipf(() => 1 - 2 ** -32, 5, 1)()).toBe(4)
  })
})

describe('the payment maker', () => {
  it('makes valid payments, the same ones for the same seed', () => {
    const [one, two] = [paymentMaker(options), paymentMaker(options)]
    for (let nth = 0; nth < 1_000; nth += 1) {
      const payment = one(options.startedAtMs + nth)
      expect(Payment.parse(payment)).toEqual(two(options.startedAtMs + nth))
    }
  })

  it('numbers the payments of an account upward and every payment once', () => {
    const next = paymentMaker(options)
    const last = new Map<string, number>()
    const ids = new Set<string>()
    let zero = 0
    for (let nth = 0; nth < 20_000; nth += 1) {
      const payment = next(options.startedAtMs)
      expect(payment.sequence).toBeGreaterThan(last.get(payment.accountId) ?? 0)
      last.set(payment.accountId, payment.sequence)
      ids.add(payment.paymentId)
      if (payment.amount === 0) zero += 1
    }
    expect(ids.size).toBe(20_000)
    expect(zero).toBeGreaterThan(100)
    expect(zero).toBeLessThan(320)
  })
})

describe('the arrival schedule', () => {
  const schedule = new Arrivals([
    { perMinute: 100_000, forMs: 60_000 },
    { perMinute: 6_000, forMs: Number.POSITIVE_INFINITY },
  ])

  it('counts a burst and the trickle after it', () => {
    expect(schedule.dueBy(0)).toBe(0)
    expect(schedule.dueBy(30_000)).toBe(50_000)
    expect(schedule.dueBy(60_000)).toBe(100_000)
    expect(schedule.dueBy(120_000)).toBe(106_000)
  })

  it('says when each payment was meant to arrive', () => {
    expect(schedule.timeOf(50_000)).toBe(30_000)
    expect(schedule.timeOf(100_000)).toBe(60_000)
    expect(schedule.timeOf(100_600)).toBe(66_000)
  })

  it('ends with its last phase', () => {
    const short = new Arrivals([{ perMinute: 6_000, forMs: 1_000 }])
    expect(short.dueBy(10_000)).toBe(100)
    expect(short.endMs).toBe(1_000)
    expect(short.timeOf(101)).toBe(Number.POSITIVE_INFINITY)
  })
})

describe('what the fraud API counts', () => {
  const next = paymentMaker(options)
  const payments = Array.from({ length: 200 }, () => next(options.startedAtMs))
  const busiest = payments.filter((payment) => payment.accountId === 'account-1')

  it('tells first answers from repeated ones', () => {
    const tally = new FraudTally(20_000, 0)
    for (const payment of [busiest[0]!, busiest[1]!, busiest[0]!]) {
      tally.admitted()
      tally.completed(payment, 10)
    }
    expect(tally.stats(20)).toMatchObject({ completed: 3, unique: 2, duplicates: 1, orderViolations: 0, inFlight: 0 })
  })

  it('notices a payment that comes after a later one of its account', () => {
    const tally = new FraudTally(20_000, 0)
    for (const payment of [busiest[1]!, busiest[0]!]) {
      tally.admitted()
      tally.completed(payment, 10)
    }
    expect(tally.stats(20).orderViolations).toBe(1)
  })

  it('keeps a history of whole seconds, and only the last ten minutes of it', () => {
    const tally = new FraudTally(20_000, 0)
    tally.admitted()
    tally.completed(busiest[0]!, 1_500)
    expect(tally.stats(3_200).completedPerSecond).toEqual([0, 1, 0])
    expect(tally.stats(3_600_000).completedPerSecond.length).toBeLessThanOrEqual(600)
  })
})
