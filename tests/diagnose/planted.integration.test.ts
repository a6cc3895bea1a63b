/**
 * The doctor beside the real engine in virtual time: planted causes are named, with where and why, and of healthy
 * pipelines nothing bad is said. `HEADGATE_LONG=1` runs all severities and loads; `npm run bench -- doctor`, with more
 * seeds, prints the figures.
 */
import { describe, expect, test } from 'vitest'
import { TUNING_SEEDS } from '../../bench/doctor/base.ts'
import { CAUSES } from '../../bench/doctor/causes.ts'
import { controlTasks, runControl } from '../../bench/doctor/controls.ts'
import { LOADS, runPair, runSingle, SEVERITIES, singleTasks } from '../../bench/doctor/matrix.ts'
import { runOnset } from '../../bench/doctor/onset.ts'

const LONG = process.env.HEADGATE_LONG === '1'
const SHAPE = {
  seeds: TUNING_SEEDS.slice(0, 1),
  ...(LONG ? { severities: SEVERITIES, loads: LOADS } : { severities: [0.5], loads: [1.2] }),
}
/** In ten minutes even a machine that is busy is done with it. */
const LIMIT_MS = LONG ? 600_000 : 120_000
/** With all severities and loads some cases are at the edge of binding, where two causes are as good. */
const LEAST_NAMED = LONG ? 0.9 : 1

describe('a planted cause', () => {
  test.each(CAUSES)(
    'is named where it binds: $name',
    (cause) => {
      const cases = singleTasks(SHAPE, [cause]).map(({ left, load, seed }) => runSingle(cause, left, load, seed))
      const binding = cases.filter(({ bindsMs }) => bindsMs !== null)
      const named = binding.filter((each) => each.named)
      expect(binding.length).toBeGreaterThan(0)
      expect(named.length / binding.length, binding.map(({ said }) => said).join('; ')).toBeGreaterThanOrEqual(
        LEAST_NAMED,
      )
    },
    LIMIT_MS,
  )
})

/** Two causes of which one hides behind the other: a thread that is full of what piles up, pauses, work behind a stall. */
const HIDDEN = [
  ['own CPU', 0.5, 'slow sink', 0.2, 8],
  ['own CPU', 0.5, 'pool too small', 0.2, 14],
  ['own CPU', 0.8, '429 from the downstream', 0.4, 13],
  ['garbage collection', 0.8, 'batches too small', 0.4, 5],
  ['slow sink', 0.5, 'hanging downstream', 0.2, 18],
  ['garbage collection', 0.8, 'hot key', 0.4, 13],
  ['own rate limit', 0.8, 'saturated downstream', 0.4, 27],
] as const

describe('two causes at once', () => {
  test.each(HIDDEN)(
    'the one that binds is named: %s %s, %s %s, seed %i',
    (one, leftOne, other, leftOther, seed) => {
      const [first, second] = [one, other].map((cause) => CAUSES.find(({ name }) => name === cause))
      const load = other === '429 from the downstream' ? 1.2 : 3
      const { bindsMs, named, said } = runPair(first!, second!, [leftOne, leftOther], load, seed)
      expect({ binds: bindsMs !== null, named }, said).toEqual({ binds: true, named: true })
    },
    LIMIT_MS,
  )
})

/** One of what calls cost, of what a batch costs the thread, and of what waits behind a batch. */
const BEGUN = LONG
  ? CAUSES
  : CAUSES.filter(({ name }) => ['slow downstream', 'CPU for each write', 'slow sink'].includes(name))

describe('a cause that begins in mid-run and ends again', () => {
  test.each(BEGUN)(
    'is named, and taken back once what gathered is worked off: $name',
    (cause) => {
      const { early, showedMs, named, back, said } = runOnset(cause, 0.2, TUNING_SEEDS[0] as number)
      expect({ early, named: showedMs === null || named, back }, said).toEqual({
        early: false,
        named: true,
        back: true,
      })
    },
    LIMIT_MS,
  )
})

test(
  'of healthy pipelines nothing bad is said',
  () => {
    const tasks = controlTasks(SHAPE.seeds, LONG ? 120_000 : 30_000)
    const controls = tasks.map(({ name, seed, durationMs }) => runControl(name, seed, durationMs))
    expect(controls.flatMap(({ name, alarms }) => alarms.map((alarm) => `${name}: ${alarm}`))).toEqual([])
  },
  LIMIT_MS,
)
