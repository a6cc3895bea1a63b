/**
 * Where the parts of the canal stand: whatever the pipeline looks like and however wide the page is, nothing lies outside
 * or on top of another part, and every stage is joined to the one before it.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type Box, DEAD, GATE, layOut, RESERVOIR, SEA } from '../../../src/console/page/canal-layout.ts'
import { type Canal, canalOf, inWords } from '../../../src/console/page/canal-model.ts'
import { percent, rate } from '../../../src/console/terminal/figures.ts'
import { runs } from '../../fixtures/long.ts'
import { sampleDiagnosis } from '../sample-diagnosis.ts'
import { sampleStatus } from '../sample-status.ts'

function canalWith(kinds: readonly string[], deadLettered = 0): Canal {
  const status = sampleStatus(70)
  const [one] = status.stages
  const stages = kinds.map((kind, index) => ({
    ...one!,
    name: `${kind}-${index}`,
    kind,
    limit: kind === 'call' ? 8 : null,
  }))
  return canalOf({ ...status, stages, records: { ...status.records, deadLettered } }, sampleDiagnosis(), 10_000)
}

const overlap = (one: Box, other: Box): boolean =>
  one.x < other.x + other.width &&
  other.x < one.x + one.width &&
  one.y < other.y + other.height &&
  other.y < one.y + one.height

const kinds = fc
  .array(fc.constantFrom('map', 'filter', 'call', 'batch'), { maxLength: 12 })
  .map((stages) => [...stages, 'sink'])
const routed = fc
  .tuple(kinds, fc.array(kinds, { minLength: 1, maxLength: 4 }))
  .map(([trunk, branches]) => [...trunk.slice(0, -1), 'route', ...branches.flat()])

describe('the layout of the canal', () => {
  test('keeps every part inside and apart from the others, and joins them all', () => {
    fc.assert(
      fc.property(fc.oneof(kinds, routed), fc.integer({ min: 260, max: 2000 }), fc.boolean(), (stages, width, dead) => {
        const { places, channels, height } = layOut(canalWith(stages, dead ? 3 : 0), width)
        const outside = places.filter(
          ({ x, y, width: wide, height: high }) => x < 0 || y < 0 || x + wide > width || y + high > height,
        )
        expect(outside).toEqual([])
        const covered = places.filter((place, index) => places.slice(index + 1).some((other) => overlap(place, other)))
        expect(covered).toEqual([])
        const reached = new Set([RESERVOIR, ...channels.map(({ to }) => to)])
        expect(places.filter(({ id }) => !reached.has(id))).toEqual([])
      }),
      { numRuns: runs(200) },
    )
  })

  test('runs from left to right on a wide page and from top to bottom on a phone', () => {
    const canal = canalWith(['filter', 'call', 'batch', 'sink'])
    expect(layOut(canal, 1200).vertical).toBe(false)
    expect(layOut(canal, 340).vertical).toBe(true)
  })

  test('has a sea for each branch, and a dead letter only where there is one', () => {
    const ids = (canal: Canal): string[] => layOut(canal, 1800).places.map(({ id }) => id)
    const branched = ids(canalWith(['route', 'call', 'sink', 'sink']))
    expect(branched.filter((id) => id.startsWith(SEA))).toHaveLength(2)
    expect(branched.slice(0, 2)).toEqual([RESERVOIR, GATE])
    expect(branched).not.toContain(DEAD)
    expect(ids(canalWith(['sink'], 1))).toContain(DEAD)
  })
})

test('the canal says in words what it shows', () => {
  const words = inWords(canalOf(sampleStatus(70), sampleDiagnosis(), 20_000), { rate, percent })
  expect(words).toContain('from payments through the gate, open 50%')
  expect(words).toContain('fraud with 64 of 64 slots in use')
  expect(words).toContain('The bottleneck is fraud.')
})

test('the gate is as open as what it admits is of what it would admit wide open, and shut while it is paused', () => {
  const status = sampleStatus(70)
  expect(canalOf(status, sampleDiagnosis(), 40_000).gate.opening).toBe(0.25)
  expect(canalOf({ ...status, state: 'paused' }, sampleDiagnosis(), 40_000).gate.opening).toBe(0)
})

test('a dead-letter sink is no stage of the main stream', () => {
  const canal = canalWith(['call', 'sink', 'dead-letter'])
  expect(canal.runs.flat().map(({ kind }) => kind)).toEqual(['call', 'sink'])
  expect(canal.hasDeadLetter).toBe(true)
})
