/** Somebody who asks for a diagnosis all the time: the doctor sees as far back as ever, and keeps no more for it. */
import { expect, test } from 'vitest'
import { Doctor } from '../../src/diagnose/doctor.ts'
import { keepApart } from '../../src/diagnose/window.ts'
import { sampleStatus } from '../console/sample-status.ts'

test.each([1, 7, 50, 199])('of looks %i ms apart few are kept, evenly, from the first to the last', (stepMs) => {
  const looks: number[] = []
  const lastMs = stepMs * 3000
  for (let atMs = 0; atMs <= lastMs; atMs += stepMs) {
    keepApart(looks, (look) => look)
    looks.push(atMs)
  }
  expect(looks[0]).toBe(0)
  expect(looks.at(-1)).toBe(lastMs)
  const gaps = looks.slice(1, -1).map((look, index) => look - (looks[index] as number))
  expect(gaps.every((gap) => gap >= 200 && gap < 200 + stepMs)).toBe(true)
})

test('of looks half a second apart every one is kept', () => {
  const looks: number[] = []
  for (let atMs = 0; atMs <= 10_000; atMs += 500) {
    keepApart(looks, (look) => look)
    looks.push(atMs)
  }
  expect(looks).toHaveLength(21)
})

test('the window of a diagnosis is as long as with a look twice a second', () => {
  const windowMs = (stepMs: number): number => {
    const doctor = new Doctor()
    const first = sampleStatus(10)
    for (let ms = 0; ms <= 20_000; ms += stepMs) doctor.observe({ ...first, nowMs: first.nowMs + ms })
    return doctor.diagnosis()?.window.ms ?? 0
  }
  expect(Math.abs(windowMs(10) - windowMs(500))).toBeLessThanOrEqual(200)
})
