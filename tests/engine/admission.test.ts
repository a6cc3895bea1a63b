import { describe, expect, it } from 'vitest'
import { Admission } from '../../src/engine/admission.ts'

const LIMITS = { records: 50, bytes: 10_000, residenceMs: 1e9, maxRecordBytes: 1_000, uncommittedRecords: 1e6 }

function admission(): Admission {
  const made = new Admission(LIMITS, 0)
  made.floorRecords = LIMITS.records
  return made
}

describe('the head gate, with clients that hold records', () => {
  it('counts what they hold against the limits', () => {
    const gate = admission()
    gate.observeHeld(20, 3_000)
    expect(gate.credit()).toEqual({ records: 30, bytes: 6_000 })
  })

  it('lets them hand over what they hold, also when a portion that cannot be divided is more than the limit', () => {
    const gate = admission()
    gate.observeHeld(1_000, 100_000)
    expect(gate.credit()).toEqual({ records: 50, bytes: 9_000 })
    gate.admit(50, 4_000)
    gate.observeHeld(950, 96_000)
    expect(gate.credit()).toBeNull()
    gate.release(10, 800)
    expect(gate.credit()).toEqual({ records: 10, bytes: 5_800 })
  })
})
