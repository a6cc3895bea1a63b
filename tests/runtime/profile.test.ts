/** A CPU profile on demand names the stage whose code ran, and code that belongs to none. */
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { memory } from '../../src/connectors/memory/index.ts'
import type { Profile, ProfileFrame } from '../../src/model/diagnosis.ts'

function burn(ms: number): number {
  const untilMs = performance.now() + ms
  let turns = 0
  while (performance.now() < untilMs) turns += 1
  return turns
}

/** Small enough for V8 to inline it, and what calls it, into the stage's loop. */
function roots(n: number): number {
  let sum = 0
  for (let of = n; of < n + 200; of += 1) sum += Math.sqrt(of)
  return sum
}

function* endless(): Generator<number> {
  for (let n = 0; ; n += 1) yield n
}

function isOfBurn({ function: name, where, stage }: ProfileFrame): boolean {
  return stage !== null || (where.includes('profile.test') && name !== endless.name)
}

test('the stage and the foreign code are told apart', async () => {
  const running = await pipeline('profiled')
    .from(memory.source(endless()))
    .map('heavy', (n) => n + burn(2))
    .call('wait', async (n: number) => n, { concurrency: 4 })
    .to(memory.sink())
    .start()
  const foreign = setInterval(() => burn(20), 40)
  let profile: Profile
  let burning: (string | null)[]
  // On a machine that does much else a short profile may miss the one or the other. V8 may inline `burn` into its callers.
  do {
    profile = await running.profile({ durationMs: 500 })
    burning = profile.frames.filter(isOfBurn).map(({ stage }) => stage)
  } while (!burning.includes('heavy') || !burning.includes(null))
  clearInterval(foreign)
  expect(profile.stages.heavy).toBeGreaterThan(0)
  expect(profile.foreignShare).toBeGreaterThan(0)
  expect(running.diagnose().profile).toEqual(profile)
  await running.stop()
})

test.each([1, 2])('of %i synchronous stages one is told when V8 has inlined its function', async (stages) => {
  const one = pipeline('inlined')
    .from(memory.source(endless()))
    .map('heavy', (n) => n + roots(n))
  const all = stages === 1 ? one : one.filter('all', (n) => n > 0)
  const running = await all.to(memory.sink({ keep: false })).start()
  while (running.status().records.out < 500_000) await sleep(10)
  const profile = await running.profile({ durationMs: 500 })
  await running.stop()
  // More than Headgate's own code and foreign code together.
  expect(profile.stages.heavy).toBeGreaterThan(0.5)
})

test("the code of another pipeline's stage is foreign", async () => {
  const running = await pipeline('light')
    .from(memory.source(endless()))
    .map('light', (n) => n + 1)
    .call('rare', (n) => sleep(20, n), { concurrency: 1 })
    .to(memory.sink({ keep: false }))
    .start()
  while (running.status().records.out === 0) await sleep(10)
  const other = await pipeline('heavy')
    .from(memory.source(endless()))
    .map('heavy', (n) => n + roots(n))
    .to(memory.sink({ keep: false }))
    .start()
  while (other.status().records.out < 500_000) await sleep(10)
  const { stages, foreignShare } = await running.profile({ durationMs: 500 })
  await Promise.all([running.stop(), other.stop()])
  expect(foreignShare).toBeGreaterThan(stages.light ?? 0)
})
