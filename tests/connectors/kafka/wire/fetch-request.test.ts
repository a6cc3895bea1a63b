/** The request of a fetch, byte for byte as the library writes it, in every version that is spoken. */
import { fetchV12, fetchV13, fetchV14, fetchV15, fetchV16, fetchV17 } from '@platformatic/kafka'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { FetchRequest } from '../../../../src/connectors/kafka/wire/calls.ts'
import { encodeFetch } from '../../../../src/connectors/kafka/wire/fetch-request.ts'

const LIBRARY = { 12: fetchV12, 13: fetchV13, 14: fetchV14, 15: fetchV15, 16: fetchV16, 17: fetchV17 }
const VERSIONS = [12, 13, 14, 15, 16, 17] as const

function writtenByLibrary(request: FetchRequest, version: (typeof VERSIONS)[number]): Buffer {
  const { maxWaitMs, minBytes, maxBytes, readCommitted, topics, rackId } = request
  const named = topics.map(({ name, topicId, partitions }) => ({
    topicId: version === 12 ? name : topicId,
    partitions: [...partitions],
  }))
  const { createRequest } = LIBRARY[version]
  const isolation = readCommitted ? 1 : 0
  return createRequest(maxWaitMs, minBytes, maxBytes, isolation, 0, -1, named as never, [], rackId).buffer
}

const int = fc.integer({ min: -1, max: 2 ** 31 - 1 })
const partition = fc.record({
  partition: fc.nat(),
  currentLeaderEpoch: int,
  fetchOffset: fc.maxSafeInteger().map((offset) => BigInt(Math.abs(offset))),
  lastFetchedEpoch: int,
  partitionMaxBytes: fc.nat(),
})
const request = fc.record({
  maxWaitMs: fc.nat(),
  minBytes: fc.nat(),
  maxBytes: fc.nat(),
  readCommitted: fc.boolean(),
  rackId: fc.string({ unit: 'grapheme', maxLength: 200 }),
  topics: fc.array(
    fc.record({
      name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 249 }),
      topicId: fc.uuid(),
      // From 127 on the length of the list takes two bytes.
      partitions: fc.array(partition, { maxLength: 140, size: 'max' }),
    }),
    { maxLength: 4 },
  ),
})

test.each(VERSIONS)('version %i', (version) => {
  fc.assert(
    fc.property(request, (given) => {
      const { length, buffers } = encodeFetch(given, version)
      const written = Buffer.concat(buffers)
      expect(length).toBe(written.length)
      expect(written.toString('hex')).toBe(writtenByLibrary(given, version).toString('hex'))
    }),
    { numRuns: 30 },
  )
})
