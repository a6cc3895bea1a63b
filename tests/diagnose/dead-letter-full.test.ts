/** A stage that waits for its dead-letter sink says so, unless that sink itself shows what it is held up by. */
import { expect, test } from 'vitest'
import { diagnose } from '../../src/diagnose/doctor.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { StageStatus, Status } from '../../src/model/status.ts'
import { sampleStatus } from '../console/sample-status.ts'

/** The sample at `seconds`, whose `fraud` waits for `dead-letter:dead`, which is held back by `sinkReason`. */
function statusAt(seconds: number, sinkReason: string): Status {
  const status = sampleStatus(seconds)
  const waits = (stage: StageStatus, reason: string): StageStatus => ({
    ...stage,
    rejected429: 0,
    attempts: stage.ok,
    reason,
    reasonSeconds: { [reason]: seconds },
  })
  const stages = status.stages.map((stage) => (stage.name === 'fraud' ? waits(stage, 'dead-letter-full') : stage))
  const sink = status.stages.find(({ kind }) => kind === 'sink') as StageStatus
  return { ...status, stages: [...stages, waits({ ...sink, name: 'dead-letter:dead' }, sinkReason)] }
}

const verdict = (sinkReason: string): Diagnosis['verdict'] | undefined =>
  diagnose(Array.from({ length: 20 }, (_, second) => statusAt(second + 1, sinkReason)))?.verdict

test('a stage whose dead-letter sink waits for its transaction is named, with what it waits for', () => {
  const said = verdict('transaction')
  expect([said?.kind, said?.bottleneck]).toEqual(['dead-letter-full', 'fraud'])
  expect(said?.sentence).toContain("'fraud' waits for its dead-letter sink")
})

test('a dead-letter sink that is held back by its own writes is named instead of the stage that waits for it', () => {
  expect(verdict('concurrency')?.bottleneck).toBe('dead-letter:dead')
})
