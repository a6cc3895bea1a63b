/**
 * The terminal view as text: two snapshots to read it by, and the promises that hold at every width: no line too wide,
 * no escape code without colour, nothing of a record's or pipeline's name reaches the terminal as a control code.
 */
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { History } from '../../src/console/terminal/history.ts'
import { renderView } from '../../src/console/terminal/render.ts'
import { cells } from '../../src/console/terminal/spans.ts'
import type { Status } from '../../src/model/status.ts'
import { runs } from '../fixtures/long.ts'
import { sampleStatus } from './sample-status.ts'

function watched(seconds: number): History {
  const history = new History()
  for (let second = 1; second < seconds; second += 1) history.add(sampleStatus(second))
  return history
}

const text = (status: Status, columns: number, rows?: number): string =>
  renderView(status, { columns, rows, colour: false, history: watched(70) })

const widest = (view: string): number => Math.max(...view.split('\n').map(cells))

describe('the terminal view', () => {
  test('at 80 columns', () => {
    expect(text(sampleStatus(70), 80)).toMatchSnapshot()
  })

  test('at 120 columns', () => {
    expect(text(sampleStatus(70), 120)).toMatchSnapshot()
  })

  test('of a pipeline that failed', () => {
    const failed = sampleStatus(70, {
      state: 'failed',
      error: { code: 'HG_STORAGE', message: 'no space left on device' },
      verdict: 'Stopped: the sink could not write.',
    })
    expect(text(failed, 80).split('\n').slice(-2)).toEqual([
      ' ✗ no space left on device (HG_STORAGE)',
      ' ▶ Stopped: the sink could not write.',
    ])
  })

  test('is never wider than the terminal', () => {
    for (let columns = 22; columns <= 200; columns += 1)
      expect(widest(text(sampleStatus(70), columns))).toBeLessThanOrEqual(columns)
  })

  test('keeps its width and its lines whatever things are called', () => {
    const strings = fc.string({ unit: 'grapheme', maxLength: 60 })
    fc.assert(
      fc.property(strings, strings, strings, fc.integer({ min: 22, max: 160 }), (pipeline, name, verdict, columns) => {
        const sample = sampleStatus(70)
        const named = {
          ...sample,
          pipeline,
          verdict,
          places: sample.places.map((place) => ({ ...place, name })),
          stages: sample.stages.map((stage) => ({ ...stage, name })),
        }
        const view = text(named, columns)
        expect(widest(view)).toBeLessThanOrEqual(columns)
        expect(view).not.toMatch(/[^\P{Cc}\n]/u)
      }),
      { numRuns: runs(200) },
    )
  })

  test('fits a terminal of 24 lines, leaving one for the cursor', () => {
    expect(text(sampleStatus(70), 80, 24).split('\n').length).toBeLessThanOrEqual(23)
  })

  test('shows every row when there is room', () => {
    const view = text(sampleStatus(70), 80, 50)
    for (const { name } of sampleStatus(70).places) expect(view).toContain(name)
    expect(view).toContain(' empty: prefetch, fraud backoff')
  })

  test('says the same with colour as without', () => {
    const options = { columns: 100, history: watched(70) }
    const coloured = renderView(sampleStatus(70), { ...options, colour: true })
    expect(coloured).toContain('\u001b[')
    const plain = renderView(sampleStatus(70), { ...options, colour: false })
    const lines = (view: string): string[] => view.split('\n').map((line) => line.trimEnd())
    expect(lines(stripVTControlCharacters(coloured))).toEqual(lines(plain))
  })

  test('turns no control character of a name into one of the terminal', () => {
    const view = text(sampleStatus(70, { pipeline: 'evil\u001b[2J\u0007\nname' }), 80)
    expect(view).not.toContain('\u001b')
    expect(view.split('\n')[0]).toContain('evil [2J  name')
  })

  test('works from the first moment, before anything is known', () => {
    const view = renderView(
      sampleStatus(0, {
        state: 'starting',
        verdict: '',
        sources: [],
        stages: [],
        places: [],
        latencyMs: { p50: 0, p95: 0, p99: 0, max: 0 },
      }),
      { columns: 80, colour: false, history: new History() },
    )
    expect(view).toContain('● starting')
    expect(view).not.toMatch(/NaN|undefined|Infinity|null/)
  })

  test('adds the sentence that a drain waits on', () => {
    const view = renderView(sampleStatus(70), {
      columns: 80,
      colour: false,
      history: watched(70),
      note: 'waiting for 3 calls',
    })
    expect(view.split('\n').at(-1)).toBe(' · waiting for 3 calls')
  })
})
