/** How much is asked for, against a log of real batches that answers as a broker does: so many bytes, cut off anywhere. */
import { expect, test } from 'vitest'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import { PREFIX_BYTES } from '../../../../src/connectors/kafka/batch/layout.ts'
import { Demand } from '../../../../src/connectors/kafka/fetch/demand.ts'
import { survey } from '../../../../src/connectors/kafka/fetch/survey.ts'
import { Partition } from '../../../../src/connectors/kafka/partition.ts'
import { plainEncoding, record } from '../batch/codec.ts'

const CREDIT = { records: 100, bytes: 10_000_000 }
const MOST_BYTES = 1024 * 1024

function batchAt(offset: number, records: number): Buffer {
  const bytes = encodeRecordBatch(
    Array.from({ length: records }, () => record('v'.repeat(100))),
    plainEncoding,
  )
  bytes.writeBigInt64BE(BigInt(offset), 0)
  return bytes
}

/** Reads a log of batches with so many records each; of every request: what was sent, and what was of use. */
function readLog(sizes: readonly number[]): { sent: number; used: number }[] {
  let offset = 0
  const batches = sizes.map((records) => batchAt((offset += records) - records, records))
  const log = Buffer.concat(batches)
  const demand = new Demand()
  demand.set(CREDIT)
  const partition = new Partition('t', 0, 't/0', 1, 0)
  const requests: { sent: number; used: number }[] = []
  let at = 0
  while (at < log.length && requests.length < 10 * sizes.length) {
    const asked = demand.bytesFor(partition, demand.left({ records: 0, bytes: 0 }), 1, MOST_BYTES)
    const sent = log.subarray(at, at + asked)
    const { bytes, records, nextOffset, lastBatchBytes } = survey(sent, partition.position)
    partition.batchBytes = Math.max(Math.floor(partition.batchBytes * 0.9), lastBatchBytes)
    if (records > 0) partition.recordBytes = bytes / records
    partition.position = nextOffset
    at += bytes
    requests.push({ sent: sent.length, used: bytes })
  }
  expect(at).toBe(log.length)
  return requests
}

test('of batches that are alike, nothing is sent twice but the head of the next one', () => {
  const [, ...afterFirst] = readLog(Array.from({ length: 60 }, () => 150))
  for (const { sent, used } of afterFirst) expect(sent - used).toBeLessThanOrEqual(PREFIX_BYTES)
})

test('batches of any size fit into the next request', () => {
  let seed = 7
  const draw = (): number => (seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
  const sizes = Array.from({ length: 200 }, () => 1 + Math.floor(draw() * draw() * 900))
  const [, ...afterFirst] = readLog(sizes)
  for (const { used } of afterFirst) expect(used).toBeGreaterThan(0)
})

const NOTHING = { records: 0, bytes: 0 }
const LARGE = { records: 1_000_000, bytes: 1_000_000_000 }

function aheadAfter(answers: readonly (readonly [nodeId: number, ms: number])[], credit = LARGE): number {
  const demand = new Demand()
  for (const [nodeId, ms] of answers) demand.answered(nodeId, ms)
  demand.set(credit)
  return demand.left(NOTHING).bytes
}

test('more bytes are held ahead of brokers that are far away, and a slow answer of one that is near changes nothing', () => {
  const near = aheadAfter([[1, 0.5]])
  expect(near).toBeLessThan(3_000_000)
  // At 100 MB a second a hundred milliseconds bring 10 MB.
  expect(aheadAfter([[1, 100]])).toBeGreaterThan(10_000_000)
  expect(aheadAfter([[1, 100]])).toBeLessThan(14_000_000)
  expect(aheadAfter([[1, 0.5], [1, 100], [1, 4_000]])).toBe(near) // biome-ignore format: pairs
  expect(aheadAfter([[1, 100], [1, 0.5]])).toBe(near) // biome-ignore format: pairs
})

test('the broker that is farthest away counts', () => {
  expect(aheadAfter([[1, 0.5], [2, 100], [3, 5]])).toBe(aheadAfter([[2, 100]])) // biome-ignore format: pairs
})

test('no more than half the credit is held ahead, however far away brokers are', () => {
  expect(aheadAfter([[1, 100]], { records: 1_000_000, bytes: 3_000_000 })).toBe(1_500_000)
})
