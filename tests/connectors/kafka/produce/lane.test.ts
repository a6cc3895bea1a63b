/** A lane against a modelled partition: the broker keeps what has the next sequence number and refuses all else. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Delivery, type Parcel } from '../../../../src/connectors/kafka/produce/delivery.ts'
import { Lane } from '../../../../src/connectors/kafka/produce/lane.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'

const PLAIN = { codec: { crc32c: () => 0 } as never, compression: 'none', transactional: false } as const
const SEQUENCE_AT = 53
const COUNT_AT = 57

function parcelsOf(count: number, bytes = 10): { parcels: Parcel[]; delivery: Delivery } {
  const delivery = new Delivery(count, new AbortController().signal)
  const parcels = Array.from({ length: count }, (_, index) => ({
    record: { key: null, value: `value-${index}`, headers: NO_HEADERS, timestampMs: 0 },
    bytes,
    delivery,
    index,
    giveUpMs: Number.POSITIVE_INFINITY,
  }))
  return { parcels, delivery }
}

function laneWith(count: number, batchBytes = 50) {
  const lane = new Lane('topic', 0, batchBytes)
  lane.become({ id: 7n, epoch: 0 })
  const made = parcelsOf(count)
  for (const parcel of made.parcels) lane.push(parcel)
  return { lane, ...made }
}

test('one batch is on its way at a time, and a repeated one is the same bytes', () => {
  const { lane } = laneWith(12)
  const first = lane.pack(PLAIN)!
  expect(first.parcels).toHaveLength(5)
  expect(lane.pack(PLAIN)).toBe(first)
  lane.stored()
  expect(lane.pack(PLAIN)!.bytes.readInt32BE(SEQUENCE_AT)).toBe(5)
})

test('what is certainly not stored goes back to the head, under the same number', () => {
  const { lane, parcels } = laneWith(12)
  lane.pack(PLAIN)
  lane.batchBytes = 20
  lane.unpack()
  const again = lane.pack(PLAIN)!
  expect(again.parcels).toEqual(parcels.slice(0, 2))
  expect(again.bytes.readInt32BE(SEQUENCE_AT)).toBe(0)
})

test('a new identity begins at 0 with what was not stored', () => {
  const { lane, parcels } = laneWith(12)
  lane.pack(PLAIN)
  lane.stored()
  lane.pack(PLAIN)
  lane.become({ id: 8n, epoch: 0 })
  const again = lane.pack(PLAIN)!
  expect(again.parcels).toEqual(parcels.slice(5, 10))
  expect(again.bytes.readInt32BE(SEQUENCE_AT)).toBe(0)
})

test('records that nobody waits for any more are not sent', () => {
  const { lane, delivery } = laneWith(3)
  delivery.failed(1, 'rejected', new Error('too large') as never)
  expect(lane.pack(PLAIN)!.parcels.map(({ index }) => index)).toEqual([0, 2])
})

test('whatever is lost on the way, the broker keeps every record once and in order', () => {
  const fates = fc.array(fc.constantFrom('stored', 'answer lost', 'request lost', 'too large', 'refused'), {
    minLength: 30,
    maxLength: 200,
  })
  fc.assert(
    fc.property(fates, fc.integer({ min: 1, max: 40 }), (script, count) => {
      const { lane, delivery } = laneWith(count)
      const kept: number[] = []
      let next = 0
      for (const fate of [...script, ...new Array<'stored'>(200).fill('stored')]) {
        const batch = lane.pack(PLAIN)
        if (batch === null) break
        const sequence = batch.bytes.readInt32BE(SEQUENCE_AT)
        const records = batch.bytes.readInt32BE(COUNT_AT)
        expect(records).toBe(batch.parcels.length)
        const isNew = sequence === next
        // An answer that was lost left the batch here: the same one must come again.
        if (!isNew) expect(sequence + records).toBe(next)
        if (isNew && (fate === 'too large' || fate === 'refused')) {
          if (fate === 'too large') lane.batchBytes = 10
          lane.unpack()
          continue
        }
        if (fate === 'request lost') continue
        if (isNew) {
          next += records
          kept.push(...batch.parcels.map(({ index }) => index))
        }
        if (fate !== 'answer lost') for (const { index } of lane.stored()) delivery.written(index)
      }
      expect(kept).toEqual(Array.from({ length: count }, (_, index) => index))
    }),
  )
})
