/**
 * What the heads of fetched batches say, without opening them: where to fetch on, and how many records there are at the
 * most. The fetch loop asks, so that it can go on while what it brought still waits. Invariant: bytes that make no
 * sense end the survey; the decoder is the one to complain, with the offset, when it comes to them.
 */
import { readInt64 } from '../batch/integers.ts'
import {
  ATTRIBUTES_AT,
  CONTROL_BIT,
  COUNT_AT,
  LAST_OFFSET_DELTA_AT,
  LENGTH_AT,
  MAGIC_AT,
  PREFIX_BYTES,
  RECORDS_AT,
} from '../batch/layout.ts'

export interface Survey {
  /** Behind the last batch that is whole. */
  readonly nextOffset: number
  readonly records: number
  /** Bytes of the batches that are whole. */
  readonly bytes: number
  /** The size of the last batch, whole or not, bytes; 0 when there is none. */
  readonly lastBatchBytes: number
}

export function survey(fetched: Buffer, fromOffset: number): Survey {
  let nextOffset = fromOffset
  let records = 0
  let lastBatchBytes = 0
  let at = 0
  while (fetched.length - at >= PREFIX_BYTES) {
    const size = PREFIX_BYTES + fetched.readInt32BE(at + LENGTH_AT)
    if (size <= PREFIX_BYTES) break
    lastBatchBytes = size
    const end = at + size
    if (end > fetched.length) break
    const baseOffset = readInt64(fetched, at)
    const isPresent = (fetched[at + MAGIC_AT] as number) >= 2
    if (isPresent && size < RECORDS_AT) break
    const lastOffset = isPresent ? baseOffset + fetched.readInt32BE(at + LAST_OFFSET_DELTA_AT) : baseOffset
    const isControl = isPresent && (fetched.readInt16BE(at + ATTRIBUTES_AT) & CONTROL_BIT) !== 0
    if (lastOffset >= fromOffset && !isControl) {
      const count = isPresent ? Math.max(0, fetched.readInt32BE(at + COUNT_AT)) : 1
      records += Math.min(count, lastOffset + 1 - Math.max(fromOffset, baseOffset))
    }
    if (lastOffset >= nextOffset) nextOffset = lastOffset + 1
    at = end
  }
  return { nextOffset, records, bytes: at, lastBatchBytes }
}
