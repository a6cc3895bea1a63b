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

/** How often the event loop went round while `run` was under way. */
async function roundsOf(run: () => Promise<unknown>): Promise<number> {
  let rounds = 0
  let counting = true
  const count = (): void => {
    rounds += 1
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  await run()
  counting = false
  return rounds
}

const many = Array.from({ length: 3000 }, (_, index) => index)

it('calls that settle without the event loop do not wait for it', async () => {
  const rounds = await roundsOf(() =>
    pipeline('at-once')
      .from(memory.source(many))
      .call('settle', async (value: number) => value, { concurrency: 4, order: 'none' })
      .to(countingSink().sink)
      .run(),
  )
  expect(rounds).toBeLessThan(many.length / 4)
})

it('pulls and writes that are answered without the event loop do not wait for it', async () => {
  const credit = 10
  // A clock that goes by what is done, and not by how busy the machine is: the loop is let go round by the clock too.
  let readings = 0
  const world = { nowMs: () => (readings += 1) / 1000, wallMs: () => Date.now(), seed: () => 1 }
  const { sink, writes } = countingSink()
  const rounds = await roundsOf(() =>
    pipeline('credit', { admission: { records: credit } })
      .from(memory.source(many))
      .to(sink)
      .run({ world }),
  )
  expect(writes.length).toBeGreaterThanOrEqual(many.length / credit)
  expect(rounds).toBeLessThan(many.length / credit)
})
