/** What the view remembers: rates and shares are differences, and a reset is unknown rather than wrong. */
import { describe, expect, test } from 'vitest'
import { stateBar } from '../../src/console/terminal/bars.ts'
import { History } from '../../src/console/terminal/history.ts'
import { lineCells } from '../../src/console/terminal/spans.ts'
import { SLOT_STATES, type StageStatus } from '../../src/model/status.ts'
import { sampleStatus } from './sample-status.ts'

const fraudOf = (seconds: number): StageStatus => sampleStatus(seconds).stages[1] as StageStatus

describe('the history', () => {
  test('keeps one sample a second', () => {
    const history = new History()
    for (let quarter = 0; quarter <= 40; quarter += 1) history.add(sampleStatus(quarter / 4))
    expect(history.series(100).in).toHaveLength(10)
  })

  test('measures arrivals over the last ten seconds', () => {
    const history = new History()
    expect(history.inPerSecond(sampleStatus(1))).toBeNull()
    for (let second = 0; second < 30; second += 1) history.add(sampleStatus(second))
    expect(history.inPerSecond(sampleStatus(30))).toBeCloseTo(335)
  })

  test('gives the share of slot time over the last five seconds, not since the start', () => {
    const history = new History()
    for (let second = 0; second <= 60; second += 1) history.add(sampleStatus(second))
    const then = fraudOf(60)
    const now = { ...then, states: { ...then.states, RATE: then.states.RATE + 320 } }
    const status = sampleStatus(65, { stages: [now] })
    expect(history.stage(status, now).shares?.RATE).toBeCloseTo(1)
  })

  test('starts afresh when the counters fall', () => {
    const history = new History()
    for (let second = 0; second < 30; second += 1) history.add(sampleStatus(second))
    history.add(sampleStatus(31, { records: { ...sampleStatus(31).records, in: 5 } }))
    expect(history.series(100).in).toEqual([])
  })
})

test('the state bar has exactly its width, and a cell for every state worth naming', () => {
  const { length } = SLOT_STATES
  for (let width = length; width < 60; width += 1) {
    const equal = Object.fromEntries(SLOT_STATES.map((state) => [state, 1 / length])) as StageStatus['states']
    expect(lineCells(stateBar(equal, width))).toBe(width)
    expect(stateBar(equal, width)).toHaveLength(length)
    const lopsided = {
      ...equal,
      ...Object.fromEntries(SLOT_STATES.map((state) => [state, 0.012])),
      CPU: 1 - 0.012 * (length - 1),
    }
    expect(lineCells(stateBar(lopsided, width))).toBe(width)
    expect(stateBar(lopsided, width)).toHaveLength(length)
  }
})
