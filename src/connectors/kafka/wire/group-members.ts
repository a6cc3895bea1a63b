/**
 * What is read of the answer about a KIP-848 group (ConsumerGroupDescribe, version 0): its size. The adapter hands in
 * the library's reader; the library's own parser takes the list of a member's topics for one name. Invariant: nothing
 * behind the count is read, so that an answer about hundreds of members and their partitions costs as much as any.
 */
import type { Calls } from './calls.ts'
import type { FrameReader } from './formats.ts'

/** Reads what is said of the first group; only one is asked about. */
export function parseGroupMembers(reader: FrameReader): ReturnType<Calls['consumerGroupDescribe']> {
  reader.readInt32() // the throttle time
  if (countOf(reader) === 0) return { group: null }
  const errorCode = reader.readInt16()
  reader.readNullableString() // what the broker says of the error
  reader.readString() // the group
  reader.readString() // its state
  reader.readInt32() // its epoch
  reader.readInt32() // the epoch of its assignment
  reader.readString() // the assignor
  return { group: { errorCode, members: countOf(reader) } }
}

/** The length of an array; 0 for null. */
function countOf(reader: FrameReader): number {
  return Math.max(0, reader.readUnsignedVarInt() - 1)
}
