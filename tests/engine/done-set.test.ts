/**
 * The done-ahead set as it travels in a commit's metadata. Whatever arrives there was written by someone: an earlier
 * version, another program, a disk with a flipped bit. What cannot be read must be told apart from what can.
 */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeDoneSet, encodeDoneSet, type Runs } from '../../src/engine/done-set.ts'

const RUNS = (max: number) =>
  fc
    .array(fc.tuple(fc.integer({ min: 1, max }), fc.integer({ min: 1, max })), { minLength: 1, maxLength: 60 })
    .map((pairs) => {
      const runs: Runs = []
      let at = 0
      for (const [gap, length] of pairs) {
        runs.push(at + gap, at + gap + length)
        at += gap + length
      }
      return runs
    })

const shifted = (runs: Runs, by: number): Runs => runs.map((offset) => offset + by)

describe('the done-ahead set', () => {
  test('comes back as it was, from whichever encoding is smaller', () => {
    fc.assert(
      fc.property(fc.oneof(RUNS(3), RUNS(100), RUNS(1_000_000)), fc.nat(2 ** 40), (runs, nextOffset) => {
        const moved = shifted(runs, nextOffset)
        const encoded = encodeDoneSet(nextOffset, moved, Number.POSITIVE_INFINITY) as Uint8Array
        expect(decodeDoneSet(nextOffset, encoded)).toEqual(moved)
      }),
    )
  })

  test('holds a prefix of the runs when the space is too small, and nothing that was not done', () => {
    fc.assert(
      fc.property(RUNS(200), fc.integer({ min: 0, max: 60 }), (runs, space) => {
        const encoded = encodeDoneSet(0, runs, space)
        if (encoded === null) return
        expect(encoded.length).toBeLessThanOrEqual(space)
        const read = decodeDoneSet(0, encoded) as Runs
        expect(runs.slice(0, read.length)).toEqual(read)
        expect(read.length).toBeGreaterThan(0)
      }),
    )
  })

  test('takes every second of 20,000 offsets in a bitset, and stays within 4,096 bytes', () => {
    const runs = Array.from({ length: 20_000 }, (_, at) => [at * 2 + 1, at * 2 + 2]).flat()
    const cut = encodeDoneSet(0, runs, 4096) as Uint8Array
    expect(cut.length).toBeLessThanOrEqual(4096)
    const whole = encodeDoneSet(0, runs, 8192) as Uint8Array
    expect(whole.length).toBe(6 + 5000)
    expect(decodeDoneSet(0, whole)).toEqual(runs)
  })

  test('parallel-consumer#35: a span beyond 16 and 32 bits of offsets neither overflows nor wraps', () => {
    for (const far of [2 ** 15, 2 ** 16, 2 ** 31, 2 ** 32, 2 ** 45]) {
      const runs = [1, 2, far, far + 3]
      const encoded = encodeDoneSet(0, runs, 4096) as Uint8Array
      expect(decodeDoneSet(0, encoded)).toEqual(runs)
      const moved = encodeDoneSet(far, shifted(runs, far), 4096) as Uint8Array
      expect(decodeDoneSet(far, moved)).toEqual(shifted(runs, far))
    }
  })

  test('parallel-consumer#329: runs over the gaps that transaction markers leave are kept whole', () => {
    const runs = [11, 20, 21, 40, 1000, 1001]
    expect(decodeDoneSet(10, encodeDoneSet(10, runs, 4096) as Uint8Array)).toEqual([11, 20, 21, 40, 1000, 1001])
  })

  test('parallel-consumer#326: metadata that others wrote is recognised and ignored', () => {
    const foreign = ['', 'x', 'some text that another client stored', '{"v":1}', 'HG', 'HG\u0002\u0000\u0000\u0000abc']
    for (const text of foreign) expect(decodeDoneSet(0, new TextEncoder().encode(text))).toBeNull()
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        if (bytes[0] === 0x48 && bytes[1] === 0x47) return
        expect(decodeDoneSet(0, bytes)).toBeNull()
      }),
    )
  })

  test('a newer version and an unknown kind are not read', () => {
    const encoded = encodeDoneSet(0, [1, 5], 100) as Uint8Array
    expect(decodeDoneSet(0, encoded.with(2, 2))).toBeNull()
    expect(decodeDoneSet(0, encoded.with(3, 9))).toBeNull()
  })

  test('cut short or with one bit flipped it is never read as something else', () => {
    fc.assert(
      fc.property(RUNS(300), fc.nat(), (runs, at) => {
        const encoded = encodeDoneSet(0, runs, Number.POSITIVE_INFINITY) as Uint8Array
        const short = encoded.slice(0, at % encoded.length)
        // The checksum is 16 bits: trailing zero bytes, which say nothing, may go unnoticed.
        const read = decodeDoneSet(0, short)
        if (read !== null) expect(runs.slice(0, read.length)).toEqual(read)
        const bit = at % (encoded.length * 8)
        if (bit >>> 3 === 3) return
        const flipped = encoded.with(bit >>> 3, (encoded[bit >>> 3] as number) ^ (1 << (bit & 7)))
        expect(decodeDoneSet(0, flipped)).toBeNull()
      }),
    )
  })

  test('hostile bytes with a valid checksum give rising, disjoint runs or nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 80 }), fc.constantFrom(0, 1), (body, kind) => {
        let a = 0
        let b = 0
        for (const byte of body) {
          a = (a + byte) % 255
          b = (b + a) % 255
        }
        const read = decodeDoneSet(5, Uint8Array.of(0x48, 0x47, 1, kind, b, a, ...body))
        if (read === null) return
        let last = 5
        for (let at = 0; at < read.length; at += 2) {
          expect(read[at]).toBeGreaterThanOrEqual(last)
          expect(read[at + 1]).toBeGreaterThan(read[at] as number)
          last = read[at + 1] as number
        }
      }),
    )
  })
})
