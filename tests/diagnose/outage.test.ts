/** A downstream that goes away is said before a window could be full of it; one of which a part fails is not. */
import { expect, test } from 'vitest'
import { Doctor } from '../../src/diagnose/doctor.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { Status } from '../../src/model/status.ts'
import { sampleLimiter, sampleStatus } from '../console/sample-status.ts'

const LOOK_S = 0.5
const GONE_S = 20
/** What the console promises. */
const SAID_WITHIN_S = 5

interface Fate {
  /** Of the attempts from `GONE_S` on. */
  readonly okPerSecond: number
  readonly failedPerSecond: number
  readonly refusedPerSecond?: number
  readonly code?: string
  readonly breaker?: 'closed' | 'open'
}

/** The sample at `seconds`, whose `fraud` fares like this from `GONE_S` on. */
function statusAt(
  seconds: number,
  { okPerSecond, failedPerSecond, refusedPerSecond = 0, code, breaker = 'open' }: Fate,
): Status {
  const sound = sampleStatus(Math.min(seconds, GONE_S))
  const goneS = Math.max(0, seconds - GONE_S)
  const nowMs = sampleStatus(seconds).nowMs
  const failure = { source: 'payments', partition: '0', offset: 1, stage: 'fraud', message: 'it is', atMs: nowMs }
  return {
    ...sound,
    nowMs,
    records: { ...sound.records, out: sound.records.out + Math.round(goneS * okPerSecond) },
    lastFailures: code === undefined || goneS === 0 ? [] : [{ ...failure, code }],
    stages: sound.stages.map((stage) =>
      stage.name === 'fraud'
        ? {
            ...stage,
            ok: stage.ok + Math.round(goneS * okPerSecond),
            failed: Math.round(goneS * failedPerSecond),
            rejected429: stage.rejected429 + Math.round(goneS * refusedPerSecond),
            attempts: stage.attempts + Math.round(goneS * (okPerSecond + failedPerSecond)),
            limiters: [sampleLimiter({ breaker: goneS > 0 ? breaker : 'closed' })],
          }
        : stage,
    ),
  }
}

/** What is said at each look from `GONE_S` on. */
function after(fate: Fate, forS: number): { readonly goneS: number; readonly said: Diagnosis }[] {
  const doctor = new Doctor()
  const looks: { goneS: number; said: Diagnosis }[] = []
  for (let seconds = 1; seconds <= GONE_S + forS; seconds += LOOK_S) {
    doctor.observe(statusAt(seconds, fate))
    if (seconds >= GONE_S) looks.push({ goneS: seconds - GONE_S, said: doctor.diagnosis() as Diagnosis })
  }
  return looks
}

test('a downstream that is gone is named within five seconds, with what its calls meet', () => {
  const looks = after({ okPerSecond: 0, failedPerSecond: 40, code: 'HG_CONNECTION_LOST' }, SAID_WITHIN_S)
  const { health, verdict } = looks.at(-1)!.said
  expect([verdict.kind, verdict.bottleneck, health.kind]).toEqual(['downstream-down', 'fraud', 'stalled'])
  expect(verdict.sentence).toContain("The downstream of 'fraud' cannot be reached")
  expect(health.sentence).toContain("the downstream of 'fraud' is down")
  expect(looks.every(({ said }) => said.verdict.kind !== 'retry-storm' && said.verdict.kind !== 'stalled')).toBe(true)
})

test('one that takes calls and does not answer is told apart from one that refuses them', () => {
  const sentence = (fate: Partial<Fate>): string | undefined =>
    after({ okPerSecond: 0, failedPerSecond: 40, ...fate }, SAID_WITHIN_S).at(-1)?.said.verdict.sentence
  expect(sentence({ code: 'HG_TIMEOUT' })).toContain('does not answer in time')
  expect(sentence({ code: 'HG_HANDLER_FAILED' })).toContain('fails')
  expect(sentence({ failedPerSecond: 0, refusedPerSecond: 1 })).toContain('refuses every call')
})

test('calls of which some succeed are no outage, however many fail and whatever the breaker does', () => {
  for (const { said } of after({ okPerSecond: 4, failedPerSecond: 40 }, 30))
    expect(said.verdict.evidence.map(({ name }) => name)).not.toContain('no success for')
})

test('failures that the downstream is not to blame for are no outage', () => {
  for (const { said } of after({ okPerSecond: 0, failedPerSecond: 40, breaker: 'closed' }, 10))
    expect(said.verdict.kind).not.toBe('downstream-down')
})
