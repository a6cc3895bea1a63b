/** What is held of partitions and how pulls take it: `Partition`, `Taker`, `survey` and the columns, without a broker. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type DecodeOptions, RecordBatches } from '../../../src/connectors/kafka/batch/decode.ts'
import { encodeRecordBatch } from '../../../src/connectors/kafka/batch/encode.ts'
import { survey } from '../../../src/connectors/kafka/fetch/survey.ts'
import { Partition } from '../../../src/connectors/kafka/partition.ts'
import { TAKE_BYTES, Taker } from '../../../src/connectors/kafka/take.ts'
import { plainDecoding, plainEncoding, record } from './batch/codec.ts'

const BASE_OFFSET_AT = 0
const AS_BYTES = { keyEncoding: 'utf8', readsText: false } as const

/** Batches of these sizes, one after the other, the first at `offset`. */
function fetched(sizes: readonly number[], offset = 0): Buffer {
  let next = offset
  const batches = sizes.map((size) => {
    const records = Array.from({ length: size }, (_, at) => record(`${next + at}`, { key: `k${next + at}` }))
    const batch = encodeRecordBatch(records, plainEncoding)
    batch.writeBigInt64BE(BigInt(next), BASE_OFFSET_AT)
    next += size
    return batch
  })
  return Buffer.concat(batches)
}

function hold(partition: Partition, bytes: Buffer, more: Partial<DecodeOptions> = {}): void {
  const { nextOffset, records } = survey(bytes, partition.position)
  const options = { ...plainDecoding, partition: partition.name, fromOffset: partition.position, ...more }
  partition.hold(new RecordBatches(bytes, options), records, nextOffset)
}

const partitionAt = (offset: number, name = 't/0'): Partition => new Partition('t', 0, name, 1, offset)
const fails = (_partition: Partition, error: unknown): void => {
  throw error
}

describe('what the heads of batches say', () => {
  it('is where to go on and how many records there are, from any offset and however it is cut', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 }),
        fc.nat(40),
        fc.nat(600),
        (sizes, from, cut) => {
          const whole = fetched(sizes)
          const bytes = whole.subarray(0, Math.max(0, whole.length - cut))
          const read = new RecordBatches(bytes, { ...plainDecoding, fromOffset: from })
          let records = 0
          for (let block = read.next(); block !== null; block = read.next()) records += block.count
          expect(survey(bytes, from)).toMatchObject({ nextOffset: read.nextOffset, records })
        },
      ),
    )
  })

  it('is bounded for bytes that make no sense', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(survey(Buffer.from(bytes), 5).nextOffset).toBeGreaterThanOrEqual(5)
      }),
    )
  })
})

