/** The modelled fraud API keeps its quota, bounds its queue, and gets worse when it is pushed. */
import { describe, expect, it } from 'vitest'
import { FRAUD_DEFAULTS, FraudModel, type FraudModelOptions } from '../../examples/payment-enrichment/fraud-model.ts'
import { erlang4, seededDraw } from '../../examples/payment-enrichment/random.ts'

function model(options: Partial<FraudModelOptions> = {}, seed = 1): FraudModel {
  return new FraudModel({ ...FRAUD_DEFAULTS, ...options }, seededDraw(seed), 0)
}

interface Outcome {
  admittedAt: number[]
  quota: number
  overload: number
  /** Admitted and done by the end. */
  done: number
  waits: number[]
}

/** Offers requests at an even pace and says what became of them. */
function offer(api: FraudModel, perSecond: number, seconds: number): Outcome {
  const outcome: Outcome = { admittedAt: [], quota: 0, overload: 0, done: 0, waits: [] }
  let mostWaiting = 0
  for (let nth = 0; nth < perSecond * seconds; nth += 1) {
    const nowMs = (nth * 1000) / perSecond
    const verdict = api.arrive(nowMs)
    if (verdict.kind === 'quota') outcome.quota += 1
    else if (verdict.kind === 'overload') outcome.overload += 1
    else {
      outcome.admittedAt.push(nowMs)
      outcome.waits.push(verdict.doneInMs)
      if (nowMs + verdict.doneInMs <= seconds * 1000) outcome.done += 1
    }
    mostWaiting = Math.max(mostWaiting, api.waitingAt(nowMs))
  }
  expect(mostWaiting).toBeLessThanOrEqual(api.options.waiting)
  return outcome
}

const mean = (values: number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length

describe('the fraud API model', () => {
  it('completes its whole quota when it is offered exactly that, and refuses nothing', () => {
    const outcome = offer(model(), 20_000 / 60, 60)
    expect(outcome.quota + outcome.overload).toBe(0)
    expect(outcome.done).toBeGreaterThan(20_000 * 0.995)
    expect(mean(outcome.waits)).toBeLessThan(40)
  })

  it.each([1, 2, 3])('never admits more than the quota in any window (seed %i)', (seed) => {
    const draw = seededDraw(seed)
    const api = model({ servers: 1_000, refusalMs: 0 }, seed)
    const admitted: number[] = []
    for (let nowMs = 0; nowMs < 20_000; nowMs += draw() < 0.01 ? 500 * draw() : 2 * draw()) {
      if (api.arrive(nowMs).kind === 'admitted') admitted.push(nowMs)
    }
    const perMs = api.options.perMinute / 60_000
    for (let from = 0; from < admitted.length; from += 97) {
      for (let to = from; to < admitted.length; to += 101) {
        const windowMs = admitted[to]! - admitted[from]!
        expect(to - from + 1).toBeLessThanOrEqual(api.options.burst + windowMs * perMs + 1e-6)
      }
    }
  })

  it('bounds its queue and refuses the rest as overload', () => {
    const outcome = offer(model({ perMinute: 600_000, burst: 10_000 }), 2_000, 5)
    expect(outcome.overload).toBeGreaterThan(0)
    expect(Math.max(...outcome.waits)).toBeLessThan(5_000)
  })

  it('serves more slowly when its queue is more than half full', () => {
    const calm = offer(model({ perMinute: 600_000, burst: 10_000, refusalMs: 0 }), 350, 20)
    const pushed = offer(model({ perMinute: 600_000, burst: 10_000, refusalMs: 0 }), 1_000, 20)
    expect(calm.overload).toBe(0)
    expect(pushed.done).toBeLessThan(calm.done)
  })

  it('completes less in a retry storm than under a steady load', () => {
    const steady = offer(model(), 20_000 / 60, 20)
    const storm = offer(model(), 5_000, 20)
    expect(storm.done).toBeLessThan(steady.done * 0.8)
  })

  it('says how long the quota needs to let one more in', () => {
    const api = model({ perMinute: 60, burst: 1 })
    expect(api.arrive(0).kind).toBe('admitted')
    const verdict = api.arrive(250)
    expect(verdict).toEqual({ kind: 'quota', retryAfterMs: 750 })
    expect(api.arrive(1_000).kind).toBe('admitted')
  })

  it('draws service times with the mean it was given, the same for the same seed', () => {
    const times = Array.from(
      { length: 20_000 },
      (
        (draw) => () =>
          erlang4(draw, 20)
      )(seededDraw(7)),
    )
    expect(mean(times)).toBeGreaterThan(19.5)
    expect(mean(times)).toBeLessThan(20.5)
    expect(erlang4(seededDraw(3), 20)).toBe(erlang4(seededDraw(3), 20))
  })
})
