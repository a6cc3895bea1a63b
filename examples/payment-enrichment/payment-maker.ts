/**
 * Makes payments: the same accounts, amounts and merchants for the same seed. The generator asks it for the next
 * one. Accounts follow Zipf's law, so a few are busy and most are quiet; one payment in a hundred is of zero.
 */
import type { Payment } from './payment.ts'
import { seededDraw, zipf } from './random.ts'

export interface PaymentMakerOptions {
  readonly seed: number
  /** Names this run: it begins every payment's id, and every account's sequence counts on from it. */
  readonly startedAtMs: number
  readonly accounts: number
  readonly exponent: number
}

const CURRENCIES = ['EUR', 'USD', 'GBP', 'CHF', 'SEK']

/** Returns the function that makes the next payment, created at the given time. */
export function paymentMaker(options: PaymentMakerOptions): (createdAtMs: number) => Payment {
  const draw = seededDraw(options.seed)
  const account = zipf(draw, options.accounts, options.exponent)
  const run = options.startedAtMs.toString(36)
  const sequences = new Map<number, number>()
  let made = 0
  return (createdAtMs) => {
    const rank = account()
    // Counting on from the start time keeps an account's sequence rising when the generator is started again: no
    // account makes a payment each millisecond.
    const sequence = (sequences.get(rank) ?? options.startedAtMs) + 1
    sequences.set(rank, sequence)
    made += 1
    return {
      paymentId: `${run}-${made}`,
      accountId: `account-${rank + 1}`,
      sequence,
      amount: draw() < 0.01 ? 0 : 1 + Math.floor(50_000 * draw() ** 3),
      currency: CURRENCIES[Math.floor(draw() * CURRENCIES.length)]!,
      merchant: `merchant-${1 + Math.floor(500 * draw() ** 2)}`,
      createdAt: new Date(createdAtMs).toISOString(),
    }
  }
}
