/** Slot time by state only ever grows: a counter that falls would read as a restart of the process. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { AWAIT, SlotClock } from '../../src/engine/slot-clock.ts'

test('no state loses time, whenever somebody looks, and the sum is slots × time', () => {
  const step = fc.record({ awaiting: fc.integer({ min: 0, max: 4 }), ranMs: fc.nat(50), restMs: fc.nat(50) })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const clock = new SlotClock(4, 0)
      let nowMs = 0
      let before = clock.seconds()
      const look = (): void => {
        const now = clock.seconds()
        for (const [state, seconds] of Object.entries(now)) {
          expect(seconds).toBeGreaterThanOrEqual(before[state as keyof typeof before])
        }
        before = now
      }
      for (const { awaiting, ranMs, restMs } of steps) {
        clock.counts.fill(0)
        clock.counts[AWAIT] = awaiting
        clock.counts[0] = 4 - awaiting
        if (awaiting > 0) clock.ranOfAwait(ranMs)
        look()
        nowMs += ranMs + restMs
        clock.advance(nowMs)
        look()
        expect(clock.error()).toBeCloseTo(0, 9)
      }
    }),
  )
})
