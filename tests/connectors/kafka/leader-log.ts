/** The log of a leader as tests script it: nothing but the epoch of each record. */
import { encodeRecordBatch } from '../../../src/connectors/kafka/batch/encode.ts'
import { LEADER_EPOCH_AT } from '../../../src/connectors/kafka/batch/layout.ts'
import { plainEncoding, record } from './batch/codec.ts'

/** Epochs, by offset. */
export type Log = readonly number[]

/** A batch as a log holds it: its first offset, and the epoch it was appended in. */
export function stampedBatch(offset: number, records: number, epoch: number): Buffer {
  const rows = Array.from({ length: records }, (_, at) => record(`${offset + at}`))
  const bytes = encodeRecordBatch(rows, plainEncoding)
  bytes.writeBigInt64BE(BigInt(offset), 0)
  bytes.writeInt32BE(epoch, LEADER_EPOCH_AT)
  return bytes
}

/** From an offset on, one batch an epoch. */
export function leaderBatch(log: Log, from: number): Buffer {
  const batches: Buffer[] = []
  for (let at = from; at < log.length; ) {
    const epoch = log[at] as number
    const end = log.lastIndexOf(epoch) + 1
    batches.push(stampedBatch(at, end - at, epoch))
    at = end
  }
  return Buffer.concat(batches)
}

/** The newest epoch up to `lastEpoch` that the leader knows, and where that ends. */
export function leaderEnd(log: Log, lastEpoch: number): { epoch: number; endOffset: number } {
  const epoch = Math.max(-1, ...log.filter((each) => each <= lastEpoch))
  return { epoch, endOffset: log.lastIndexOf(epoch) + 1 }
}
