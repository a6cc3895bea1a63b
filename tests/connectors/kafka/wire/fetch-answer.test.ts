/** What brokers answer to fetches, byte for byte, however it is cut into chunks on the way. */
import { Writer } from '@platformatic/kafka'
import { describe, expect, test } from 'vitest'
import type { FetchedPartition } from '../../../../src/connectors/kafka/wire/calls.ts'
import { readFetch } from '../../../../src/connectors/kafka/wire/fetch-answer.ts'
import { OutOfStep, Pieces, type Reading } from '../../../../src/connectors/kafka/wire/pieces.ts'
import { appendTagged, diverging, leader, type Tagged } from './tagged.ts'

const TOPIC = '01234567-89ab-cdef-0123-456789abcdef'
const NOT_LEADER = 6
const NAMES_TOPICS = 12
const NEWEST = 17

interface Answer {
  readonly errorCode: number
  readonly end: bigint
  readonly tagged: Tagged
  readonly records: Buffer
  readonly aborted?: readonly (readonly [producerId: bigint, firstOffset: bigint])[]
}

function fetched(partitions: readonly Answer[], name: string | null = null): Buffer {
  const writer = Writer.create()
    .appendInt32(0)
    .appendInt16(0)
    .appendInt32(0)
    .appendArray([TOPIC], (topic, id) => {
      const entries = partitions.map((each, index) => ({ ...each, index }))
      const entry = (inner: Writer, each: (typeof entries)[number]): void => {
        const { index, errorCode, end, tagged, records, aborted = [] } = each
        inner.appendInt32(index).appendInt16(errorCode).appendInt64(end).appendInt64(end).appendInt64(0n)
        inner.appendArray([...aborted], (one, [producerId, firstOffset]) => {
          one.appendInt64(producerId).appendInt64(firstOffset)
        })
        inner.appendInt32(-1)
        inner.appendUnsignedVarInt(records.length + 1).append(records)
        appendTagged(inner, tagged)
      }
      if (name === null) topic.appendUUID(id)
      else topic.appendString(name)
      topic.appendArray(entries, entry, true, false)
    })
    .appendTaggedFields()
  return writer.buffer
}

/** Reads an answer that arrives in chunks of so many bytes, in memory that is written over after each. */
function read(bytes: Buffer, chunkBytes: number, version = NEWEST): readonly FetchedPartition[] {
  let partitions: readonly FetchedPartition[] | null = null
  function* reading(): Reading<never> {
    const frame = { left: bytes.length }
    partitions = (yield* readFetch(frame, version)).partitions
    expect(frame.left).toBe(0)
    for (;;) yield 1
  }
  const pieces = new Pieces(reading())
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const chunk = Buffer.from(bytes.subarray(at, at + chunkBytes))
    pieces.feed(chunk)
    chunk.fill(0xee)
  }
  if (partitions === null) throw new Error('the answer was not read to its end')
  return partitions
}

describe.each([1, 7, 64, 100_000])('in chunks of %i bytes', (chunkBytes) => {
  test('a fetch is read to its end where a broker names the new leader of a partition', () => {
    const records = Buffer.from('as they are stored, in more than one chunk')
    const bytes = fetched([
      { errorCode: NOT_LEADER, end: -1n, tagged: [[1, leader(3, 9)]], records: Buffer.alloc(0) },
      { errorCode: 0, end: 40n, tagged: [], records, aborted: [[7n, 31n], [8n, 35n]] },
    ]) // biome-ignore format: pairs
    const partitions = read(bytes, chunkBytes)
    expect(partitions.map((each) => [each.topic, each.partitionIndex, each.errorCode, each.highWatermark])).toEqual([
      [TOPIC, 0, NOT_LEADER, -1],
      [TOPIC, 1, 0, 40],
    ])
    expect(partitions.map((each) => each.records?.toString())).toEqual([undefined, records.toString()])
    expect(partitions.map((each) => each.diverging)).toEqual([null, null])
    expect(partitions[1]?.abortedTransactions).toEqual([
      { producerId: 7n, firstOffset: 31n },
      { producerId: 8n, firstOffset: 35n },
    ])
  })

  test('a fetch says where the logs have parted, whatever else the broker adds', () => {
    const tagged: Tagged = [
      [0, diverging(4, 123n)],
      [1, leader(2, 7)],
      [9, Writer.create().appendInt64(1n)],
    ]
    const nothing = { errorCode: 0, end: 123n, records: Buffer.alloc(0) }
    const partitions = read(
      fetched([
        { ...nothing, tagged },
        { ...nothing, tagged: [] },
      ]),
      chunkBytes,
    )
    expect(partitions.map((each) => each.diverging)).toEqual([{ epoch: 4, endOffset: 123 }, null])
  })

  test('a broker that gives topics no ids names them', () => {
    const bytes = fetched([{ errorCode: 0, end: 1n, tagged: [], records: Buffer.from('x') }], 'payments')
    expect(read(bytes, chunkBytes, NAMES_TOPICS).map((each) => each.topic)).toEqual(['payments'])
  })
})

test('the records of each partition are in memory of their own', () => {
  const each = { errorCode: 0, end: 1n, tagged: [] }
  const [first, second] = read(
    fetched([
      { ...each, records: Buffer.alloc(500, 1) },
      { ...each, records: Buffer.alloc(9, 2) },
    ]),
    64,
  )
  expect([first?.records?.buffer.byteLength, second?.records?.buffer.byteLength]).toEqual([500, 9])
})

test('an answer whose lengths point beyond its end is refused, without the memory it asks for', () => {
  const bytes = fetched([{ errorCode: 0, end: 1n, tagged: [], records: Buffer.alloc(100) }])
  let refused = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const damaged = Buffer.from(bytes)
    damaged[at] = 0xff
    try {
      read(damaged, 64)
    } catch (error) {
      if (error instanceof OutOfStep) refused += 1
    }
  }
  expect(refused).toBeGreaterThan(0)
})
