/** What the process did with its time, as sums since the start of a clock. */
import { expect, test } from 'vitest'
import { ProcessClock } from '../../src/runtime/process-clock.ts'

function keepBusy(forMs: number): void {
  const untilMs = performance.now() + forMs
  while (performance.now() < untilMs);
}

test('a clock that was stopped keeps its figures, and begins anew when it is started again', async () => {
  const clock = new ProcessClock()
  clock.start()
  keepBusy(30)
  await new Promise((resolve) => setTimeout(resolve, 20))
  clock.stop()
  const last = clock.read()
  expect(last.cpuMs).toBeGreaterThan(0)
  expect(last.lateMsSeconds).toBeGreaterThan(0)
  keepBusy(20)
  expect(clock.read()).toEqual(last)

  clock.start()
  const { cpuMs, lateMsSeconds } = clock.read()
  expect(lateMsSeconds).toBe(0)
  expect(cpuMs).toBeLessThan(last.cpuMs)
  clock.stop()
})
