/**
 * A diagnosis on a terminal: in the live view and as the page that `headgate doctor` prints. The same promises as for
 * the rest of the view (width, control characters, colour), and that what matters is there at every size.
 */
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { gain, healthDetail } from '../../src/console/labels.ts'
import { inUnit } from '../../src/console/terminal/figures.ts'
import { flowLine, flowOfDiagnosis } from '../../src/console/terminal/flow-line.ts'
import { History } from '../../src/console/terminal/history.ts'
import { renderView } from '../../src/console/terminal/render.ts'
import { renderDiagnosis } from '../../src/console/terminal/report.ts'
import { cells } from '../../src/console/terminal/spans.ts'
import type { Diagnosis } from '../../src/model/diagnosis.ts'
import { runs } from '../fixtures/long.ts'
import { overloadedDiagnosis, sampleDiagnosis } from './sample-diagnosis.ts'
import { sampleStatus } from './sample-status.ts'

const view = (diagnosis: Diagnosis, columns: number, rows?: number): string =>
  renderView(sampleStatus(70), { columns, rows, colour: false, history: new History(), diagnosis })
const report = (diagnosis: Diagnosis, columns: number): string => renderDiagnosis(diagnosis, { columns, colour: false })
const widest = (text: string): number => Math.max(...text.split('\n').map(cells))
const lineWith = (text: string, part: string): string => text.split('\n').find((line) => line.includes(part)) ?? ''

describe('the live view with a diagnosis', () => {
  test('at 80 columns and 24 lines', () => {
    expect(view(sampleDiagnosis(), 80, 24)).toMatchSnapshot()
  })

  test.each([
    [80, 24],
    [120, 40],
  ])('says at %i × %i how it is, which stage holds it back, and what to turn and to leave', (columns, rows) => {
    const text = view(overloadedDiagnosis(), columns, rows)
    expect(text.split('\n').length).toBeLessThan(rows)
    expect(text.split('\n')[0]).toContain('OVERLOAD · breach in 4m00s')
    expect(lineWith(text, 'bottleneck')).toMatch(/^ fraud /)
    expect(lineWith(text, '◀')).toMatch(/─▶ fraud 64\/64 ◀/)
    expect(lineWith(text, 'TURN')).toContain("rate of 'fraud' 333 → 500   +50%")
    expect(lineWith(text, 'SAFE')).toContain('64 → 24')
    expect(lineWith(text, 'HURTS')).toContain('processes 1 → 4')
  })

  test('keeps the bottleneck in the flow from 60 columns on', () => {
    for (let columns = 60; columns <= 200; columns += 1)
      expect(lineWith(view(sampleDiagnosis(), columns), ' ◀')).toContain('fr')
  })

  test('names the other candidate when it is not sure', () => {
    const { verdict } = sampleDiagnosis()
    const second = {
      bottleneck: 'enriched',
      kind: 'slow-sink' as const,
      confidence: 0.4,
      sentence: "'enriched' writes slowly.",
    }
    const unsure = sampleDiagnosis({ verdict: { ...verdict, confidence: 0.45, second } })
    expect(view(unsure, 100)).toContain("Two candidates; the other one: 'enriched' writes slowly.")
    expect(view(sampleDiagnosis({ verdict: { ...verdict, second } }), 100)).not.toContain('Two candidates')
  })
})

