import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CommitClock } from '../../src/engine/commit-clock.ts'

const INTERVAL_MS = 1_000

/** A clock whose last commit began now. */
function justCommitted(nowMs: number, records?: number): CommitClock {
  const clock = new CommitClock({ intervalMs: INTERVAL_MS, records }, nowMs)
  clock.begun(nowMs)
  clock.succeeded()
  return clock
}

describe('what is due by the number of its records', () => {
  test('half as many completions as records in flight do not wait for the interval, one less does', () => {
    const clock = justCommitted(0)
    expect(clock.isDue({ completions: 3_999, inFlight: 8_000, urgent: false }, 500)).toBe(false)
    expect(clock.dueMs).toBe(INTERVAL_MS)
    expect(clock.isDue({ completions: 4_000, inFlight: 8_000, urgent: false }, 500)).toBe(true)
  })

  test('fewer than a thousand wait for the interval, however little is in flight', () => {
    const clock = justCommitted(0)
    expect(clock.isDue({ completions: 999, inFlight: 3, urgent: false }, 999)).toBe(false)
    expect(clock.isDue({ completions: 999, inFlight: 3, urgent: false }, INTERVAL_MS)).toBe(true)
    expect(clock.isDue({ completions: 1_000, inFlight: 3, urgent: false }, 500)).toBe(true)
  })

  test('a number that was given holds, whatever is in flight', () => {
    const clock = justCommitted(0, 20)
    expect(clock.isDue({ completions: 19, inFlight: 2, urgent: false }, 500)).toBe(false)
    expect(clock.isDue({ completions: 20, inFlight: 90_000, urgent: false }, 500)).toBe(true)
  })

  test('what a crash would repeat stays below what it interrupts, while that is worked off in a quarter of a second or more', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3_000, max: 100_000 }),
        fc.integer({ min: 250, max: 5_000 }),
        fc.integer({ min: 1, max: 50 }),
        (inFlight, residenceMs, storedAfterMs) => {
          const perMs = inFlight / residenceMs
          const clock = justCommitted(0)
          let [completions, covered, storedAtMs, most] = [0, 0, Number.POSITIVE_INFINITY, 0]
          for (let nowMs = 1; nowMs < 5_000; nowMs += 1) {
            completions += perMs
            if (nowMs >= storedAtMs) {
              completions -= covered
              storedAtMs = Number.POSITIVE_INFINITY
              clock.succeeded()
            } else if (
              storedAtMs === Number.POSITIVE_INFINITY &&
              clock.isDue({ completions, inFlight, urgent: false }, nowMs)
            ) {
              clock.begun(nowMs)
              covered = completions
              storedAtMs = nowMs + storedAfterMs
            }
            most = Math.max(most, completions)
          }
          expect(most).toBeLessThan(inFlight)
        },
      ),
      { numRuns: 50 },
    )
  })
})

test('commits after failures keep a distance that grows, and a success ends it', () => {
  const clock = justCommitted(0)
  const pausesMs: number[] = []
  let nowMs = 0
  for (let failure = 0; failure < 12; failure += 1) {
    clock.begun(nowMs)
    clock.failed(nowMs, true)
    clock.isDue({ completions: 1, inFlight: 0, urgent: true }, nowMs)
    pausesMs.push(clock.dueMs - nowMs)
    nowMs = clock.dueMs
  }
  expect(pausesMs.slice(1).every((pauseMs, index) => pauseMs >= (pausesMs[index] as number))).toBe(true)
  expect(pausesMs.at(-1)).toBeGreaterThan(pausesMs[0] as number)
  expect(clock.failing).toBe(true)
  clock.succeeded()
  expect(clock.failing).toBe(false)
  expect(clock.failures).toBe(12)
})

test('a failure of which nothing is committed again holds nothing up', () => {
  const clock = justCommitted(0)
  clock.failed(10, false)
  expect(clock.isDue({ completions: 1, inFlight: 0, urgent: true }, 10)).toBe(true)
})
