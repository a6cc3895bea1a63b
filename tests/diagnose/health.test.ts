/**
 * How a pipeline is, for pipelines in virtual time: each state is reached by one that is in it, says so in a sentence,
 * and where it tells a time, that time is what then passes.
 */
import { expect, test } from 'vitest'
import { type Base, baseOf } from '../../bench/doctor/base.ts'
import { type Look, watch } from '../../bench/doctor/trial.ts'
import { Doctor } from '../../src/diagnose/doctor.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import { PipelineWorld } from '../../src/sim/pipeline/world.ts'

const SEED = 3
const WAITS = 'queue'

function run(load: number, change: (base: Base) => Partial<PipelineSpec> = () => ({}), durationMs = 20_000): Look[] {
  const base = baseOf(SEED, durationMs)
  const changed = { ...base.spec, ...change(base) }
  const source = { ...changed.source, perSecond: base.capacity * load }
  return [...watch({ ...changed, source }, SEED).looks]
}

function lastOf(looks: readonly Look[]): Diagnosis {
  return looks.at(-1)!.diagnosis
}

const waitingIn = ({ places, flow }: Diagnosis): number =>
  (flow.backlogRecords ?? 0) + places.reduce((sum, { kind, records }) => sum + (kind === WAITS ? (records ?? 0) : 0), 0)

test('one that completes what arrives keeps up, and one to which nothing comes is idle', () => {
  const [half, none] = [lastOf(run(0.5)), lastOf(run(0))]
  expect([half.health.kind, none.health.kind]).toEqual(['keeping-up', 'idle'])
  expect([half.verdict.kind, none.verdict.kind]).toEqual(['none', 'none'])
  expect(half.health.sentence).toMatch(/^Keeping up: .*\/s completed/)
  expect(half.knobs).toEqual([])
})

test('before there is a window it is starting', () => {
  expect(run(1.5)[0]!.diagnosis.health.kind).toBe('starting')
})

test('one that is held at its limit throttles, and says so when more arrives than the limit lets through', () => {
  const limited = (load: number): Diagnosis['health'] =>
    lastOf(
      run(load, ({ spec: { enrich }, capacity }) => ({
        enrich: { ...enrich, ratePerSecond: capacity * 0.5 },
        burst: { factor: 4, fromMs: 0, forMs: 10_000 },
      })),
    ).health
  const [within, beyond] = [limited(0.3), limited(0.9)]
  expect([within.kind, within.fallingBehind]).toEqual(['throttling', false])
  expect([beyond.kind, beyond.fallingBehind]).toEqual(['throttling', true])
  expect(beyond.sentence).toContain('falling behind')
})

test('a burst that is worked off is one, with the range of time in which it is', () => {
  const looks = run(0.4, () => ({ burst: { factor: 4, fromMs: 5000, forMs: 15_000 } }), 120_000)
  const goneMs = looks.find(({ atMs, diagnosis }) => atMs > 25_000 && diagnosis.health.kind === 'keeping-up')!.atMs
  // The slope is that of ten seconds: it knows only then that the burst is over.
  const told = looks.filter(({ atMs, diagnosis }) => atMs > 30_000 && atMs < goneMs && diagnosis.health.etaMs !== null)
  expect(told.length).toBeGreaterThan(5)
  // What waits for less than half a second of work is no queue any more.
  const right = told.filter(({ atMs, diagnosis: { health, flow } }) => {
    const { low, high } = health.etaMs!
    const leftMs = 500 * (flow.completionPerSecond / Math.max(1, flow.completionPerSecond - flow.arrivalsPerSecond!))
    return atMs + low - leftMs <= goneMs && goneMs <= atMs + high
  })
  expect(right.length / told.length).toBeGreaterThanOrEqual(0.9)
  for (const { diagnosis } of told) expect(diagnosis.health.sentence).toMatch(/^Absorbing a burst: .*gone in .* to /)
})

test('one to which more comes than it completes is overloaded, and says when the age that was promised is passed', () => {
  const promisedAgeMs = 12_000
  const { spec, capacity } = baseOf(SEED, 60_000)
  const doctor = new Doctor({ promisedAgeMs })
  const told: { atMs: number; breachMs: number; ageMs: number }[] = []
  let overloaded = ''
  new PipelineWorld({ ...spec, source: { ...spec.source, perSecond: capacity * 1.5 } }, SEED, (status, { nowMs }) => {
    doctor.observe(status)
    const { health } = doctor.diagnosis()!
    if (health.kind === 'overload') overloaded = health.sentence
    if (health.breachMs !== null) told.push({ atMs: nowMs, breachMs: health.breachMs, ageMs: status.queueAgeMs })
  }).run()
  expect(overloaded).toMatch(/^Overload: .* arrive, .* are completed; .* wait and it grows\.$/)
  const passed = told.find(({ ageMs }) => ageMs >= promisedAgeMs)!
  const early = told.filter(({ ageMs }) => ageMs < promisedAgeMs)
  expect(early.length).toBeGreaterThan(5)
  for (const { atMs, breachMs } of early) {
    const reallyMs = passed.atMs - atMs
    // A backlog is asked for once a second.
    expect(Math.abs(breachMs - reallyMs)).toBeLessThanOrEqual(0.3 * reallyMs + 2000)
  }
  expect(told.at(-1)!.breachMs).toBe(0)
})

test('one of whose attempts most fail is in a retry storm, which feeds itself once it has lasted', () => {
  const looks = run(
    1.2,
    ({ spec: { enrich } }) => ({ enrich: { ...enrich, failShare: 0.8, attempts: 20, retryBudget: 10 } }),
    45_000,
  )
  const { health, knobs } = lastOf(looks)
  expect([health.kind, health.metastable]).toEqual(['retry-storm', true])
  const first = looks.find(({ diagnosis }) => diagnosis.health.kind === 'retry-storm')!
  expect(first.diagnosis.health.metastable).toBe(false)
  expect(knobs[0]).toMatchObject({ setting: 'retry-budget', advice: 'turn' })
})

test('one whose downstream answers no more is stalled, with the record that has waited longest', () => {
  const { health, verdict } = lastOf(run(1, ({ spec: { enrich } }) => ({ enrich: { ...enrich, hangsFromMs: 3000 } })))
  expect([health.kind, verdict.kind, verdict.bottleneck]).toEqual(['stalled', 'stalled', 'enrich'])
  expect(verdict.sentence).toMatch(/The oldest record is orders\/\d+@\d+\.$/)
})

test('what waits is what the sentence says', () => {
  const diagnosis = lastOf(run(3))
  const said = Number(/; ([\d,]+) records wait/.exec(diagnosis.health.sentence)![1]!.replaceAll(',', ''))
  expect(said).toBeGreaterThanOrEqual(waitingIn(diagnosis))
})
