/** The search for a quota, against buckets and windows of a few lines: from refusals alone to the rate that is granted. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Quota } from '../../src/control/quota.ts'
import { fitQuota } from '../../src/control/quota-fit.ts'
import { Stretch } from '../../src/control/stretch.ts'

type Grants = (nowMs: number) => boolean

function bucket(perSecond: number, burst: number): Grants {
  let tokens = burst
  let atMs = 0
  return (nowMs) => {
    tokens = Math.min(burst, tokens + ((nowMs - atMs) * perSecond) / 1000)
    atMs = nowMs
    if (tokens < 1) return false
    tokens -= 1
    return true
  }
}

function windows(perSecond: number): Grants {
  let second = 0
  let used = 0
  return (nowMs) => {
    if (Math.floor(nowMs / 1000) !== second) used = 0
    second = Math.floor(nowMs / 1000)
    used += 1
    return used <= perSecond
  }
}

/** A client with endless work and at most 2 calls a ms, whose calls are answered at once. */
class Client {
  nowMs = 0
  granted = 0
  refused = 0
  readonly quota = new Quota()
  #sequence = 0
  #closedMs = 0
  readonly #retryAfterMs: number

  constructor(retryAfterMs: number) {
    this.#retryAfterMs = retryAfterMs
  }

  /** Runs for so long; returns calls granted a second. */
  run(grants: Grants, forMs: number): number {
    const before = this.granted
    for (const endMs = this.nowMs + forMs; this.nowMs < endMs; this.nowMs += 0.5) {
      if (this.nowMs < this.#closedMs || this.quota.waitMs(this.nowMs) > 0) continue
      this.#sequence += 1
      this.quota.sent(this.nowMs)
      if (grants(this.nowMs)) {
        this.granted += 1
        this.quota.succeeded()
        continue
      }
      this.refused += 1
      this.quota.refused(this.#sequence, this.nowMs, this.#sequence, this.nowMs, this.#retryAfterMs)
      this.#closedMs = this.nowMs + this.#retryAfterMs
    }
    return ((this.granted - before) * 1000) / forMs
  }
}

describe('a quota is found from refusals', () => {
  test.each([
    ['a bucket of a tenth of a second', () => bucket(200, 20)],
    ['a bucket of half a second', () => bucket(200, 100)],
    ['a bucket of a second', () => bucket(200, 200)],
    ['a window of a second', () => windows(200)],
  ])('%s, with few refusals and a Retry-After for each', (_, make) => {
    const client = new Client(1000)
    const grants = make()
    client.run(grants, 20_000)
    expect(client.run(grants, 60_000)).toBeGreaterThan(0.88 * 200)
    expect(client.refused / client.granted).toBeLessThan(0.005)
  })

  test('a quota that has risen is found, although tries before it found the same one again', () => {
    const client = new Client(1000)
    client.run(bucket(100, 50), 120_000)
    expect(client.quota.perSecond).toBeLessThan(115)
    const risen = bucket(300, 150)
    client.run(risen, 120_000)
    expect(client.run(risen, 60_000)).toBeGreaterThan(0.85 * 300)
  })

  test('a quota that has fallen is followed down within seconds', () => {
    const client = new Client(1000)
    client.run(bucket(300, 150), 60_000)
    const fallen = bucket(100, 50)
    client.run(fallen, 20_000)
    expect(client.run(fallen, 60_000)).toBeGreaterThan(0.85 * 100)
    expect(client.quota.perSecond).toBeLessThan(115)
  })
})

describe('a quota of so many calls in every second', () => {
  test('is spent almost whole, the search for it and the pauses of refusals included', () => {
    const client = new Client(1000)
    expect(client.run(windows(200), 120_000)).toBeGreaterThan(0.98 * 200)
    expect(client.refused / client.granted).toBeLessThan(0.005)
  })

  test('that has risen is found', () => {
    const client = new Client(1000)
    client.run(windows(100), 60_000)
    client.run(windows(300), 60_000)
    expect(client.run(windows(300), 60_000)).toBeGreaterThan(0.95 * 300)
  })

  test('that has fallen is followed', () => {
    const client = new Client(1000)
    client.run(windows(300), 60_000)
    client.run(windows(100), 20_000)
    expect(client.run(windows(100), 60_000)).toBeGreaterThan(0.95 * 100)
  })

  test('that gives way to a bucket is no longer believed in', () => {
    const client = new Client(1000)
    client.run(windows(200), 60_000)
    const grants = bucket(100, 50)
    client.run(grants, 30_000)
    expect(client.run(grants, 60_000)).toBeGreaterThan(0.85 * 100)
  })

  test('that is gone no longer holds the client back', () => {
    const client = new Client(1000)
    client.run(windows(200), 60_000)
    client.run(() => true, 120_000)
    expect(client.run(() => true, 10_000)).toBeGreaterThan(1900)
  })
})

describe('a quota of few calls', () => {
  test.each([3, 7])('in a bucket of %i is used, although every refusal is a large share of them', (burst) => {
    const client = new Client(1000)
    client.run(bucket(10, burst), 300_000)
    expect(client.granted).toBeGreaterThan(0.85 * 10 * 300)
    expect(client.refused / client.granted).toBeLessThan(0.01)
  })

  test('is not tried again and again by several clients that refuse one another', () => {
    const clients = [new Client(1000), new Client(1000), new Client(1000)]
    const grants = bucket(20, 20)
    for (let step = 0; step < 600_000; step += 1) for (const client of clients) client.run(grants, 0.5)
    const sum = (of: (client: Client) => number): number => clients.reduce((all, each) => all + of(each), 0)
    expect(sum(({ refused }) => refused) / sum(({ granted }) => granted)).toBeLessThan(0.018)
  })
})

describe('what stretches say together', () => {
  /** A stretch at an even pace, from a full bucket to its refusal. */
  function emptied(perSecond: number, pace: number, burst: number): Stretch {
    const stretch = new Stretch(0, Number.POSITIVE_INFINITY)
    const grants = bucket(perSecond, burst)
    let calls = 0
    for (let nowMs = 0; ; nowMs += 1000 / pace) {
      stretch.granted(nowMs)
      calls += 1
      if (grants(nowMs) && calls < 1e5) continue
      stretch.end(nowMs, 1)
      return stretch
    }
  }

  test('two of different pace tell the rate from the size of a bucket of more than a few calls', () => {
    const rates = fc.record({
      perSecond: fc.integer({ min: 100, max: 500 }),
      seconds: fc.double({ min: 0.2, max: 1, noNaN: true }),
    })
    fc.assert(
      fc.property(rates, ({ perSecond, seconds }) => {
        const burst = perSecond * seconds
        const stretches = [emptied(perSecond, 3 * perSecond, burst), emptied(perSecond, 1.4 * perSecond, burst)]
        const found = fitQuota(stretches, perSecond / 6, 1.4 * perSecond).perSecond
        expect(found).toBeGreaterThan(0.8 * perSecond)
        expect(found).toBeLessThan(1.2 * perSecond)
      }),
      { numRuns: 100 },
    )
  })

  test('the answer lies within its bounds and is finite, whatever was sent and refused', () => {
    const step = fc.record({
      byMs: fc.oneof(fc.double({ min: 0, max: 50, noNaN: true }), fc.constantFrom(0, 3_600_000)),
      isRefused: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 300 }), fc.boolean(), (steps, isFull) => {
        const stretch = new Stretch(0, isFull ? Number.POSITIVE_INFINITY : 0)
        let nowMs = 0
        for (const { byMs, isRefused } of steps) {
          nowMs += byMs
          if (isRefused) stretch.refused(nowMs - byMs)
          else stretch.granted(nowMs)
        }
        stretch.end(nowMs, 1)
        const { perSecond, apart } = fitQuota([stretch, stretch], 10, 400)
        expect(perSecond).toBeGreaterThanOrEqual(10)
        expect(perSecond).toBeLessThanOrEqual(400 * (1 + 1e-9))
        expect(apart).toBeGreaterThanOrEqual(1)
        expect(Number.isFinite(apart)).toBe(true)
        expect(stretch.fastest()).toBeGreaterThan(0)
      }),
    )
  })
})