describe('a partition that holds records', () => {
  it('hands each out once, in order, whatever the credit, and counts what is left', () => {
    const runs = fc.array(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 4 }), {
      minLength: 1,
      maxLength: 4,
    })
    fc.assert(
      fc.property(
        runs,
        fc.array(fc.record({ records: fc.integer({ min: 1, max: 40 }), bytes: fc.integer({ min: 1, max: 200 }) })),
        (fetches, credits) => {
          const partition = partitionAt(0)
          for (const sizes of fetches) hold(partition, fetched(sizes, partition.position))
          const taker = new Taker(AS_BYTES)
          const total = partition.position
          let next = 0
          for (const credit of [...credits, { records: 10_000, bytes: 1e6 }]) {
            let bytes = 0
            let records = 0
            for (const batch of taker.take([partition], credit, fails)) {
              const rows = Array.from(batch.columns?.offsets ?? [], (offset, row) =>
                [
                  offset,
                  batch.columns?.keyAt(row),
                  batch.records[row]?.offset,
                  Buffer.from(batch.columns?.values[row] as Uint8Array).toString(),
                ].join(),
              )
              expect(rows).toEqual(rows.map((_, row) => `${next + row},k${next + row},${next + row},${next + row}`))
              bytes += batch.records.reduce((sum, each) => sum + each.bytes, 0)
              records += rows.length
              next += rows.length
            }
            expect(records).toBeLessThanOrEqual(credit.records)
            if (records > 1) expect(bytes).toBeLessThanOrEqual(credit.bytes)
            expect(partition.heldRecords).toBe(total - next)
            expect(partition.heldBytes > 0).toBe(partition.heldRecords > 0)
          }
          expect(next).toBe(total)
        },
      ),
      { numRuns: 40 },
    )
  })

  it('stands at the first record it had not handed out when it gives back what it holds', () => {
    const partition = partitionAt(0)
    hold(partition, fetched([10, 10]))
    expect(partition.position).toBe(20)
    partition.take(7, 1e6, true)
    partition.drop()
    expect([partition.position, partition.heldRecords, partition.heldBytes]).toEqual([7, 0, 0])
  })

  it('hands out what came before a batch that cannot be read, and says so each time it comes to it', () => {
    const partition = partitionAt(0)
    const bytes = fetched([5, 5])
    bytes[bytes.length - 3] = (bytes[bytes.length - 3] as number) ^ 1
    hold(partition, bytes)
    const broken: unknown[] = []
    const taker = new Taker(AS_BYTES)
    const take = (): number[] =>
      taker
        .take([partition], { records: 100, bytes: 1e6 }, (_, error) => broken.push(error))
        .flatMap((batch) => [...(batch.columns?.offsets ?? [])])
    expect(take()).toEqual([0, 1, 2, 3, 4])
    take()
    expect(String(broken.at(-1))).toContain('offset 5 of t/0')
  })

  it('leaves out partitions that are paused or being taken away, and lets none of the others go short', () => {
    const all = ['a', 'b', 'c', 'd'].map((name) => partitionAt(0, name))
    for (const each of all) hold(each, fetched([400]))
    const [paused, revoking, one, two] = all as [Partition, Partition, Partition, Partition]
    paused.paused = true
    revoking.revoking = true
    const taker = new Taker(AS_BYTES)
    const taken = new Map<string, number>()
    for (let turn = 0; turn < 4; turn += 1) {
      for (const batch of taker.take(all, { records: 50, bytes: 1e6 }, fails)) {
        taken.set(batch.partition, (taken.get(batch.partition) ?? 0) + batch.records.length)
      }
    }
    expect([...taken]).toEqual(
      expect.arrayContaining([
        [one.name, 100],
        [two.name, 100],
      ]),
    )
    expect(taken.size).toBe(2)
  })

  it('hands out values as plain buffers over what was fetched, and null for a tombstone', () => {
    const partition = partitionAt(0)
    const bytes = encodeRecordBatch([record('one'), record(null), record('')], plainEncoding)
    hold(partition, bytes)
    const [batch] = new Taker(AS_BYTES).take([partition], { records: 10, bytes: 1e6 }, fails)
    const [value, ...others] = (batch?.columns?.values ?? []) as Buffer[]
    expect(Object.getPrototypeOf(value)).toBe(Buffer.prototype)
    expect(value?.buffer).toBe(bytes.buffer)
    expect([value, ...others]).toEqual([Buffer.from('one'), null, Buffer.alloc(0)])
    expect(batch?.records.map((each) => each.value)).toEqual([value, ...others])
  })

  it('hands out short ASCII values as text to a decoder that reads text, and whole records as bytes all the same', () => {
    const partition = partitionAt(0)
    const given = ['one', null, '', 'zwölf', 'x'.repeat(600), '{"last":1}']
    hold(
      partition,
      encodeRecordBatch(
        given.map((value) => record(value)),
        plainEncoding,
      ),
    )
    const taker = new Taker({ keyEncoding: 'utf8', readsText: true })
    const batches = [2, 10].flatMap((records) => taker.take([partition], { records, bytes: 1e6 }, fails))
    const bytes = given.map((value) => (value === null ? null : Buffer.from(value)))
    expect(batches.flatMap(({ columns }) => columns?.values)).toEqual(['one', null, '', bytes[3], bytes[4], given[5]])
    expect(batches.flatMap(({ records }) => records.map(({ value }) => value))).toEqual(bytes)
  })

  it('hands out whole batches, of the partitions in turn', () => {
    const all = ['a', 'b', 'c', 'd', 'e'].map((name) => {
      const partition = partitionAt(0, name)
      for (let batch = 0; batch < 3; batch += 1) hold(partition, fetched([100], partition.position))
      return partition
    })
    const taker = new Taker(AS_BYTES)
    const portions: [partition: string, offsets: (number | undefined)[]][] = []
    for (let turn = 0; turn < 8; turn += 1) {
      // Two batches, and less than it is worth cutting a third one for.
      for (const { partition, columns } of taker.take(all, { records: 205, bytes: 1e6 }, fails))
        portions.push([partition, [columns?.offsets[0], columns?.offsets.at(-1)]])
    }
    const of = (offsets: number[]): unknown[] => all.map(({ name }) => [name, offsets])
    expect(portions.slice(0, 10)).toEqual([...of([0, 99]), ...of([100, 199])])
    // Towards the end fewer have something, and the order may be another.
    expect(portions.slice(10).toSorted()).toEqual(of([200, 299]))
  })

  it('takes no more than a megabyte at once, and lets no partition go short of bytes', () => {
    const sizes = { small: 2_000, medium: 30_000, large: 400_000, huge: 700_000 }
    const all = Object.entries(sizes).map(([name, bytes]) => {
      const partition = partitionAt(0, name)
      hold(
        partition,
        encodeRecordBatch(
          Array.from({ length: 15 }, () => record('v'.repeat(bytes))),
          plainEncoding,
        ),
      )
      return partition
    })
    const taker = new Taker(AS_BYTES)
    const took = new Map<string, number>()
    for (let turn = 0; turn < 12; turn += 1) {
      const batches = taker.take(all, { records: 5, bytes: 1e9 }, fails)
      const records = batches.flatMap((batch) => batch.records)
      const bytes = records.reduce((sum, each) => sum + each.bytes, 0)
      expect(bytes).toBeLessThanOrEqual(Math.max(TAKE_BYTES, records[0]?.bytes ?? 0))
      for (const batch of batches) took.set(batch.partition, (took.get(batch.partition) ?? 0) + 1)
    }
    expect([...took.keys()].sort()).toEqual(all.map(({ name }) => name).sort())
    for (const times of took.values()) expect(times).toBeGreaterThanOrEqual(2)
  })
})
