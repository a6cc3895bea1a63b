/** When the runtime takes a turn: once a round of the event loop for calls that it answers, at once for others. */
import { pipeline, type Sink } from 'headgate'
import { memory } from 'headgate/memory'
import { expect, it } from 'vitest'

const CALLS = 32

/** Says how many values each write had. */
function countingSink(): { readonly sink: Sink<number>; readonly writes: number[] } {
  const writes: number[] = []
  const sink: Sink<number> = {
    name: 'counting',
    capabilities: { maxBatchRecords: 1000, maxInFlightWrites: 1000, idempotent: false, atomic: false },
    open: async () => {},
    write: async ({ values }) => {
      writes.push(values.length)
      return 'written'
    },
    close: async () => {},
  }
  return { sink, writes }
}

const numbers = Array.from({ length: CALLS }, (_, index) => index)

it('calls that are answered in one round of the event loop go on together', async () => {
  const { sink, writes } = countingSink()
  const answers: (() => void)[] = []
  const answered = (value: number): Promise<number> =>
    new Promise((resolve) => {
      answers.push(() => resolve(value))
      // Each in a callback of its own, as timers and sockets call back.
      if (answers.length === CALLS) for (const answer of answers) setImmediate(answer)
    })
  await pipeline('rounds')
    .from(memory.source(numbers))
    .call('answered', answered, { concurrency: CALLS, order: 'none' })
    .to(sink)
    .run()
  expect(writes).toEqual([CALLS])
})

it('calls that settle without the event loop do not wait for it', async () => {
  let rounds = 0
  let counting = true
  const count = (): void => {
    rounds += 1
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  const many = Array.from({ length: 3000 }, (_, index) => index)
  const { sink } = countingSink()
  await pipeline('at-once')
    .from(memory.source(many))
    .call('settle', async (value: number) => value, { concurrency: 4, order: 'none' })
    .to(sink)
    .run()
  counting = false
  expect(rounds).toBeLessThan(many.length / 4)
})
