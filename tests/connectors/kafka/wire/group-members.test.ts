/** The size of a KIP-848 group, out of an answer as brokers write it. */
import { Reader, Writer } from '@platformatic/kafka'
import { expect, test } from 'vitest'
import type { FrameReader } from '../../../../src/connectors/kafka/wire/formats.ts'
import { parseGroupMembers } from '../../../../src/connectors/kafka/wire/group-members.ts'

const GROUP_ID_NOT_FOUND = 69

interface Group {
  readonly errorCode?: number
  readonly errorText?: string | null
  readonly members?: readonly string[]
}

function answer(groups: readonly Group[]): FrameReader {
  const writer = Writer.create()
    .appendInt32(0)
    .appendArray([...groups], (group, { errorCode = 0, errorText = null, members = [] }) => {
      group.appendInt16(errorCode).appendString(errorText).appendString('payments').appendString('Stable')
      group.appendInt32(7).appendInt32(7).appendString('uniform')
      group.appendArray([...members], (member, id) => {
        member.appendString(id).appendString(null).appendString(null).appendInt32(7)
        member.appendString('client').appendString('/127.0.0.1')
        member.appendArray(['payments'], (topic, name) => topic.appendString(name), true, false)
        member.appendString(null)
        for (let lists = 0; lists < 2; lists += 1) member.appendArray([], () => {}).appendTaggedFields()
      })
      group.appendInt32(-2_147_483_648)
    })
    .appendTaggedFields()
  return Reader.from(writer.buffer) as unknown as FrameReader
}

test.each([0, 1, 3, 200])('a group of %i has so many members', (count) => {
  const members = Array.from({ length: count }, (_, index) => `member-${index}`)
  expect(parseGroupMembers(answer([{ members }]))).toEqual({ group: { errorCode: 0, members: count } })
})

test('a group that is none of this kind is told by its code', () => {
  const errorText = 'Group payments is not a consumer group.'
  const { group } = parseGroupMembers(answer([{ errorCode: GROUP_ID_NOT_FOUND, errorText }]))
  expect(group).toEqual({ errorCode: GROUP_ID_NOT_FOUND, members: 0 })
})

test('nothing is made of an answer about no group', () => {
  expect(parseGroupMembers(answer([]))).toEqual({ group: null })
})
