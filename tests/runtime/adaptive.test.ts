/** Adaptive concurrency through the public API: what handlers tell it, what is learned, and options that cannot be. */
import { setTimeout as sleep } from 'node:timers/promises'
import { adaptive, overloaded, pipeline } from 'headgate'
import { memory } from 'headgate/memory'
import { describe, expect, it } from 'vitest'

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)

describe('adaptive concurrency', () => {
  it('is what a call has when nothing is said, and stays within its bounds', async () => {
    let live = 0
    let most = 0
    const status = await pipeline('p')
      .from(memory.source(numbers(2000)))
      .call(
        'api',
        async (n) => {
          most = Math.max(most, (live += 1))
          await sleep(1)
          live -= 1
          return n
        },
        { concurrency: adaptive({ max: 20 }) },
      )
      .to(memory.sink<number>({ keep: false }))
      .run()
    expect(status.records.out).toBe(2000)
    expect(most).toBeGreaterThan(1)
    expect(most).toBeLessThanOrEqual(20)
    const [limiter] = status.stages.find(({ name }) => name === 'api')!.limiters
    expect(limiter).toMatchObject({ key: null, breaker: 'closed', inFlight: 0, waiting: 0 })
    expect(limiter!.baselineMs).toBeGreaterThan(0)
  })

  it('a later run begins with what an earlier one has learned', async () => {
    const plan = pipeline('p')
      .from(memory.source(numbers(3000)))
      .call('api', (n) => sleep(2, n), { concurrency: adaptive({ max: 64 }) })
      .to(memory.sink<number>({ keep: false }))
    const first = await plan.start()
    await first.done
    const learned = JSON.parse(JSON.stringify(first.learned()))
    const second = await pipeline('p')
      .from(memory.source([1]))
      .call('api', (n) => sleep(2, n), { concurrency: adaptive({ max: 64 }) })
      .to(memory.sink<number>({ keep: false }))
      .start({ learned })
    const [limiter] = second.status().stages.find(({ name }) => name === 'api')!.limiters
    expect(limiter!.limit).toBe(learned['stage:api'][''].limit)
    expect(limiter!.limit).toBeGreaterThan(1)
    await second.done
  })

  it('figures that a handler heard reach the limiter, also when they are taken out of the context', async () => {
    const running = await pipeline('p')
      .from(memory.source(numbers(200)))
      .call('api', async (n, { heard }) => {
        heard({ limit: 5, remaining: 0, resetMs: 60_000 })
        return n
      })
      .to(memory.sink<number>({ keep: false }))
      .start()
    while (running.status().stages.at(-2)?.reason !== 'quota') await sleep(10)
    const stage = running.status().stages.find(({ name }) => name === 'api')!
    expect(stage.reason).toBe('quota')
    expect(stage.limiters[0]).toMatchObject({ gate: 'quota' })
    expect(stage.attempts).toBeLessThan(200)
    await running.stop()
  })

  it('a 503 makes it wait and fails no record', async () => {
    let calls = 0
    const status = await pipeline('p')
      .from(memory.source(numbers(300)))
      .call('api', async (n) => {
        calls += 1
        if (calls % 10 === 0) throw overloaded('busy', { status: 503, retryAfterMs: 2 })
        return n
      })
      .to(memory.sink<number>({ keep: false }))
      .run()
    expect(status.records.out).toBe(300)
  })

  it.each([
    [{ min: 5, max: 4 }, 'adaptive(): expected min ≤ max, got min 5 (number) and max 4 (number)'],
    [{ initial: 9, max: 4 }, 'adaptive(): expected min ≤ initial ≤ max, got initial 9 (number), min 1 and max 4'],
    [{ max: 0 }, 'adaptive() › max: expected an integer from 1 to 50,000 (calls in flight), got 0 (number)'],
    [{ maximum: 4 }, 'maximum'],
  ])('refuses %o with what was expected and what came', (options, said) => {
    expect(() => adaptive(options as never)).toThrow(said)
  })

  it('refuses stages that share a limiter and disagree about it', () => {
    const one = pipeline('p')
      .from(memory.source([1]))
      .call('a', (n) => n, { concurrency: adaptive({ limiter: 'host', max: 10 }) })
      .call('b', (n) => n, { concurrency: adaptive({ limiter: 'host', max: 20 }) })
    expect(() => one.to(memory.sink())).toThrow("limiter 'host': 'a' gives max 10 (number) and 'b' gives 20 (number)")
  })
})