describe('the report of a diagnosis', () => {
  test('at 80 columns', () => {
    expect(report(sampleDiagnosis(), 80)).toMatchSnapshot()
  })

  test('holds the evidence, where the queue lives with its sum, and the last failures', () => {
    const text = report(sampleDiagnosis(), 100)
    for (const { name } of sampleDiagnosis().verdict.evidence) expect(text).toContain(name)
    expect(lineWith(text, 'in all')).toMatch(/1,204 {3}of 1,204 admitted/)
    expect(text).toContain('payments-3 @ 4711 fraud HG_TIMEOUT')
    expect(text).toContain('@5600 3.6s old')
  })

  test('says what the records are now where a record is several items or a batch is one', () => {
    const placesCheck = { records: 3612, items: 3612, admitted: 1204, holds: true }
    const text = report(sampleDiagnosis({ placesCheck }), 120)
    expect(lineWith(text, 'in all')).toMatch(/3,612 {3}of 3,612 items that 1,204 admitted records are now/)
  })

  test('says what a stage without slots spends its time on, and no work only of one that had none', () => {
    const text = report(sampleDiagnosis(), 100)
    expect(lineWith(text, 'positive  ')).toContain('no work yet')
    const worked = sampleDiagnosis()
    const [positive] = worked.stages
    if (positive === undefined) throw new Error('the sample has no stages')
    Object.assign(positive, { outPerSecond: 1_234_567, states: { ...positive.states, CPU: 0.73, IDLE: 0.27 } })
    expect(lineWith(report(worked, 100), 'positive  ').replaceAll(/ +/g, ' ')).toMatch(/cpu 73% – 1,234,567\/s/)
  })

  test('says so when the places do not add up, and when the meter disagrees with itself', () => {
    const broken = sampleDiagnosis({
      placesCheck: { records: 1, items: 2, admitted: 2, holds: false },
      selfChecks: { statesError: 0.2, littleError: 0.5, holds: false },
    })
    expect(report(broken, 100)).toContain('they do not add up')
    expect(report(broken, 100)).toContain('off by 20%')
  })

  test('of a moment at which nothing is known has no figure that is none', () => {
    const sample = sampleDiagnosis()
    const early = sampleDiagnosis({
      flow: {
        completionPerSecond: 0,
        latencyMs: null,
        latencySinceStartMs: { p50: 0, p95: 0, p99: 0, max: 0 },
        queueAgeMs: 0,
        arrivalsPerSecond: null,
        pulledPerSecond: 0,
        backlogRecords: null,
        backlogSlope: null,
        capacityPerSecond: null,
      },
      verdict: { ...sample.verdict, kind: 'none', bottleneck: null, evidence: [], sentence: '' },
      knobs: [],
      stages: [],
      sources: [],
      places: [],
      hotKeys: [],
      partitions: [],
      lastFailures: [],
    })
    expect(report(early, 80)).not.toMatch(/NaN|undefined|Infinity|null/)
  })
})

describe.each([
  ['live view', (diagnosis: Diagnosis, columns: number) => view(diagnosis, columns)],
  ['report', report],
])('the %s', (_, print) => {
  test('keeps its width and its lines whatever things are called', () => {
    const strings = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(strings, strings, fc.integer({ min: 22, max: 160 }), (name, sentence, columns) => {
        const sample = sampleDiagnosis()
        const named: Diagnosis = {
          ...sample,
          pipeline: name,
          health: { ...sample.health, sentence },
          verdict: { ...sample.verdict, sentence, bottleneck: name },
          knobs: sample.knobs.map((knob) => ({ ...knob, knob: name })),
          stages: sample.stages.map((stage) => ({ ...stage, name })),
          places: sample.places.map((place) => ({ ...place, name })),
          hotKeys: sample.hotKeys.map((hot) => ({ ...hot, key: name })),
          lastFailures: sample.lastFailures.map((failure) => ({ ...failure, message: sentence, stage: name })),
          partitions: sample.partitions.map((partition) => ({ ...partition, partition: name })),
        }
        const text = print(named, columns)
        expect(widest(text)).toBeLessThanOrEqual(columns)
        expect(text).not.toMatch(/[^\P{Cc}\n]/u)
      }),
      { numRuns: runs(100) },
    )
  })
})

test('the report says the same with colour as without', () => {
  const coloured = renderDiagnosis(overloadedDiagnosis(), { columns: 100, colour: true })
  expect(coloured).toContain('\u001b[')
  const lines = (text: string): string[] => text.split('\n').map((line) => line.trimEnd())
  expect(lines(stripVTControlCharacters(coloured))).toEqual(lines(report(overloadedDiagnosis(), 100)))
})

test('a flow is drawn from a diagnosis alone, with the slots in use on average beside the names', () => {
  const line = flowLine(flowOfDiagnosis(sampleDiagnosis()), 200)
  expect(line.map(({ text }) => text).join('')).toBe(
    'payments ███░ 3m10s ─▶ gate ─▶ positive ─▶ fraud 17/64 ◀ BOTTLENECK ─▶ batch ─▶ enriched 0/4',
  )
})

test.each([
  [1, '±0%'],
  [1.5, '+50%'],
  [0.25, '−75%'],
  [12.3, '×12'],
  [Number.NaN, '–'],
])('a gain of %d reads %s', (ratio, said) => {
  expect(gain(ratio)).toBe(said)
})

test.each([
  [0.62, 'share', '62%'],
  [52.4, 'ms', '52ms'],
  [3, 's', '3.0s'],
  [1.5, '×', '1.50×'],
  [12_345, '', '12,345'],
  [0.12345, '', '0.123'],
])('%d in %s reads %s', (value, unit, said) => {
  expect(inUnit(value, unit).replace(' ', '')).toBe(said)
})

test('a burst that is being absorbed says until when', () => {
  const { health } = sampleDiagnosis()
  const absorbing = {
    ...health,
    kind: 'absorbing-burst' as const,
    fallingBehind: false,
    etaMs: { low: 60_000, high: 90_000 },
  }
  expect(healthDetail(absorbing, (ms) => `${ms / 1000}s`)).toBe('done in 60s to 90s')
})
