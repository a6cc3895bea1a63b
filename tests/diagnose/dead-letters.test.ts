/** A dead-letter sink that takes little, in a real pipeline of whose records all fail: that is what is named. */
import { setTimeout as sleep } from 'node:timers/promises'
import { type DeadLetter, deadLetter, pipeline, type Sink } from 'headgate'
import { memory } from 'headgate/memory'
import { expect, test, vi } from 'vitest'

/** One dead letter every 20 ms. */
function slowDeadLetters(): Sink<DeadLetter> {
  const sink = memory.sink<DeadLetter>({ name: 'dead' })
  return {
    name: sink.name,
    capabilities: { ...sink.capabilities, maxBatchRecords: 1, maxInFlightWrites: 1 },
    open: () => sink.open(),
    write: async (batch, signal) => {
      await sleep(20)
      return sink.write(batch, signal)
    },
    close: () => sink.close(),
  }
}

test('what fails cannot be put away as fast as it fails', async () => {
  const refuse = (): number => {
    throw new TypeError('no such field')
  }
  const running = await pipeline('p')
    .from(memory.source(Array.from({ length: 100_000 }, (_, n) => n)))
    .map('check', refuse, { onFailure: deadLetter(slowDeadLetters()) })
    .to(memory.sink<number>())
    .start()
  try {
    const verdict = await vi.waitFor(
      () => {
        const said = running.diagnose().verdict
        expect(said.kind).toBe('dead-letter-full')
        return said
      },
      { timeout: 60_000, interval: 500 },
    )
    expect(verdict.bottleneck).toBe('dead-letter:dead')
    expect(verdict.sentence).toMatch(/^'dead-letter:dead' takes [\d.]+\/s and no more: what fails waits/)
  } finally {
    await running.stop()
  }
}, 90_000)
