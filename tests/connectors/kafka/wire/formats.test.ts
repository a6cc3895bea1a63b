/** What brokers answer to fetches and writes, byte for byte, with the fields that they add only now and then. */
import { Reader, Writer } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { type FrameReader, parseFetch, parseProduce } from '../../../../src/connectors/kafka/wire/formats.ts'

const TOPIC = '01234567-89ab-cdef-0123-456789abcdef'
const NOT_LEADER = 6

type Tagged = readonly (readonly [tag: number, content: Writer])[]

/** With as many fields as are given, each behind its tag and its length. */
function appendTagged(writer: Writer, fields: Tagged): void {
  writer.appendUnsignedVarInt(fields.length)
  for (const [tag, content] of fields)
    writer.appendUnsignedVarInt(tag).appendUnsignedVarInt(content.length).append(content.buffer)
}

/** A leader's id and epoch, or an epoch and where it ends. */
const leader = (id: number, epoch: number): Writer =>
  Writer.create().appendInt32(id).appendInt32(epoch).appendTaggedFields()
const diverging = (epoch: number, endOffset: bigint): Writer =>
  Writer.create().appendInt32(epoch).appendInt64(endOffset).appendTaggedFields()

function fetched(partitions: readonly { errorCode: number; end: bigint; tagged: Tagged; records: Buffer }[]): Reader {
  const writer = Writer.create()
    .appendInt32(0)
    .appendInt16(0)
    .appendInt32(0)
    .appendArray([TOPIC], (topic, id) => {
      const entries = partitions.map((each, index) => ({ ...each, index }))
      const entry = (inner: Writer, { index, errorCode, end, tagged, records }: (typeof entries)[number]): void => {
        inner.appendInt32(index).appendInt16(errorCode).appendInt64(end).appendInt64(end).appendInt64(0n)
        inner.appendUnsignedVarInt(0).appendInt32(-1)
        inner.appendUnsignedVarInt(records.length + 1).append(records)
        appendTagged(inner, tagged)
      }
      topic.appendUUID(id).appendArray(entries, entry, true, false)
    })
    .appendTaggedFields()
  return Reader.from(writer.buffer)
}

test('a fetch is read to its end where a broker names the new leader of a partition', () => {
  const records = Buffer.from('as they are stored')
  const reader = fetched([
    { errorCode: NOT_LEADER, end: -1n, tagged: [[1, leader(3, 9)]], records: Buffer.alloc(0) },
    { errorCode: 0, end: 40n, tagged: [], records },
  ])
  const { partitions } = parseFetch(reader as unknown as FrameReader, 17)
  expect(partitions.map(({ partitionIndex, errorCode, highWatermark }) => [partitionIndex, errorCode, highWatermark])) //
    .toEqual([
      [0, NOT_LEADER, -1],
      [1, 0, 40],
    ])
  expect(partitions[1]?.records?.toString()).toBe(records.toString())
  expect(partitions.map((each) => each.diverging)).toEqual([null, null])
})

test('a fetch says where the logs have parted, whatever else the broker adds', () => {
  const tagged: Tagged = [
    [0, diverging(4, 123n)],
    [1, leader(2, 7)],
    [9, Writer.create().appendInt64(1n)],
  ]
  const nothing = { errorCode: 0, end: 123n, records: Buffer.alloc(0) }
  const reader = fetched([
    { ...nothing, tagged },
    { ...nothing, tagged: [] },
  ])
  const { partitions } = parseFetch(reader as unknown as FrameReader, 17)
  expect(partitions.map((each) => each.diverging)).toEqual([{ epoch: 4, endOffset: 123 }, null])
})

test('an answer to a write is read to its end where a broker names the new leader of a partition', () => {
  const codes = [NOT_LEADER, 0]
  const writer = Writer.create()
    .appendArray(['topic'], (topic, name) => {
      const entry = (inner: Writer, errorCode: number, index: number): void => {
        inner.appendInt32(index).appendInt16(errorCode).appendInt64(5n).appendInt64(-1n).appendInt64(0n)
        inner.appendUnsignedVarInt(1).appendString(null)
        appendTagged(inner, errorCode === 0 ? [] : [[0, leader(3, 9)]])
      }
      topic.appendString(name).appendArray(codes, entry, true, false)
    })
    .appendTaggedFields()
  const { topics } = parseProduce(Reader.from(writer.buffer) as unknown as FrameReader)
  expect(topics[0]?.partitions.map(({ index, errorCode }) => [index, errorCode])).toEqual([
    [0, NOT_LEADER],
    [1, 0],
  ])
})
