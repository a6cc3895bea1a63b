/**
 * Writes the request of a fetch into one buffer, as `fetch-answer.ts` reads the answer: it is made hundreds of times a
 * second, and the library's writer makes a buffer for each of its numbers. The adapter calls it. Layout: the message format of
 * Apache Kafka, Fetch 12–17. Invariant: byte for byte what the library writes for the same request.
 */
import { writeInt64 } from '../batch/integers.ts'
import type { FetchRequest } from './calls.ts'
import type { Payload } from './connection.ts'

/** From this version on topics are named by their id. */
const FIRST_WITH_IDS = 13
/** From this version on the asking replica is not named. */
const FIRST_WITHOUT_REPLICA = 15
/** Replica, three limits, isolation, session id and epoch, and the lengths of both lists and of the rack's name. */
const MOST_HEAD_BYTES = 4 + 12 + 1 + 8 + 3 * 5 + 1
/** An id or the length of a name, the length of the list, tagged fields. */
const MOST_TOPIC_BYTES = 16 + 5 + 1
/** Index i32, leader epoch i32, offset i64, epoch of the last record i32, log start i64, bytes i32, tagged fields. */
const PARTITION_BYTES = 33
const MOST_BYTES_A_CHARACTER = 3
const NO_ID = '00000000-0000-0000-0000-000000000000'

export function encodeFetch(request: FetchRequest, version: number): Payload {
  const { maxWaitMs, minBytes, maxBytes, readCommitted, topics, rackId } = request
  const bytes = Buffer.allocUnsafe(mostBytes(request))
  let at = 0
  if (version < FIRST_WITHOUT_REPLICA) at = bytes.writeInt32BE(-1, at)
  at = bytes.writeInt32BE(maxWaitMs, at)
  at = bytes.writeInt32BE(minBytes, at)
  at = bytes.writeInt32BE(maxBytes, at)
  at = bytes.writeInt8(readCommitted ? 1 : 0, at)
  // No session: its id and epoch.
  at = bytes.writeInt32BE(0, at)
  at = bytes.writeInt32BE(-1, at)
  at = writeCount(bytes, topics.length, at)
  for (const { name, topicId, partitions } of topics) {
    at = version < FIRST_WITH_IDS ? writeText(bytes, name, at) : writeId(bytes, topicId, at)
    at = writeCount(bytes, partitions.length, at)
    for (const each of partitions) {
      at = bytes.writeInt32BE(each.partition, at)
      at = bytes.writeInt32BE(each.currentLeaderEpoch, at)
      writeInt64(bytes, Number(each.fetchOffset), at)
      at = bytes.writeInt32BE(each.lastFetchedEpoch, at + 8)
      writeInt64(bytes, -1, at)
      at = bytes.writeInt32BE(each.partitionMaxBytes, at + 8)
      at = bytes.writeUInt8(0, at)
    }
    at = bytes.writeUInt8(0, at)
  }
  // Of a session nothing is forgotten.
  at = writeCount(bytes, 0, at)
  at = writeText(bytes, rackId, at)
  at = bytes.writeUInt8(0, at)
  return { length: at, buffers: [bytes.subarray(0, at)] }
}

function mostBytes({ topics, rackId }: FetchRequest): number {
  let most = MOST_HEAD_BYTES + rackId.length * MOST_BYTES_A_CHARACTER
  for (const { name, partitions } of topics)
    most += MOST_TOPIC_BYTES + name.length * MOST_BYTES_A_CHARACTER + partitions.length * PARTITION_BYTES
  return most
}

/** How many follow, one more than there are, as an unsigned varint. Returns where it ends, as all of these do. */
function writeCount(bytes: Buffer, count: number, from: number): number {
  let at = from
  let rest = count + 1
  for (; rest > 127; rest >>>= 7) bytes[at++] = (rest & 127) | 128
  bytes[at++] = rest
  return at
}

function writeText(bytes: Buffer, text: string, from: number): number {
  const at = writeCount(bytes, Buffer.byteLength(text), from)
  return at + bytes.write(text, at)
}

function writeId(bytes: Buffer, id: string, from: number): number {
  bytes.write((id === '' ? NO_ID : id).replaceAll('-', ''), from, 'hex')
  return from + 16
}
