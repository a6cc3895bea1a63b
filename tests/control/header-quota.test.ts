/** A quota that the downstream states: spent whole, shared, and forgotten when it is stated no more. */
import { describe, expect, test } from 'vitest'
import { Controller } from '../../src/control/controller.ts'
import { HeaderQuota } from '../../src/control/header-quota.ts'

const PERIOD_MS = 10_000
const LIMIT = 1000
const STEP_MS = 5

/** Clients that are answered at once by a downstream that states what is left; returns what was granted in each step. */
function run(clients: readonly HeaderQuota[], forMs: number): { granted: number[]; refused: number } {
  const sequences = clients.map(() => 0)
  const granted: number[] = []
  let refused = 0
  let used = 0
  for (let nowMs = 0; nowMs < forMs; nowMs += STEP_MS) {
    if (nowMs % PERIOD_MS === 0) used = 0
    let now = 0
    clients.forEach((client, at) => {
      if (client.waitMs(sequences[at] as number, nowMs) > 0) return
      const sequence = (sequences[at] = (sequences[at] as number) + 1)
      client.sent(sequence, nowMs)
      if (used < LIMIT) {
        used += 1
        now += 1
      } else refused += 1
      // Headers count in whole seconds, rounded up.
      const resetMs = Math.ceil((PERIOD_MS - (nowMs % PERIOD_MS)) / 1000) * 1000
      client.seen({ limit: LIMIT, remaining: LIMIT - used, resetMs }, sequence, nowMs)
    })
    granted.push(now)
  }
  return { granted, refused }
}

const sum = (list: readonly number[]): number => list.reduce((all, each) => all + each, 0)

describe('a stated quota', () => {
  test('is spent whole, although the time that is left is stated in whole seconds', () => {
    const { granted, refused } = run([new HeaderQuota()], 3 * PERIOD_MS)
    expect(sum(granted)).toBeGreaterThan(0.98 * 3 * LIMIT)
    expect(refused).toBe(0)
  })

  test('is spread over its time by several clients that use it together', () => {
    const clients = Array.from({ length: 5 }, () => new HeaderQuota())
    const { granted } = run(clients, 3 * PERIOD_MS)
    const last = granted.slice((2 * PERIOD_MS) / STEP_MS)
    expect(sum(last.slice(0, last.length / 2))).toBeLessThan(0.7 * LIMIT)
    expect(sum(last)).toBeGreaterThan(0.95 * LIMIT)
  })

  test('is forgotten when answer after answer comes without it', () => {
    const quota = new HeaderQuota()
    quota.seen({ limit: 10, remaining: 0, resetMs: 50_000 }, 1, 0)
    for (let answer = 0; answer < 10; answer += 1) quota.unseen()
    expect(quota.waitMs(1, 10)).toBeGreaterThan(0)
    for (let answer = 0; answer < 100; answer += 1) quota.unseen()
    expect(quota.waitMs(1, 10)).toBe(0)
  })

  test('takes the place of a pace that was found by refusals before', () => {
    const controller = new Controller(
      { initial: 100, max: 100, learned: { version: 1, limit: 100, baselineMs: 1, ratePerSecond: 10 } },
      0,
    )
    let sent = 0
    for (let nowMs = 0; nowMs < 10_000; nowMs += 1) {
      if (controller.admit(nowMs) > 0) continue
      sent += 1
      const rateLimit = { limit: 5000, remaining: 5000 - sent, resetMs: 10_000 - nowMs }
      controller.settled(controller.sent(nowMs), nowMs + 0.5, { kind: 'success', status: 200, rateLimit })
    }
    expect(sent).toBeGreaterThan(4500)
    expect(sent).toBeLessThanOrEqual(5000)
  })
})
