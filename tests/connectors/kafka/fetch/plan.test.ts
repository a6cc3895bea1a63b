/** Which partitions a fetch asks, and for how much. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Demand } from '../../../../src/connectors/kafka/fetch/demand.ts'
import { type FetchPlan, planFetch } from '../../../../src/connectors/kafka/fetch/plan.ts'
import { sourceSettings } from '../../../../src/connectors/kafka/option.ts'
import { Partition } from '../../../../src/connectors/kafka/partition.ts'
import { Topics } from '../../../../src/connectors/kafka/wire/topics.ts'
import { runs } from '../../../fixtures/long.ts'

const settings = sourceSettings({ brokers: ['localhost:9092'], group: 'g', topics: 't' })

/** Partition `index` with such batches, of which there are more. */
function behind(index: number, batchBytes: number): Partition {
  const partition = new Partition('t', index, `t/${index}`, 1, 0)
  partition.endOffset = 1_000_000
  partition.batchBytes = batchBytes
  partition.recordBytes = 1_000
  return partition
}

function planned(hungry: readonly Partition[], bytes: number): FetchPlan {
  return planFetch(hungry, { records: 8_192, bytes }, new Demand(), new Topics(), settings)
}

function asked({ topics }: FetchPlan): { partition: number; partitionMaxBytes: number }[] {
  return topics.flatMap(({ partitions }) => [...partitions])
}

test('asks as many partitions as there is room for what they send', () => {
  const hungry = Array.from({ length: 8 }, (_, index) => behind(index, 500_000))
  expect(asked(planned(hungry, 1_600_000)).map(({ partition }) => partition)).toEqual([0, 1, 2, 3])
})

test('asks all of them where their batches are small', () => {
  const hungry = Array.from({ length: 8 }, (_, index) => behind(index, 10_000))
  expect(asked(planned(hungry, 1_600_000))).toHaveLength(8)
})

test('who was left out comes first the next time', () => {
  const hungry = Array.from({ length: 5 }, (_, index) => behind(index, 500_000))
  const turns = [1, 2, 3].map((nowMs) => {
    const { partitions } = planned(hungry, 900_000)
    for (const partition of partitions) partition.fetchedAtMs = nowMs
    return partitions.map(({ index }) => index)
  })
  expect(turns).toEqual([
    [0, 1],
    [2, 3],
    [4, 0],
  ])
})

test('those at their end are asked whatever there is room for', () => {
  const atEnd = behind(3, 500_000)
  atEnd.position = atEnd.endOffset
  const hungry = [behind(0, 500_000), behind(1, 500_000), behind(2, 500_000), atEnd]
  expect(asked(planned(hungry, 100_000)).map(({ partition }) => partition)).toEqual([0, 3])
})

test('whatever the batches, only the last partition may be more than the room', () => {
  const batches = fc.array(fc.integer({ min: 0, max: 2_000_000 }), { minLength: 1, maxLength: 50 })
  fc.assert(
    fc.property(batches, fc.integer({ min: 1, max: 8_000_000 }), (sizes, bytes) => {
      const found = planned(
        sizes.map((size, index) => behind(index, size)),
        bytes,
      )
      const each = asked(found).map(({ partitionMaxBytes }) => partitionMaxBytes)
      expect(each.length).toBeGreaterThan(0)
      const beforeLast = each.slice(0, -1).reduce((sum, more) => sum + more, 0)
      expect(beforeLast).toBeLessThan(bytes)
      expect(found.expected.bytes).toBeLessThanOrEqual(bytes)
    }),
    { numRuns: runs(500) },
  )
})
