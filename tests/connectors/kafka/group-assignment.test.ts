import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from '../../../src/connectors/kafka/group/assignment.ts'

const partitions = fc.array(fc.record({ topic: fc.constantFrom('a', 'longer', 'ü'), partition: fc.nat(1_000) }), {
  maxLength: 20,
})
const sorted = (each: readonly { topic: string; partition: number }[]): string[] =>
  each.map(({ topic, partition }) => `${topic}/${partition}`).sort()

describe('subscriptions and assignments as classic groups pass them on', () => {
  it('come back as they were written', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', 'b'), { maxLength: 3 }),
        partitions,
        fc.integer({ min: -1, max: 1e6 }),
        (topics, owned, generation) => {
          const read = decodeSubscription('m', 'i', encodeSubscription(topics, owned, generation, 'rack'))
          expect(read).toMatchObject({ memberId: 'm', instanceId: 'i', topics, generation })
          expect(sorted(read?.owned ?? [])).toEqual(sorted(owned))
          expect(sorted(decodeAssignment(encodeAssignment(owned)))).toEqual(sorted(owned))
        },
      ),
    )
  })

  it('are refused, never misread, when they are cut or not what they seem', () => {
    const whole = encodeSubscription(['topic'], [{ topic: 'topic', partition: 7 }], 3, '')
    for (let length = 1; length < whole.length; length += 1) {
      const read = decodeSubscription('m', null, whole.subarray(0, length))
      for (const { partition } of read?.owned ?? []) expect(partition).toBe(7)
    }
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 60 }), (bytes) => {
        const read = decodeSubscription('m', null, Buffer.from(bytes))
        expect(read === null || Array.isArray(read.topics)).toBe(true)
      }),
    )
    expect(() => decodeAssignment(Buffer.from([0, 0, 0x7f, 0xff, 0xff, 0xff]))).toThrow(RangeError)
  })

  it('are understood in the versions of older clients', () => {
    // Version 0: topics and user data, nothing else.
    const old = Buffer.concat([
      Buffer.from([0, 0, 0, 0, 0, 1, 0, 1]),
      Buffer.from('t'),
      Buffer.from([0xff, 0xff, 0xff, 0xff]),
    ])
    expect(decodeSubscription('m', null, old)).toEqual({
      memberId: 'm',
      instanceId: null,
      topics: ['t'],
      owned: [],
      generation: -1,
    })
    expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
  })
})
