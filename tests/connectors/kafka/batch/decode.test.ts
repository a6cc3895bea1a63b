import { describe, expect, it } from 'vitest'
import { RecordBatches } from '../../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import {
  codec,
  compressionsHere,
  contents,
  decodeRecordBatches,
  placedAt,
  plainDecoding,
  plainEncoding,
  record,
} from './codec.ts'

const T0 = 1_700_000_000_000
const RECORDS = [
  record('first', { key: 'a' }),
  record(null, { key: 'tombstone', timestampMs: T0 - 5_000 }),
  record('', { key: '' }),
  record('ü'.repeat(300), {
    headers: { trace: 'x', empty: '', bytes: Uint8Array.of(104, 105) },
    timestampMs: T0 + 90_000,
  }),
]

describe('decoding what was encoded', () => {
  it.each(compressionsHere)('gives the same records with %s', (compression) => {
    const batch = placedAt(encodeRecordBatch(RECORDS, { ...plainEncoding, compression }), 1_000)
    const { batches, nextOffset, incompleteBytes } = decodeRecordBatches(batch, { ...plainDecoding, fromOffset: 1_000 })
    expect({ nextOffset, incompleteBytes }).toEqual({ nextOffset: 1_004, incompleteBytes: 0 })
    expect(contents(batches)).toEqual([
      { offset: 1_000, timestampMs: T0, key: 'a', value: 'first', headers: {} },
      { offset: 1_001, timestampMs: T0 - 5_000, key: 'tombstone', value: null, headers: {} },
      { offset: 1_002, timestampMs: T0, key: '', value: '', headers: {} },
      {
        offset: 1_003,
        timestampMs: T0 + 90_000,
        key: null,
        value: 'ü'.repeat(300),
        headers: { trace: 'x', empty: '', bytes: 'hi' },
      },
    ])
  })

  it('charges a record with its key, value and headers', () => {
    const batch = encodeRecordBatch(
      [record('12345', { key: 'abc' }), record(null), record('', { headers: { h: 'v' } })],
      plainEncoding,
    )
    const [block] = decodeRecordBatches(batch, plainDecoding).batches
    expect([0, 1, 2].map((index) => block!.sizeAt(index))).toEqual([8, 0, 4])
  })

  it('leaves out what lies before the offset that was asked for', () => {
    const { batches } = decodeRecordBatches(placedAt(encodeRecordBatch(RECORDS, plainEncoding), 10), {
      ...plainDecoding,
      fromOffset: 12,
    })
    expect(contents(batches).map(({ offset }) => offset)).toEqual([12, 13])
  })

  it('reports a batch that was cut off, and where to go on', () => {
    const first = encodeRecordBatch([record('a'), record('b')], plainEncoding)
    const second = placedAt(encodeRecordBatch([record('c')], plainEncoding), 2)
    const reader = new RecordBatches(Buffer.concat([first, second.subarray(0, second.length - 1)]), plainDecoding)
    expect(contents([reader.next()!]).map(({ value }) => value)).toEqual(['a', 'b'])
    expect(reader.next()).toBeNull()
    expect(reader.nextOffset).toBe(2)
    expect(reader.leftBytes).toBe(second.length - 1)
    expect(reader.nextBatchBytes).toBe(second.length)
  })

  it('reads integers beyond 32 bits', () => {
    const at = 2 ** 40 + 7
    const batch = placedAt(
      encodeRecordBatch([record('x', { timestampMs: -1 }), record('y', { timestampMs: 2 ** 44 })], plainEncoding),
      at,
    )
    expect(contents(decodeRecordBatches(batch, { ...plainDecoding, fromOffset: at }).batches)).toMatchObject([
      { offset: at, timestampMs: -1 },
      { offset: at + 1, timestampMs: 2 ** 44 },
    ])
  })
})

describe('a damaged batch', () => {
  it('is refused with its offset and what is wrong, again and again', () => {
    const batch = placedAt(encodeRecordBatch(RECORDS, plainEncoding), 77)
    batch[batch.length - 3]! ^= 1
    const reader = new RecordBatches(batch, plainDecoding)
    for (const _ of [1, 2]) expect(() => reader.next()).toThrow(/at offset 77 of t\/0 .*checksum does not match/)
  })

  it('is refused where it would become larger than allowed (kafkajs#1795)', () => {
    for (const compression of compressionsHere) {
      const batch = encodeRecordBatch([record('0'.repeat(300_000))], { ...plainEncoding, compression })
      const limited = { ...plainDecoding, codec, maxRecordBatchBytes: 100_000 }
      expect(() => decodeRecordBatches(batch, limited), compression).toThrow(/more than maxRecordBatchBytes \(100000\)/)
    }
  })
})
