/** Where the autoscaling signal has the size of the group from: what was told, else what the sources say, else one. */
import { expect, test } from 'vitest'
import { Doctor, type DoctorOptions } from '../../src/diagnose/doctor.ts'
import type { Autoscale } from '../../src/model/diagnosis.ts'
import type { Status } from '../../src/model/status.ts'
import { sampleStatus } from '../console/sample-status.ts'

/** Of a pipeline that is busy with its own code, so that more processes would bring more. */
function scaled(group: Status['group'], options: DoctorOptions = {}): Autoscale {
  const doctor = new Doctor(options)
  for (let seconds = 1; seconds <= 20; seconds += 1) {
    const status = sampleStatus(seconds)
    const own = status.stages.map((stage) =>
      stage.name === 'fraud'
        ? { ...stage, states: { ...stage.states, CPU: 0.97 * seconds }, reasonSeconds: { concurrency: seconds } }
        : stage,
    )
    const process = { ...status.process, loopActiveMs: 990 * seconds, cpuMs: 985 * seconds, turnsMs: 980 * seconds }
    doctor.observe({ ...status, group, process, stages: own, admission: { ...status.admission, reason: 'records' } })
  }
  return doctor.diagnosis()!.autoscale
}

test('the members of the group are how many there are', () => {
  const { current, sentence } = scaled({ members: 3, mostMembers: 12 })
  expect(current).toBe(3)
  expect(sentence).not.toContain('--replicas')
})

test('what was told counts, whatever the group says', () => {
  expect(scaled({ members: 3, mostMembers: 12 }, { replicas: 5 }).current).toBe(5)
})

test('where nobody can tell it is one, and that is said with the way to give it', () => {
  const { current, sentence } = scaled({ members: null, mostMembers: null })
  expect(current).toBe(1)
  expect(sentence).toContain('--replicas')
})

test('it never asks for more than the work can be shared among', () => {
  const free = scaled({ members: 1, mostMembers: null })
  const shared = scaled({ members: 1, mostMembers: 2 })
  const alone = scaled({ members: 1, mostMembers: 1 })
  expect([free.action, shared.action, alone.action]).toEqual(['up', 'up', 'hold'])
  expect(free.desired).toBeGreaterThan(2)
  expect([shared.desired, alone.desired]).toEqual([2, 1])
})
