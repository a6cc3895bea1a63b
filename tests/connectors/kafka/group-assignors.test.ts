import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  nameOfPartition,
  type Subscriber,
  type TopicPartition,
} from '../../../src/connectors/kafka/group/assignment.ts'
import { assignCooperativeSticky } from '../../../src/connectors/kafka/group/cooperative-sticky.ts'
import { assignRange } from '../../../src/connectors/kafka/group/range.ts'
import { runs } from '../../fixtures/long.ts'

const member = (
  memberId: string,
  topics: readonly string[],
  owned: readonly TopicPartition[] = [],
  generation = 1,
): Subscriber => ({
  memberId,
  instanceId: null,
  topics,
  owned,
  generation,
})

function sizes(assigned: ReadonlyMap<string, readonly TopicPartition[]>): number[] {
  return [...assigned.values()].map((partitions) => partitions.length)
}

/** What members report at the next joining: what they were assigned and had, or were newly given. */
function afterRound(
  members: readonly Subscriber[],
  assigned: ReadonlyMap<string, TopicPartition[]>,
  generation: number,
): Subscriber[] {
  return members.map((each) => ({ ...each, owned: assigned.get(each.memberId) ?? [], generation }))
}

const topics = ['a', 'b', 'c']
const counts = fc
  .tuple(fc.nat(7), fc.nat(7), fc.nat(7))
  .map((each) => new Map(topics.map((name, at) => [name, each[at] as number])))
const subscriptions = fc.array(fc.subarray(topics, { minLength: 1 }), { minLength: 1, maxLength: 6 })

describe('the cooperative-sticky assignor', () => {
  it('gives every partition to exactly one subscriber once the group is quiet, and then moves nothing', () => {
    fc.assert(
      fc.property(counts, subscriptions, subscriptions, (partitions, before, after) => {
        let members = before.map((names, at) => member(`m${at}`, names))
        let generation = 1
        const settle = (): void => {
          for (let round = 0; round < 4; round += 1) {
            const assigned = assignCooperativeSticky(members, partitions)
            const owners = new Map(
              members.flatMap(({ memberId, owned }) => owned.map((each) => [nameOfPartition(each), memberId])),
            )
            const seen = new Set<string>()
            for (const [memberId, given] of assigned) {
              for (const partition of given) {
                const name = nameOfPartition(partition)
                expect(seen.has(name), `${name} is given twice`).toBe(false)
                seen.add(name)
                expect(members.find((each) => each.memberId === memberId)?.topics).toContain(partition.topic)
                // Whoever gets what another had must wait a round.
                expect([undefined, memberId]).toContain(owners.get(name))
              }
            }
            generation += 1
            members = afterRound(members, assigned, generation)
          }
        }
        settle()
        members = after.map((names, at) => {
          const known = members.find(({ memberId }) => memberId === `m${at}`)
          return member(`m${at}`, names, known?.owned.filter(({ topic }) => names.includes(topic)) ?? [], generation)
        })
        settle()
        const reachable = [...partitions].filter(([name]) => members.some((each) => each.topics.includes(name)))
        const total = reachable.reduce((sum, [, count]) => sum + count, 0)
        expect(members.flatMap(({ owned }) => owned)).toHaveLength(total)
        const again = assignCooperativeSticky(members, partitions)
        for (const { memberId, owned } of members) {
          expect(new Set(again.get(memberId)?.map(nameOfPartition))).toEqual(new Set(owned.map(nameOfPartition)))
        }
        if (after.every((names) => names.length === topics.length)) {
          const each = members.map(({ owned }) => owned.length)
          expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: runs(100) },
    )
  })

  it('moves no more than a new member needs', () => {
    const owned = Array.from({ length: 8 }, (_, partition) => ({ topic: 'a', partition }))
    const assigned = assignCooperativeSticky([member('m0', ['a'], owned), member('m1', ['a'])], new Map([['a', 8]]))
    expect(sizes(assigned)).toEqual([4, 0])
    expect(assigned.get('m0')?.every((each) => each.partition < 8)).toBe(true)
  })

  it('believes the later of two owners, and neither of two of the same generation', () => {
    const contested = [{ topic: 'a', partition: 0 }]
    const later = assignCooperativeSticky(
      [member('m0', ['a'], contested, 4), member('m1', ['a'], contested, 5)],
      new Map([['a', 1]]),
    )
    expect(sizes(later)).toEqual([0, 1])
    const same = assignCooperativeSticky(
      [member('m0', ['a'], contested, 5), member('m1', ['a'], contested, 5)],
      new Map([['a', 1]]),
    )
    expect(sizes(same).reduce((sum, size) => sum + size)).toBe(1)
  })
})

describe('the range assignor', () => {
  it('gives runs of neighbours, the first members one more (as the example in the documentation of Kafka)', () => {
    const assigned = assignRange(
      [member('c1', ['t0', 't1']), member('c0', ['t0', 't1'])],
      new Map([
        ['t0', 3],
        ['t1', 3],
      ]),
    )
    expect(assigned.get('c0')?.map(nameOfPartition)).toEqual(['t0/0', 't0/1', 't1/0', 't1/1'])
    expect(assigned.get('c1')?.map(nameOfPartition)).toEqual(['t0/2', 't1/2'])
  })

  it('gives a topic to its subscribers alone, static members first', () => {
    const fixed = { ...member('z', ['a']), instanceId: 'one' }
    const assigned = assignRange(
      [member('m', ['a', 'b']), fixed],
      new Map([
        ['a', 2],
        ['b', 1],
      ]),
    )
    expect(assigned.get('z')?.map(nameOfPartition)).toEqual(['a/0'])
    expect(assigned.get('m')?.map(nameOfPartition)).toEqual(['a/1', 'b/0'])
  })
})
