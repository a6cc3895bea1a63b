/** A stall is said of what has not ended for long, never of what has only just begun, and it is over once something completes. */
import { expect, test } from 'vitest'
import { Doctor } from '../../src/diagnose/doctor.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { StageStatus, Status } from '../../src/model/status.ts'
import { sampleLimiter, sampleStatus } from '../console/sample-status.ts'

const LOOK_S = 0.5
const GONE_S = 20
const BACK_S = 50

/** What a stage shows so long after `GONE_S`, or before it, other than the sample. */
type Fate = (goneS: number, stage: StageStatus) => Partial<StageStatus>

const WITHOUT_S = BACK_S - GONE_S

/** The sample at `seconds`, whose `fraud` is held at its rate, and of which nothing completes from `GONE_S` to `BACK_S`. */
function statusAt(seconds: number, fate: Fate): Status {
  const worked = Math.min(seconds, GONE_S) + Math.max(0, seconds - BACK_S)
  const status = sampleStatus(worked, { nowMs: sampleStatus(seconds).nowMs })
  const stages = status.stages.map((stage) => ({
    ...stage,
    reasonSeconds: stage.name === 'fraud' ? { rate: seconds } : {},
    ...fate(seconds - GONE_S, stage),
  }))
  return { ...status, stages }
}

interface Look {
  readonly seconds: number
  readonly said: Diagnosis
}

function looks(fate: Fate): Look[] {
  const doctor = new Doctor()
  const seen: Look[] = []
  for (let seconds = 1; seconds <= BACK_S + 5; seconds += LOOK_S) {
    doctor.observe(statusAt(seconds, fate))
    seen.push({ seconds, said: doctor.diagnosis() as Diagnosis })
  }
  return seen
}

/** Calls fail until they succeed again, and the first write begins one look before something completes. */
const outage: Fate = (goneS, stage) => {
  if (goneS <= 0) return {}
  const isOut = goneS < WITHOUT_S
  if (stage.name === 'enriched') return { inFlight: isOut ? 0 : 1 }
  if (stage.name !== 'fraud') return {}
  const failed = Math.round(40 * Math.min(goneS, WITHOUT_S))
  return isOut
    ? { failed, inFlight: 1, limiters: [sampleLimiter({ breaker: 'open' })] }
    : { failed, inFlight: 8, limiters: [sampleLimiter()], ok: goneS > WITHOUT_S ? stage.ok : stage.ok + 30 }
}

/** A write that does not end for as long, while nothing else is left to be done. */
const hangingWrite: Fate = (goneS, { name }) =>
  goneS <= 0 || goneS > WITHOUT_S ? {} : { inFlight: name === 'enriched' ? 1 : 0 }

/** Calls that do not end for as long; what they had brought before is written for one more look. */
const hangingCalls: Fate = (goneS, { name, ok, rejected429 }) => {
  if (goneS <= -LOOK_S || goneS > WITHOUT_S) return {}
  if (name !== 'fraud') return { inFlight: 0 }
  const before = sampleStatus(GONE_S - LOOK_S).stages.find((stage) => stage.name === name)!
  return { ok: Math.min(ok, before.ok), rejected429: Math.min(rejected429, before.rejected429) }
}

test('the first write after an outage is not blamed for the time in which nothing completed', () => {
  const seen = looks(outage)
  const during = seen.find(({ seconds }) => seconds === BACK_S - LOOK_S)!.said.verdict
  expect([during.kind, during.bottleneck]).toEqual(['downstream-down', 'fraud'])
  for (const { said } of seen) expect(said.verdict.kind).not.toBe('stalled')
})

test('while an outage is still the verdict and the breaker is closed again, it is told as over', () => {
  const held = looks(outage).filter(({ seconds, said }) => seconds >= BACK_S && said.verdict.kind === 'downstream-down')
  expect(held.length).toBeGreaterThan(0)
  for (const { said } of held) {
    expect(said.verdict.sentence).toContain("The downstream of 'fraud' was down and answers again")
    expect(said.verdict.sentence).not.toContain('one call at a time')
  }
})

test('a write that does not end is a stall of its sink, with the time since something completed', () => {
  const { verdict, health } = looks(hangingWrite).find(({ seconds }) => seconds === BACK_S)!.said
  expect([verdict.kind, verdict.bottleneck, health.kind]).toEqual(['stalled', 'enriched', 'stalled'])
  expect(verdict.sentence).toContain(`Nothing has completed for ${WITHOUT_S} s: 1 write of 'enriched'`)
})

test('of calls that do not end, what waits behind them is not said to go on when nothing completes', () => {
  const { verdict } = looks(hangingCalls).find(({ seconds }) => seconds === BACK_S)!.said
  expect([verdict.kind, verdict.bottleneck]).toEqual(['stalled', 'fraud'])
  expect(verdict.sentence).toContain(`Nothing has completed for ${WITHOUT_S} s: 64 calls of 'fraud'`)
})

test('a stall is over at the first look after something has completed', () => {
  const after = looks(hangingWrite).filter(({ seconds }) => seconds > BACK_S)
  expect(after.length).toBeGreaterThan(0)
  for (const { said } of after) {
    expect([said.verdict.kind, said.health.kind]).not.toContain('stalled')
    expect(said.verdict.sentence).not.toContain('Nothing has completed')
  }
})
