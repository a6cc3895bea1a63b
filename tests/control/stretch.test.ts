/** What a stretch says of the calls it counted, beside a list of all of them. */
import { describe, expect, test } from 'vitest'
import { SeededRandom } from '../../src/control/random.ts'
import { Stretch } from '../../src/control/stretch.ts'

const SPANS = 64
const SHORTEST_MS = 25
const START_MS = 12_345.5

/** So long are the spans when the last call comes `lastsMs` after the start. */
function spanMs(lastsMs: number): number {
  let ms = SHORTEST_MS
  while (lastsMs / ms >= SPANS) ms *= 2
  return ms
}

function drained(calls: readonly number[], lastsMs: number, perSecond: number): number {
  const ms = spanMs(lastsMs)
  let most = 0
  for (let fromMs = 0; fromMs <= lastsMs; fromMs += ms) {
    const granted = calls.filter((atMs) => atMs - START_MS >= fromMs).length
    most = Math.max(most, granted - (perSecond * (lastsMs - fromMs)) / 1000)
  }
  return most
}

describe('a stretch', () => {
  test.each([
    [1, 40, 30],
    [2, 40, 400],
    [3, 900, 20],
  ])('counts calls and takes back those that were refused, seed %i', (seed, count, mostApartMs) => {
    const random = new SeededRandom(seed)
    const stretch = new Stretch(START_MS, 0)
    const granted: number[] = []
    let nowMs = START_MS
    for (let call = 0; call < count; call += 1) {
      nowMs += mostApartMs * random.next() ** 3
      stretch.granted(nowMs)
      granted.push(nowMs)
      // A refusal comes when later calls have been counted already.
      if (random.next() < 0.2 && granted.length > 3) {
        const [sentMs] = granted.splice(granted.length - 3, 1)
        stretch.refused(sentMs as number)
      }
    }
    const lastsMs = nowMs - START_MS
    expect(stretch.lastsMs).toBe(lastsMs)
    expect(stretch.calls).toBe(granted.length)
    for (const perSecond of [1, 10, 100, 200]) {
      expect(stretch.drained(perSecond)).toBeCloseTo(drained(granted, lastsMs, perSecond), 6)
      expect(stretch.unspent(perSecond)).toBeCloseTo((perSecond * lastsMs) / 1000 - granted.length, 6)
    }
    const second = Math.floor(nowMs / 1000)
    expect(stretch.inSecond).toBe(granted.filter((atMs) => Math.floor(atMs / 1000) === second).length)
  })

  test('knows the fullest second before the present one', () => {
    const stretch = new Stretch(0, 0)
    for (const atMs of [100, 200, 1100, 1200, 1300, 2100, 5000]) stretch.granted(atMs)
    expect(stretch.mostBefore).toBe(3)
    expect(stretch.inSecond).toBe(1)
  })
})
