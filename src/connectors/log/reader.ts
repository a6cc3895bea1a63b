/**
 * Reads one partition forward, a chunk at a time, and keeps the batch it is in. `log.read` and every source own their
 * readers. Invariant: nothing of LMDB's memory outlives the call (batches are copied out), and what fails its checksum
 * is reported, never skipped silently.
 */
import { HeadgateError } from '../../model/errors.ts'
import { Batch, batchFault, type LogRecord } from './batch.ts'
import { getLarge } from './environment.ts'
import type { Mark, Partition } from './topics.ts'

/** What a read may still take; shared by the partitions of one pull. */
export interface Allowance {
  records: number
  bytes: number
  /** True until the first record was taken: that one may exceed the bytes. */
  first: boolean
}

export class PartitionReader {
  readonly #partition: Partition
  /** What its records are told to be of. */
  readonly #name: string
  #batch: Batch | null = null

  constructor(partition: Partition, prefix = '') {
    this.#partition = partition
    this.#name = prefix + partition.name
  }

  /**
   * Appends records from `from` on to `into`, at most `most` of them and as the allowance permits, and returns the
   * offset to go on from. Gaps are passed over: what was trimmed, and what recovery cut off.
   */
  read(from: number, mark: Mark, most: number, allowance: Allowance, into: LogRecord[]): number {
    let offset = Math.max(from, mark.firstOffset)
    let room = Math.min(most, allowance.records)
    while (room > 0 && offset < mark.nextOffset) {
      const batch = this.#batchAt(offset)
      if (!batch) return mark.nextOffset
      if (batch.baseOffset > offset) offset = batch.baseOffset
      const first = offset - batch.baseOffset
      const wanted = Math.min(batch.count, mark.nextOffset - batch.baseOffset, first + room)
      if (wanted <= first) return offset
      const end = first + fitting(batch, first, wanted, allowance)
      batch.read(first, end, this.#name, into)
      if (end > first) allowance.first = false
      allowance.bytes -= batch.bytesOf(first, end)
      allowance.records -= end - first
      room -= end - first
      offset += end - first
      if (end < wanted) return offset
    }
    return offset
  }

  /** Timestamp of the first record at or after `from`, epoch milliseconds; null when there is none. */
  timestampAt(from: number, mark: Mark): number | null {
    const offset = Math.max(from, mark.firstOffset)
    if (offset >= mark.nextOffset) return null
    const batch = this.#batchAt(offset)
    return batch ? batch.timestampAt(Math.max(0, offset - batch.baseOffset)) : null
  }

  /** The batch that holds `offset`, else the first one after it. */
  #batchAt(offset: number): Batch | null {
    const held = this.#batch
    if (held && offset >= held.baseOffset && offset < held.endOffset) return held
    const { batches } = this.#partition
    const exact = getLarge(batches, offset)
    if (exact) return this.#keep(offset, exact)
    for (const before of batches.getKeys({ start: offset, reverse: true, limit: 1 })) {
      const batch = this.#get(before as number)
      if (offset < batch.endOffset) return batch
    }
    for (const after of batches.getKeys({ start: offset, limit: 1 })) return this.#get(after as number)
    return null
  }

  #get(baseOffset: number): Batch {
    return this.#keep(baseOffset, getLarge(this.#partition.batches, baseOffset) as Buffer)
  }

  #keep(baseOffset: number, bytes: Uint8Array): Batch {
    const fault = batchFault(bytes)
    if (fault?.newer) {
      throw new HeadgateError(
        'HG_STORAGE',
        `${this.#partition.name}: the batch at offset ${baseOffset} cannot be read, ${fault.text}: upgrade headgate`,
      )
    }
    if (fault) throw this.#corrupt(baseOffset, fault.text)
    this.#batch = new Batch(baseOffset, bytes)
    return this.#batch
  }

  #corrupt(baseOffset: number, fault: string): HeadgateError {
    const { name, index, batches } = this.#partition
    const topic = name.slice(0, name.lastIndexOf('/'))
    let next: number | null = null
    for (const key of batches.getKeys({ start: baseOffset + 1, limit: 1 })) next = key as number
    const way =
      next === null
        ? 'open the log again, which cuts off a corrupt end'
        : `restore a backup, or give up offsets ${baseOffset} to ${next - 1}: log.seek(group, '${topic}', ${next}, { partition: ${index} }) moves a group past them, log.trim('${topic}', { partition: ${index}, beforeOffset: ${next} }) deletes them and all before`
    return new HeadgateError('HG_STORAGE', `${name}: the batch at offset ${baseOffset} is corrupt, ${fault}: ${way}`)
  }
}

/** How many of the records from `from` to before `to` the allowance has the bytes for. */
function fitting(batch: Batch, from: number, to: number, { bytes, first }: Allowance): number {
  if (batch.bytesOf(from, to) <= bytes) return to - from
  let end = first ? from + 1 : from
  while (end < to && batch.bytesOf(from, end + 1) <= bytes) end += 1
  return end - from
}
