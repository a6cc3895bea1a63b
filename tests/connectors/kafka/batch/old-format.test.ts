import { describe, expect, it } from 'vitest'
import { RecordBatches } from '../../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import { contents, decodeRecordBatches, placedAt, plainDecoding, plainEncoding, record } from './codec.ts'
import { type OldMessage, oldMessage, oldSet } from './old-writer.ts'

const RECORDS: OldMessage[] = [
  { offset: 10, timestampMs: 1_000, key: 'a', value: 'one' },
  { offset: 13, timestampMs: 2_000, key: null, value: null },
  { offset: 14, timestampMs: 3_000, key: '', value: '' },
]

const values = (fetched: Buffer, fromOffset = 0): unknown[] =>
  contents(decodeRecordBatches(fetched, { ...plainDecoding, fromOffset }).batches).map(({ offset, value }) => [
    offset,
    value,
  ])

describe.each([0, 1])('messages of magic %i', (magic) => {
  const expected = RECORDS.map(({ offset, timestampMs, key = null, value }) => {
    return { offset, timestampMs: magic === 1 ? timestampMs : -1, key, value, headers: {} }
  })
  const run = Buffer.concat(RECORDS.map((each) => oldMessage(magic, each)))

  it('become one block', () => {
    const { batches, nextOffset } = decodeRecordBatches(run, plainDecoding)
    expect(batches).toHaveLength(1)
    expect(contents(batches)).toEqual(expected)
    expect(nextOffset).toBe(15)
  })

  it('come out of a compressed set with their own offsets', () => {
    const { batches, nextOffset } = decodeRecordBatches(oldSet(magic, 'gzip', RECORDS), {
      ...plainDecoding,
      fromOffset: 11,
    })
    expect(contents(batches)).toEqual(expected.slice(1))
    expect(nextOffset).toBe(15)
  })

  it('may be followed by batches of the present format', () => {
    const present = placedAt(encodeRecordBatch([record('new')], plainEncoding), 20)
    expect(values(Buffer.concat([run, oldSet(magic, 'gzip', [{ offset: 16, value: 'set' }]), present]))).toEqual([
      [10, 'one'],
      [13, null],
      [14, ''],
      [16, 'set'],
      [20, 'new'],
    ])
  })

  it('come out up to the first one that is damaged, which is refused by its offset', () => {
    const damaged = Buffer.from(run)
    damaged[damaged.length - 1]! ^= 1
    const reader = new RecordBatches(damaged, plainDecoding)
    expect(contents([reader.next()!])).toEqual(expected.slice(0, 2))
    expect(reader.nextOffset).toBe(14)
    for (const _ of [1, 2]) expect(() => reader.next()).toThrow(/at offset 14 .*checksum/)
  })

  it('are refused as a set within a set', () => {
    const inner = {
      offset: 5,
      value: oldSet(magic, 'gzip', [{ offset: 5, value: 'deep' }]).subarray(magic === 1 ? 34 : 26),
    }
    const nested = oldSet(magic, 'gzip', [{ offset: 4, value: 'x' }, inner])
    expect(values(nested)).toEqual([
      [4, 'x'],
      [5, inner.value.toString()],
    ])
    const deeper = oldMessage(
      magic,
      { offset: 5, value: gzipOf(oldSet(magic, 'gzip', [{ offset: 5, value: 'deep' }])) },
      1,
    )
    expect(() => values(deeper)).toThrow(/a compressed set within a compressed set/)
  })
})

it("a set that the broker stamped has the broker's time", () => {
  const { batches } = decodeRecordBatches(oldSet(1, 'gzip', RECORDS, 777), plainDecoding)
  expect(contents(batches).map(({ timestampMs }) => timestampMs)).toEqual([777, 777, 777])
})

function gzipOf(bytes: Buffer): Buffer {
  return plainDecoding.codec.compress('gzip', bytes)
}
