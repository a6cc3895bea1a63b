/**
 * The rules about delivery: how much a pull may return, in which order, from where, and what remains. `source.ts` puts
 * them together with the others.
 */
import type { PartitionBacklog, Pulled } from '../model/connector.ts'
import type { SourceRecord } from '../model/record.ts'
import { check, until, within } from './case.ts'
import { PLENTY, recordsOf } from './reader.ts'
import type { SourceRule } from './rule.ts'

const RECORD_BYTES = 1_000

const never = (): null => null

/** How many records are in the world of a rule. */
function total(rule: SourceRule, partitions: readonly string[]): number {
  return rule.records * partitions.length
}

function totalBacklog(backlog: readonly PartitionBacklog[]): number {
  let sum = 0
  for (const { partition, records } of backlog) {
    check(records !== null, `the backlog of ${partition} is unknown`)
    check(records >= 0, `the backlog of ${partition} is ${records}`)
    sum += records
  }
  return sum
}

const S1: SourceRule = {
  rule: 'S1',
  title: 'a pull returns no more records than its credit',
  partitions: 3,
  records: 40,
  skip: never,
  async run({ world, open }) {
    const reader = await open()
    let limit = 1
    let rest = total(S1, world.partitions)
    while (rest > 0) {
      const credit = { records: limit, bytes: PLENTY.bytes }
      const check1 = (pulled: Pulled): void => {
        const count = recordsOf(pulled).length
        check(count <= limit, `a pull with a credit of ${limit} records returned ${count}`)
        rest -= count
      }
      await reader.read(1, { credit }, check1)
      limit = limit === 1 ? 7 : 1
    }
  },
}

const S2: SourceRule = {
  rule: 'S2',
  title: 'only the first record of a pull may exceed the bytes of its credit',
  partitions: 2,
  records: 12,
  bytes: RECORD_BYTES,
  skip: never,
  async run({ world, open }) {
    const reader = await open()
    let left = total(S2, world.partitions)
    for (let turn = 0; left > 0; turn += 1) {
      const bytes = turn % 2 === 0 ? 1 : Math.floor(RECORD_BYTES * 3.5)
      left -= (
        await reader.read(1, { credit: { records: PLENTY.records, bytes } }, (pulled) => {
          const records = recordsOf(pulled)
          const sum = records.reduce((so, record) => so + record.bytes, 0)
          const light = records.find((record) => record.bytes < RECORD_BYTES)
          check(!light, `a record of ${RECORD_BYTES} payload bytes is charged as ${light?.bytes}`)
          check(
            records.length <= 1 || sum <= bytes,
            `a pull with a credit of ${bytes} bytes returned ${records.length} records of ${sum} bytes`,
          )
        })
      ).length
    }
  },
}

const S3: SourceRule = {
  rule: 'S3',
  title: 'offsets increase within a partition, under the epoch it was assigned with',
  partitions: 3,
  records: 30,
  skip: never,
  async run({ world, open }) {
    const { partitions } = world
    const reader = await open()
    const next = new Map(partitions.map((name) => [name, reader.assignment(name).nextOffset]))
    await reader.read(total(S3, partitions), { credit: { records: 8, bytes: PLENTY.bytes } }, ({ batches }) => {
      for (const { partition, epoch, records } of batches) {
        check(epoch === reader.assignment(partition).epoch, `${partition} was delivered under the stale epoch ${epoch}`)
        check(records.length > 0, `a batch of ${partition} is empty`)
        for (const record of records) {
          check(record.partition === partition, `a record of ${record.partition} is in a batch of ${partition}`)
          const expected = next.get(partition) as number
          check(Number.isSafeInteger(record.offset), `${record.offset} is no offset`)
          check(record.offset >= expected, `${partition} delivered ${record.offset} where ${expected} was due`)
          next.set(partition, record.offset + 1)
        }
      }
    })
  },
}

const S4: SourceRule = {
  rule: 'S4',
  title: 'a paused partition is silent while the others flow',
  partitions: 3,
  records: 10,
  skip: ({ maxPartitions }) => (maxPartitions < 2 ? 'it has only one partition' : null),
  async run({ world, open }) {
    const { partitions } = world
    const reader = await open()
    const [quiet, ...others] = partitions as readonly [string, ...string[]]
    const isQuiet = (record: SourceRecord): boolean => record.partition === quiet
    await reader.read(others.length * S4.records, { paused: [quiet] }, (pulled) => {
      check(!recordsOf(pulled).some(isQuiet), `${quiet} is paused and delivered a record`)
    })
    const late = await reader.pull({ paused: [quiet] })
    check(!recordsOf(late).some(isQuiet), `${quiet} is paused and delivered a record`)
    const rest = await reader.read(S4.records)
    check(rest.every(isQuiet), 'a partition that was not paused delivered after its last record')
  },
}

const S13: SourceRule = {
  rule: 'S13',
  title: 'an abort and a close end a pull that waits; closing again does nothing',
  partitions: 2,
  records: 5,
  skip: never,
  async run({ world, open, patienceMs }) {
    const { partitions } = world
    const reader = await open()
    const abort = new AbortController()
    const aborted = reader.pull({ paused: partitions, waitMs: 600_000, signal: abort.signal })
    abort.abort()
    const early = recordsOf(await within(aborted, patienceMs, 'a pull did not end at its abort'))
    await reader.read(total(S13, partitions) - early.length)
    const waiting = reader.pull({ paused: partitions, waitMs: 600_000 })
    await within(reader.close(), patienceMs, 'close did not finish')
    await within(waiting, patienceMs, 'a pull did not end at the close')
    await within(reader.close(), patienceMs, 'the second close did not finish')
  },
}

const S14: SourceRule = {
  rule: 'S14',
  title: 'the backlog is what the broker has and the source has not taken',
  partitions: 2,
  records: 20,
  skip: ({ capabilities }) => (capabilities.backlog === 'none' ? 'it does not claim to know its backlog' : null),
  async run({ world, open, patienceMs, traits: { capabilities } }) {
    const reader = await open()
    const all = total(S14, world.partitions)
    let seen = Number.NaN
    const rest = async (): Promise<number> => {
      const backlog = await reader.source.backlog(new AbortController().signal)
      return (seen = totalBacklog(backlog) + reader.source.held().records)
    }
    const is = async (expected: number): Promise<void> => {
      const fits = async (): Promise<boolean> => (await rest()) === expected
      await until(fits, patienceMs, `${expected} records are left, the source says`).catch((thrown: Error) => {
        thrown.message += ` ${seen}`
        throw thrown
      })
    }
    if (capabilities.backlog === 'exact') {
      await is(all)
      const first = await reader.read(7, { credit: { records: 7, bytes: PLENTY.bytes } })
      await is(all - first.length)
      await reader.read(all - first.length)
    } else {
      check((await rest()) > 0, `${all} records are left, the source says none`)
      await reader.read(all)
    }
    await is(0)
  },
}

export const FLOW_RULES: readonly SourceRule[] = [S1, S2, S3, S4, S13, S14]
