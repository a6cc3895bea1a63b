/**
 * Under which leaders a partition's records were written, as far as this assignment fetched them: what a fetch has to
 * say so that a broker can tell that its log has lost them (KIP-320, KIP-595), and how far the two then agree. The
 * partition has one, the fetch loop fills it. Invariant: epochs and offsets both rise; there is one entry a leader.
 */
import { readInt64 } from './batch/integers.ts'
import { LAST_OFFSET_DELTA_AT, LEADER_EPOCH_AT, LENGTH_AT, MAGIC_AT, PREFIX_BYTES, RECORDS_AT } from './batch/layout.ts'

interface Run {
  readonly epoch: number
  /** The first record that is known to be of this epoch. */
  readonly fromOffset: number
}

export class LeaderEpochs {
  #runs: Run[] = []

  /** Of the last record that was fetched; −1 where that is not known. */
  get last(): number {
    return this.#runs.at(-1)?.epoch ?? -1
  }

  /** The record at an offset is of this epoch. One that is not newer than those before says nothing. */
  note(epoch: number, offset: number): void {
    if (epoch > this.last) this.#runs.push({ epoch, fromOffset: offset })
  }

  /**
   * Takes in what a fetch brought, by the heads of the batches that are whole. Behind one that tells no epoch (the old
   * formats do not) nothing is known: an epoch that is too old would look like a log that was cut off.
   */
  noteBatches(fetched: Buffer, fromOffset: number): void {
    for (let at = 0; fetched.length - at >= PREFIX_BYTES; ) {
      const size = PREFIX_BYTES + fetched.readInt32BE(at + LENGTH_AT)
      if (size <= PREFIX_BYTES || at + size > fetched.length) return
      const isPresent = size >= RECORDS_AT && (fetched[at + MAGIC_AT] as number) >= 2
      const epoch = isPresent ? fetched.readInt32BE(at + LEADER_EPOCH_AT) : -1
      if (epoch < 0) this.clear()
      else if (epoch > this.last) {
        const baseOffset = readInt64(fetched, at)
        const lastOffset = baseOffset + fetched.readInt32BE(at + LAST_OFFSET_DELTA_AT)
        if (lastOffset >= fromOffset) this.note(epoch, Math.max(fromOffset, baseOffset))
      }
      at += size
    }
  }

  /** The epoch of the record at an offset; −1 where it is not known. */
  at(offset: number): number {
    let found = -1
    for (const { epoch, fromOffset } of this.#runs) if (fromOffset <= offset) found = epoch
    return found
  }

  /** Reading goes on at an offset: what is known of it and of what follows is found out anew. */
  cut(offset: number): void {
    if ((this.#runs.at(-1)?.fromOffset ?? -1) >= offset) {
      this.#runs = this.#runs.filter(({ fromOffset }) => fromOffset < offset)
    }
  }

  clear(): void {
    this.#runs = []
  }

  /** Nobody asks about records before this offset any more. */
  forget(offset: number): void {
    while (this.#runs.length > 1 && (this.#runs[1] as Run).fromOffset <= offset) this.#runs.shift()
  }

  /**
   * Up to where the log that was read and that of a broker are the same at the most, for a broker whose newest epoch up
   * to `last` is `epoch`, ending before `endOffset`.
   */
  agreement(epoch: number, endOffset: number): number {
    const newer = this.#runs.find((run) => run.epoch > epoch)
    return Math.min(endOffset, newer?.fromOffset ?? endOffset)
  }
}
