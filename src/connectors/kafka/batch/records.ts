/**
 * Walks the records of a batch in the present format (magic 2) once and notes where everything is. `decode.ts` calls it
 * with a batch whose checksum was right. Invariant: no varint, key, value or header that is noted lies outside of its
 * record, and no record outside of the data; anything else is thrown as damage.
 */
import { BlockBuilder, type RecordBlock } from './block.ts'
import { type BatchPlace, corruptBatch } from './codec.ts'
import { readVarint, readVarlong, varintEnd } from './integers.ts'

/** What a batch's head says about its records. */
export interface BatchHead {
  readonly place: BatchPlace
  readonly count: number
  readonly lastOffsetDelta: number
  readonly baseTimestampMs: number
  /** When the broker stamped the batch, null where producers stamped the records. */
  readonly appendTimeMs: number | null
}

/** Length, attributes, two deltas, key and value lengths, number of headers: no record is shorter. */
const SMALLEST_RECORD_BYTES = 7

/** The records of `data` from byte `from` to before `end`, without those below offset `fromOffset`. */
export function readRecords(data: Buffer, from: number, end: number, head: BatchHead, fromOffset: number): RecordBlock {
  const { place, count, lastOffsetDelta, baseTimestampMs } = head
  if (count < 0 || count * SMALLEST_RECORD_BYTES > end - from)
    throw corruptBatch(place, `it says that ${count} records are in ${end - from} bytes`)
  const builder = new BlockBuilder(data, count)
  const baseOffset = place.offset
  let lastDelta = -1
  let at = from
  for (let index = 0; index < count; index += 1) {
    const length = readVarint(data, at)
    const start = varintEnd
    const recordEnd = start + length
    if (length < SMALLEST_RECORD_BYTES - 1 || !(recordEnd <= end)) throw damaged(head, index, 'its length')
    const timestampDelta = readVarlong(data, start + 1)
    const offsetDelta = readVarint(data, varintEnd)
    if (offsetDelta <= lastDelta || offsetDelta > lastOffsetDelta) throw damaged(head, index, 'its offset')
    lastDelta = offsetDelta
    const keyBytes = readVarint(data, varintEnd)
    const keyAt = varintEnd
    const keyEnd = keyBytes > 0 ? keyAt + keyBytes : keyAt
    if (keyBytes < -1 || !(keyEnd < recordEnd)) throw damaged(head, index, 'the length of its key')
    const valueBytes = readVarint(data, keyEnd)
    const valueAt = varintEnd
    const headersAt = valueBytes > 0 ? valueAt + valueBytes : valueAt
    if (valueBytes < -1 || !(headersAt < recordEnd)) throw damaged(head, index, 'the length of its value')
    if (data[headersAt] !== 0 || headersAt + 1 !== recordEnd) checkHeaders(data, headersAt, recordEnd, head, index)
    at = recordEnd
    const offset = baseOffset + offsetDelta
    if (offset < fromOffset) continue
    const bytes = keyEnd - keyAt + (headersAt - valueAt) + (recordEnd - headersAt - 1)
    builder.add(offset, baseTimestampMs + timestampDelta, bytes, keyAt, keyBytes, valueAt, valueBytes, headersAt)
  }
  if (at !== end) throw corruptBatch(place, `${end - at} bytes follow the last of its ${count} records`)
  return builder.block(head.appendTimeMs)
}

function checkHeaders(data: Buffer, from: number, end: number, head: BatchHead, index: number): void {
  const count = readVarint(data, from)
  let at = varintEnd
  // A header takes two bytes at least, so the number that is claimed bounds the loop.
  if (count < 0 || count * 2 > end - from) throw damaged(head, index, 'the number of its headers')
  for (let left = count; left > 0; left -= 1) {
    const nameBytes = readVarint(data, at)
    const nameEnd = varintEnd + nameBytes
    if (nameBytes < 0 || !(nameEnd < end)) throw damaged(head, index, 'the name of a header')
    const valueBytes = readVarint(data, nameEnd)
    at = varintEnd + Math.max(0, valueBytes)
    if (valueBytes < -1 || !(at <= end)) throw damaged(head, index, 'the value of a header')
  }
  if (at !== end) throw damaged(head, index, 'what follows its headers')
}

function damaged({ place, count }: BatchHead, index: number, what: string): Error {
  return corruptBatch(place, `record ${index + 1} of ${count} is damaged (${what})`)
}
