import { expect, it } from 'vitest'
import type { Event } from './setup.ts'
import { type Evidence, Timeline } from './timeline.ts'

const stored = [0, 1, 2].map((number) => ({ partition: 0, offset: number, key: 'k', number }))
const event = (atUs: number, number: number): Event => [atUs, 0, number, 'k', number]
const honest: Evidence = {
  stored,
  starts: [event(1, 0), event(3, 1), event(5, 2)],
  dones: [event(2, 0), event(4, 1), event(6, 2)],
  ends: [event(3, 0), event(5, 1), event(6, 2)],
  commits: [
    { partition: 0, nextOffset: 1, ahead: [2, 3], atMs: 0 },
    { partition: 0, nextOffset: 3, ahead: [], atMs: 2 },
  ],
}
const judged = (...all: readonly Partial<Evidence>[]): Timeline => {
  const timeline = new Timeline(1)
  const nothing = { stored: [], starts: [], dones: [], ends: [], commits: [] }
  for (const evidence of all) timeline.judge({ ...nothing, ...evidence }, { alone: true })
  return timeline
}

it('honest members pass', () => {
  judged(honest).finish()
})

it('each broken promise is told', () => {
  const broken: [RegExp, Partial<Evidence>[]][] = [
    [/is called before number 0/, [{ ...honest, dones: honest.dones.slice(1), ends: [] }]],
    [/is written before number 0/, [{ ...honest, ends: honest.ends.slice(1) }]],
    [/no call for it was done/, [{ ...honest, dones: [event(9, 0)], starts: [event(1, 0)] }]],
    [/is committed and was not written/, [{ ...honest, ends: honest.ends.slice(0, 1), starts: [event(1, 0)] }]],
    [/moved back from 3 \(1970-01-01T00:00:00.002Z\) to 1 \(/, [{ ...honest, commits: [...honest.commits].reverse() }]],
    [/beyond its end/, [{ ...honest, commits: [{ partition: 0, nextOffset: 4, ahead: [], atMs: 0 }] }]],
    [/was committed and is done again/, [honest, { starts: [event(10, 1)] }]],
    [/came out as number 1/, [{ stored, starts: [[1, 0, 0, 'k', 1]] }]],
    [/where 0 was due/, [{ stored: stored.slice(1) }]],
  ]
  for (const [text, evidence] of broken) expect(() => judged(...evidence), String(text)).toThrow(text)
})

it('records that were lost or never committed are told at the end', () => {
  const half = {
    ...honest,
    starts: honest.starts.slice(0, 2),
    dones: honest.dones.slice(0, 2),
    ends: honest.ends.slice(0, 2),
    commits: [],
  }
  expect(() => judged(half).finish()).toThrow(/1 of 3 records were lost/)
  expect(() => judged({ ...honest, commits: honest.commits.slice(0, 1) }).finish()).toThrow(
    /1 records were never committed/,
  )
})

it('counts what was done again', () => {
  const timeline = new Timeline(1)
  const first = { ...honest, commits: [] }
  expect(timeline.judge(first, { alone: true })).toMatchObject({ started: 3, redone: 0, open: 3 })
  const again = { stored: [], starts: [event(7, 1), event(9, 2)], dones: [], ends: [], commits: honest.commits }
  expect(timeline.judge(again, { alone: true })).toMatchObject({ redone: 2, open: 0 })
})
