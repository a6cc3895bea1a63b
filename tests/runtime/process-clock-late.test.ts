/** How late what falls due gets its turn: measured beside code that keeps the thread. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ProcessClock } from '../../src/runtime/process-clock.ts'

const BLOCK_MS = 120

test('what keeps the thread is seen as lateness of what falls due meanwhile', async () => {
  const clock = new ProcessClock()
  clock.start()
  try {
    await sleep(50)
    const before = clock.read().lateMsSeconds as number
    const untilMs = performance.now() + BLOCK_MS
    while (performance.now() < untilMs);
    await sleep(150)
    const after = clock.read().lateMsSeconds as number
    // What falls due in a block waits for half of it on average. A busy machine only adds to that; half is for the ticks.
    expect(after - before).toBeGreaterThan((0.5 * BLOCK_MS ** 2) / 2 / 1000)
  } finally {
    clock.stop()
  }
})
