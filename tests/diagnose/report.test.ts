/** How a stage that has nothing to do stands to the bottleneck. */
import { expect, test } from 'vitest'
import { diagnose } from '../../src/diagnose/doctor.ts'
import type { Status } from '../../src/model/status.ts'
import { sampleStatus } from '../console/sample-status.ts'

/** The sample at `seconds`: `positive`, before the bottleneck `fraud`, has nothing to do. */
function statusAt(seconds: number, heldBack: boolean): Status {
  const status = sampleStatus(seconds)
  const nothing = <State extends string>(states: Record<State, number>): Record<State, number> =>
    Object.fromEntries(Object.keys(states).map((state) => [state, 0])) as Record<State, number>
  return {
    ...status,
    sources: status.sources.map((source) => ({
      ...source,
      states: { ...nothing(source.states), [heldBack ? 'BLOCKED' : 'FETCH']: seconds },
    })),
    stages: status.stages.map((stage) => {
      if (stage.name === 'fraud') return { ...stage, reasonSeconds: { concurrency: seconds } }
      if (stage.name !== 'positive') return stage
      return { ...stage, states: { ...nothing(stage.states), IDLE: seconds }, reasonSeconds: {} }
    }),
  }
}

function marks(heldBack: boolean): Record<string, string | null> {
  const looks = Array.from({ length: 20 }, (_, second) => statusAt(second + 1, heldBack))
  return Object.fromEntries(diagnose(looks)?.stages.map(({ name, mark }) => [name, mark]) ?? [])
}

test('before the bottleneck it is pushed back while admission holds the source back, behind it it is starved', () => {
  expect(marks(true)).toMatchObject({ positive: 'pushed-back', fraud: 'bottleneck', enriched: 'starved' })
})

test('before the bottleneck it is starved where the source brings too little', () => {
  expect(marks(false)).toMatchObject({ positive: 'starved', fraud: 'bottleneck' })
})
