/**
 * What the meter and the doctor cost a running pipeline: the time of a look (a status and a diagnosis), twice a second,
 * of the time there is. What the accounting in the engine costs is the last row of `bench engine`.
 */
import { Doctor } from '../../src/diagnose/doctor.ts'
import type { Status } from '../../src/model/status.ts'
import { PipelineWorld } from '../../src/sim/pipeline/world.ts'
import { baseOf } from './base.ts'
import { at } from './matrix.ts'

const LOOKS_PER_SECOND = 2
const WARM_UP = 200

/** As a share of the time. */
export function doctorShare(): number {
  const base = baseOf(1, 60_000)
  const statuses: Status[] = []
  new PipelineWorld(at(base.spec, base.capacity * 1.2), 1, (status) => statuses.push(status)).run()
  const look = (doctor: Doctor, status: Status): void => {
    doctor.observe(status)
    doctor.diagnosis()
  }
  const warm = new Doctor()
  for (let turn = 0; turn < WARM_UP; turn += 1) look(warm, statuses[turn % statuses.length] as Status)
  const times: number[] = []
  const doctor = new Doctor()
  for (const status of statuses) {
    const startMs = performance.now()
    look(doctor, status)
    times.push(performance.now() - startMs)
  }
  times.sort((one, other) => one - other)
  return ((times[times.length >> 1] as number) * LOOKS_PER_SECOND) / 1000
}
