/** What brokers answer to writes, byte for byte, with the fields that they add only now and then. */
import { Reader, Writer } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import { type FrameReader, parseProduce } from '../../../../src/connectors/kafka/wire/formats.ts'
import { appendTagged, leader } from './tagged.ts'

const NOT_LEADER = 6

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
