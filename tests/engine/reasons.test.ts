/** The small meters of the engine: reasons, lanes, durations by size, hot keys, failures. */
import { expect, test } from 'vitest'
import { Durations } from '../../src/engine/durations.ts'
import { HotKeys } from '../../src/engine/hot-keys.ts'
import { LaneClock } from '../../src/engine/lane-clock.ts'
import { ReasonClock } from '../../src/engine/reason-clock.ts'

test('each reason has the time for which it held, the present one up to now', () => {
  const clock = new ReasonClock(1000)
  clock.set('idle', 1500)
  clock.set('key', 2000)
  clock.set('concurrency', 2250)
  expect(clock.seconds(4250)).toEqual({ idle: 1, key: 0.25, concurrency: 2 })
})

test('a pull that brought nothing was one without input, and one that brought something a fetch', () => {
  const lane = new LaneClock(0)
  lane.set('pulling', 0)
  lane.pulled(1000, false)
  lane.set('pulling', 1000)
  lane.pulled(1500, true)
  lane.set('uncommitted', 1500)
  lane.set('residence', 1750)
  expect(lane.seconds(3000)).toEqual({ NO_INPUT: 1, FETCH: 0.5, COMMIT: 0.25, BLOCKED: 1.25 })
})

test('durations are kept by size and by what was in flight, and add up', () => {
  const durations = new Durations()
  durations.ended(1, 10, 2, 0)
  durations.ended(100, 40, 1, 5)
  durations.ran(100, 3)
  const { count, records, ms, cpuMs, bySize, byInFlight } = durations.sums()
  expect({ count, records, ms, cpuMs }).toEqual({ count: 3, records: 102, ms: 60, cpuMs: 3 })
  expect(bySize.map(({ fromRecords, ms: took }) => [fromRecords, took])).toEqual([
    [1, 20],
    [64, 40],
  ])
  expect(byInFlight).toEqual([
    { fromInFlight: 0, count: 2, ms: 20 },
    { fromInFlight: 3, count: 1, ms: 40 },
  ])
})

test('a key that a tenth of the records have is found among many, whatever the sizes of the lots', () => {
  const keys = new HotKeys()
  let at = 0
  for (const length of [1, 63, 500, 7, 2048, 2048, 100, 2048, 2048, 2048, 2048, 2048]) {
    keys.sample(length, (index) => ((at + index) % 10 === 3 ? 'hot' : `k${(at + index) * 7919}`))
    at += length
  }
  const [first] = keys.shares()
  expect(first?.key).toBe('hot')
  expect(first?.share).toBeGreaterThan(0.03)
  expect(first?.share).toBeLessThan(0.3)
})

test('records without a key have no hot one', () => {
  const keys = new HotKeys()
  keys.sample(10_000, () => null)
  expect(keys.shares()).toEqual([])
})
