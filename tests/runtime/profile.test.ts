/** A CPU profile on demand names the stage whose code ran, and code that belongs to none. */
import { expect, test } from 'vitest'
import { pipeline } from '../../src/builder/pipeline.ts'
import { memory } from '../../src/connectors/memory/index.ts'
import type { Profile } from '../../src/model/diagnosis.ts'

function burn(ms: number): number {
  const untilMs = performance.now() + ms
  let turns = 0
  while (performance.now() < untilMs) turns += 1
  return turns
}

function* endless(): Generator<number> {
  for (let n = 0; ; n += 1) yield n
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
  // On a machine that does much else a short profile may miss the one or the other.
  do {
    profile = await running.profile({ durationMs: 500 })
    burning = profile.frames.filter((frame) => frame.function === 'burn').map(({ stage }) => stage)
  } while (!burning.includes('heavy') || !burning.includes(null))
  clearInterval(foreign)
  expect(profile.stages.heavy).toBeGreaterThan(0)
  expect(profile.foreignShare).toBeGreaterThan(0)
  expect(running.diagnose().profile).toEqual(profile)
  await running.stop()
})
