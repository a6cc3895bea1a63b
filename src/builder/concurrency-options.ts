/**
 * How many calls may be in flight: a number, or `adaptive()`, which finds the number. `stage-options.ts` takes the
 * schema for `concurrency`, `policies.ts` makes the values. Invariant: what is accepted is a `ConcurrencyPlan` or a number.
 */
import { z } from 'zod'
import type { ConcurrencyPlan } from '../model/plan.ts'
import { formatNumber } from '../model/units.ts'
import { decimal, described, whole, wholeOr } from './option.ts'

const MOST_SLOTS = 100_000
const MOST_ADAPTIVE_CALLS = 50_000
const EXPECTED = `an integer from 1 to ${formatNumber(MOST_SLOTS)}`

/** Made by `fixed(n)`: the same as the plain number. */
export type FixedConcurrency = Extract<ConcurrencyPlan, { kind: 'fixed' }>
/** Made by `adaptive()`. */
export type AdaptiveConcurrency = Extract<ConcurrencyPlan, { kind: 'adaptive' }>

function isMade(value: unknown): value is ConcurrencyPlan {
  const kind = typeof value === 'object' && value !== null ? (value as { kind?: unknown }).kind : undefined
  return kind === 'fixed' || kind === 'adaptive'
}

export const slotsSchema = described(z.int().min(1).max(MOST_SLOTS), {
  expected: EXPECTED,
  fallback: '',
  unit: 'calls in flight',
  about: 'How many calls may be in flight at once.',
})

export const adaptiveSchema = z.strictObject({
  initial: wholeOr({
    unit: 'calls in flight',
    min: 1,
    max: MOST_ADAPTIVE_CALLS,
    fallback: 'what was learned before, else `min`',
    about: 'How many calls may be in flight at first.',
    raise: 'calls take seconds, so that climbing from 1 takes minutes, and the downstream is known to take more',
    lower: 'the first seconds already overload the downstream',
  }),
  min: whole({
    unit: 'calls in flight',
    min: 1,
    max: MOST_ADAPTIVE_CALLS,
    fallback: 1,
    about: 'The limit never falls below this.',
    raise: 'a bad minute must not throttle below a pace that was agreed on',
    lower: 'the downstream is hurt although the limit is at its minimum',
  }),
  max: whole({
    unit: 'calls in flight',
    min: 1,
    max: MOST_ADAPTIVE_CALLS,
    fallback: 1000,
    about: 'The limit never rises above this.',
    raise: 'the limit stays at the maximum and latency is flat',
    lower: 'connections, sockets or a contract allow fewer',
  }),
  target: decimal({
    unit: '',
    min: 0.1,
    max: 10,
    fallback: 1,
    about:
      'Scales the queue that is aimed at in the downstream: 1 is about a third of √limit calls, more where they vary much.',
    raise: 'the duration of calls varies so much that servers run dry',
    lower: 'the latency of a call matters more than the last percent of throughput',
  }),
  limiter: described(z.string().min(1).max(100).optional(), {
    expected: 'a text of 1 to 100 characters',
    fallback: 'one of its own for each stage',
    about: 'Stages that name the same limiter share it, as they should when they call the same host.',
  }),
})

export const concurrencySchema = described(z.union([slotsSchema, z.custom<ConcurrencyPlan>(isMade)]).optional(), {
  expected: EXPECTED,
  fallback: 'adaptive()',
  unit: 'calls in flight',
  about: 'How many calls may be in flight at once: `adaptive()` finds it, a number or `fixed(number)` sets it.',
  raise: 'the stage is the bottleneck, its slots are all awaiting, and latency is flat',
  lower: 'latency rises with concurrency, or the downstream answers 429, 503 or timeouts',
})
