/**
 * One partition while it is ours: where the fetch loop stands in it, what was fetched and not yet handed out, and what
 * is stored of its progress. Each assignment makes a new one. Invariant: records are handed out in offset order, each
 * once; after `end` nothing is.
 */
import type { RecordBlock } from './batch/block.ts'
import type { RecordBatches } from './batch/decode.ts'
import { LeaderEpochs } from './epochs.ts'
import type { Slice } from './fetch/columns.ts'

/** Taken for the size of a record before one has been seen, bytes. */
const FIRST_GUESS_BYTES = 256

/** True when a topic of the same name has taken the place of the one that is read. */
export function isRemade({ topicId }: Partition, present: { readonly id: string } | undefined): boolean {
  return topicId !== '' && present !== undefined && present.id !== topicId
}

export class Partition {
  readonly topic: string
  readonly index: number
  /** As the runtime knows it. */
  readonly name: string
  readonly epoch: number
  /** Under which leaders the records up to `position` were written. */
  epochs = new LeaderEpochs()
  /** The topic that is read, whatever is called by its name later; empty where brokers give topics no ids. */
  topicId = ''
  /** The offset that is fetched next: behind everything held. */
  position: number
  /** Where the group's stored progress stands in this assignment. */
  committed: number
  /** As the last answer said; −1 before there was one. */
  endOffset = -1
  endSeenMs = Number.NEGATIVE_INFINITY
  /** Left out by the present pull. */
  paused = false
  /** Nothing more is handed out or fetched, but commits still count. */
  revoking = false
  /** Not ours any more. */
  ended = false
  /** Part of a fetch that is under way, from the offset below. */
  fetching = false
  askedOffset = -1
  /** The replica to read instead of the leader; −1 for none. */
  replica = -1
  replicaUntilMs = 0
  retryAtMs = 0
  failures = 0
  /** Fetches in a row that brought nothing although there is something: it goes first in the next one. */
  starved = 0
  fetchedAtMs = 0
  /** The last batch's size, so that one fits into the next fetch whatever the credit. */
  batchBytes = 0
  recordBytes = FIRST_GUESS_BYTES
  /** When the last record that was handed out was stamped; −1 before there was one. */
  handedOutMs = -1
  readonly #held: { readonly batches: RecordBatches; undecoded: number }[] = []
  #block: RecordBlock | null = null
  #at = 0
  #heldRecords = 0
  /** Of the block that is open, and of batches that are not. */
  #blockBytes = 0
  #closedBytes = 0

  constructor(topic: string, index: number, name: string, epoch: number, position: number) {
    this.topic = topic
    this.index = index
    this.name = name
    this.epoch = epoch
    this.position = position
    this.committed = position
  }

  get heldRecords(): number {
    return this.#heldRecords
  }

  get heldBytes(): number {
    return this.#blockBytes + this.#closedBytes
  }

  /** When the oldest record that is held was stamped; null when that is not known. */
  get heldSinceMs(): number | null {
    const closed = this.#held[0]?.batches.nextTimestampMs ?? -1
    const stampMs = this.#block === null ? closed : this.#block.timestampMsAt(this.#at)
    return stampMs >= 0 ? stampMs : null
  }

  /** The first record that was not handed out; `position` when nothing is held. */
  get firstHeld(): number {
    if (this.#block !== null) return this.#block.offsets[this.#at] as number
    return this.#held[0]?.batches.nextOffset ?? this.position
  }

  /** Takes in what a fetch brought. `records`: as many as its batches say they have. */
  hold(batches: RecordBatches, records: number, nextOffset: number): void {
    this.#held.push({ batches, undecoded: records })
    this.#heldRecords += records
    this.#closedBytes += batches.leftBytes
    this.position = nextOffset
  }

  /**
   * Hands out up to `records` records of up to `bytes` bytes, the first of all whatever its size when `first` is set; of
   * the batch that it ends in all that is left, where that is no more than `mostRecords` in all. Throws `HG_STORAGE` at a
   * batch that cannot be read.
   */
  take(records: number, bytes: number, first: boolean, mostRecords = records): Slice[] {
    const slices: Slice[] = []
    let left = records
    let most = mostRecords
    let leftBytes = bytes
    let mayExceed = first
    while (left > 0) {
      let block: RecordBlock | null = null
      try {
        block = this.#present()
      } catch (error) {
        // It will be thrown again at the next take; what was taken before it must not be lost.
        if (slices.length === 0) throw error
      }
      if (block === null) break
      const from = this.#at
      const isWhole = block.count - from <= most && this.#blockBytes <= leftBytes
      const slice = isWhole
        ? { block, from, to: block.count, bytes: this.#blockBytes }
        : cut(block, from, left, leftBytes, mayExceed)
      const { to } = slice
      if (to === from) break
      mayExceed = false
      left -= to - from
      most -= to - from
      leftBytes -= slice.bytes
      this.#pass(slice)
      slices.push(slice)
      if (to < block.count) break
    }
    return slices
  }

  /** Gives back what is held: the partition is read again from `position`. */
  drop(position = this.firstHeld): void {
    if (position > this.position) this.epochs.clear()
    else this.epochs.cut(position)
    this.#held.length = 0
    this.#block = null
    this.#heldRecords = 0
    this.#blockBytes = 0
    this.#closedBytes = 0
    this.position = position
  }

  end(): void {
    this.ended = true
    this.drop()
  }

  #pass({ block, from, to, bytes }: Slice): void {
    this.#blockBytes -= bytes
    this.#heldRecords -= to - from
    this.handedOutMs = block.timestampMsAt(to - 1)
    if (to < block.count) this.#at = to
    else this.#block = null
  }

  /** The block that is handed out at the moment, opened when it is needed; null when nothing is held. */
  #present(): RecordBlock | null {
    if (this.#block !== null) return this.#block
    for (;;) {
      const held = this.#held[0]
      if (held === undefined) return null
      const before = held.batches.leftBytes
      const block = held.batches.next()
      this.#closedBytes -= before - held.batches.leftBytes
      if (block !== null) {
        // What batches say of their count is more than they have where transactions were aborted or records compacted.
        held.undecoded -= block.count
        this.#block = block
        this.#at = 0
        this.#blockBytes = block.bytes
        return block
      }
      this.#heldRecords -= held.undecoded
      this.#closedBytes -= held.batches.leftBytes
      this.#held.shift()
    }
  }
}

/** Up to `records` records of up to `bytes` bytes, and the first one whatever its size when it may exceed them. */
function cut(block: RecordBlock, from: number, records: number, bytes: number, mayExceed: boolean): Slice {
  const end = Math.min(block.count, from + records)
  let to = from
  let taken = 0
  while (to < end) {
    const size = block.sizeAt(to)
    if (taken + size > bytes && !(mayExceed && to === from)) break
    taken += size
    to += 1
  }
  return { block, from, to, bytes: taken }
}
