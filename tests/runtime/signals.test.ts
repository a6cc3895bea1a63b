/** The signals that operations of one kind share. */
import { describe, expect, test } from 'vitest'
import { Signals } from '../../src/runtime/signals.ts'

describe('signals that are shared', () => {
  test('abort the operations in progress and no later ones', () => {
    const signals = new Signals()
    const over = signals.take()
    signals.release(over)
    const first = signals.take()
    const second = signals.take()
    signals.abort(new Error('stop'))
    expect([first, second].map(({ controller }) => controller.signal.aborted)).toEqual([true, true])
    expect(signals.take().controller.signal.aborted).toBe(false)
  })

  test('let each of many operations listen without a warning of a leak', async () => {
    let warnings = 0
    const onWarning = ({ name }: Error): void => {
      if (name === 'MaxListenersExceededWarning') warnings += 1
    }
    process.on('warning', onWarning)
    const signals = new Signals()
    for (let operation = 0; operation < 40; operation += 1)
      signals.take().controller.signal.addEventListener('abort', () => {}, { once: true })
    // A warning is emitted in a later tick.
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', onWarning)
    expect(warnings).toBe(0)
  })
})
