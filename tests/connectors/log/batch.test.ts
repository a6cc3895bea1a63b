import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { draft } from '../../../src/connectors/log/append.ts'
import { Batch, batchFault, batchHead, type LogRecord } from '../../../src/connectors/log/batch.ts'
import { BATCH_BYTES, BATCH_RECORDS, type Draft, encodeBatches } from '../../../src/connectors/log/encode.ts'
import { runs } from '../../fixtures/long.ts'

const made = (key: string | null, value: Uint8Array | string, headers = {}, timestampMs = 1): Draft =>
  draft(key, value, headers, timestampMs, null, Number.POSITIVE_INFINITY)

const recordAt = (batch: Batch, index: number): LogRecord => {
  const records: LogRecord[] = []
  batch.read(index, index + 1, 't/0', records)
  return records[0] as LogRecord
}

const entries = fc.array(
  fc.record({
    key: fc.option(fc.string({ unit: 'binary', maxLength: 60 })),
    value: fc.oneof(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary', maxLength: 80 })),
    headers: fc.dictionary(fc.string({ maxLength: 5 }), fc.oneof(fc.string(), fc.uint8Array({ maxLength: 9 })), {
      maxKeys: 3,
    }),
    timestampMs: fc.integer({ min: 0, max: 4e12 }),
  }),
  { minLength: 1, maxLength: 40 },
)

describe('a batch', () => {
  it('gives back any records in any order of access', () => {
    fc.assert(
      fc.property(entries, fc.nat(1e9), (given, base) => {
        const [encoded, ...more] = encodeBatches(
          given.map((each) => made(each.key, each.value, each.headers, each.timestampMs)),
        )
        expect(more).toEqual([])
        expect(batchFault(encoded!.bytes)).toBeNull()
        const batch = new Batch(base, encoded!.bytes)
        expect(batch.endOffset).toBe(base + given.length)
        for (let index = given.length - 1; index >= 0; index -= 1) {
          const { key, value, headers, timestampMs } = given[index]!
          const record = recordAt(batch, index)
          const wellFormed = (text: string): string => Buffer.from(text).toString()
          expect(record.key).toBe(key === null ? null : wellFormed(key))
          expect(Buffer.from(record.value).equals(Buffer.from(value as string))).toBe(true)
          expect(record.offset).toBe(base + index)
          expect(record.timestampMs).toBe(timestampMs)
          expect(record.bytes).toBe(batch.bytesOf(index, index + 1))
          expect(batch.timestampAt(index)).toBe(timestampMs)
          expect(Object.keys(record.headers).sort()).toEqual(Object.keys(headers).map(wellFormed).sort())
          for (const [name, stored] of Object.entries(record.headers)) {
            expect(Buffer.from(stored as string).equals(Buffer.from(headers[name] as string))).toBe(true)
          }
        }
      }),
      { numRuns: runs(150) },
    )
  })

  it('takes no room for what its records have alike, or not at all', () => {
    const beside = (...drafts: Draft[]): number =>
      (encodeBatches(drafts)[0]?.bytes.length ?? 0) - drafts.reduce((sum, { bytes }) => sum + bytes, 0)
    expect(beside(made(null, 'a'), made(null, 'b'))).toBe(36 + 2 * 4)
    expect(beside(made('k', 'a'), made(null, 'b'))).toBe(36 + 2 * 8)
    expect(beside(made(null, 'a', { n: '1' }), made(null, 'b'))).toBe(36 + 2 * 8)
    expect(beside(made(null, 'a', {}, 1), made(null, 'b', {}, 2))).toBe(36 + 2 * 12)
  })

  it('gives back a range as it does one record after another', () => {
    const drafts = [made('k', 'a', {}, 5), made('', 'bb', { n: '1' }, 7), made(null, '', {}, 6)]
    const batch = new Batch(10, encodeBatches(drafts)[0]!.bytes)
    const range: LogRecord[] = []
    batch.read(1, 3, 't/0', range)
    expect(range).toEqual([recordAt(batch, 1), recordAt(batch, 2)])
    expect(range.map(({ key, offset, timestampMs }) => [key, offset, timestampMs])).toEqual([
      ['', 11, 7],
      [null, 12, 6],
    ])
  })

  it('is at fault when any bit of it flips or its end is missing', () => {
    const [{ bytes }] = encodeBatches([made('key', 'value', { a: 'b' }), made(null, 'second')]) as unknown as [
      { bytes: Buffer },
    ]
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const at = bit >> 3
      if (at >= 1 && at <= 3) continue // reserved
      const flipped = Buffer.from(bytes)
      flipped[at] = flipped[at]! ^ (1 << (bit & 7))
      expect(batchFault(flipped), `bit ${bit}`).not.toBeNull()
    }
    for (let length = 0; length < bytes.length; length += 1)
      expect(batchFault(bytes.subarray(0, length))).not.toBeNull()
  })

  it('of a newer version is not taken for a corrupt one', () => {
    const [{ bytes }] = encodeBatches([made(null, 'x')]) as unknown as [{ bytes: Buffer }]
    bytes[0] = 3
    expect(batchFault(bytes)).toMatchObject({ newer: true })
  })

  it('is split by records and by bytes, and never splits a record', () => {
    const many = encodeBatches(Array.from({ length: BATCH_RECORDS + 1 }, () => made(null, '')))
    expect(many.map(({ count }) => count)).toEqual([BATCH_RECORDS, 1])
    const large = encodeBatches([made(null, 'a'), made(null, Buffer.alloc(BATCH_BYTES * 2)), made(null, 'b')])
    expect(large.map(({ count }) => count)).toEqual([1, 1, 1])
  })

  it('tells its count and newest timestamp without being opened', () => {
    const [{ bytes }] = encodeBatches([
      made(null, 'x', {}, 5),
      made(null, 'y', {}, 9),
      made(null, 'z', {}, 7),
    ]) as unknown as [{ bytes: Buffer }]
    expect(batchHead(bytes)).toEqual({ count: 3, newestMs: 9 })
  })
})
