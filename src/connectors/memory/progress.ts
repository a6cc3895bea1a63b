/**
 * The committed progress of one reader or group, and the checks that every commit must pass. A source of values and a
 * topic's group keep theirs here. Invariant: a commit is stored whole or not at all, and no partition moves backward.
 */
import type { Position } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'

interface PartitionProgress {
  epoch: number
  nextOffset: number
  doneAhead: Uint8Array | null
}

export class Progress {
  readonly #partitions = new Map<string, PartitionProgress>()
  readonly #onStored: (position: Position) => void

  constructor(onStored: (position: Position) => void = () => {}) {
    this.#onStored = onStored
  }

  of(partition: string): Readonly<PartitionProgress> {
    return this.#entry(partition)
  }

  /** Begins a new assignment: commits that carry an earlier epoch are stale from now on. */
  raiseEpoch(partition: string): number {
    const entry = this.#entry(partition)
    entry.epoch += 1
    return entry.epoch
  }

  /**
   * Stores the positions. Throws `HG_FENCED` for a stale epoch, `HG_COMMIT_FAILED` for a step backward and
   * `HG_INVARIANT` for one beyond `deliveredTo(partition)`; then nothing is stored.
   */
  commit(positions: readonly Position[], deliveredTo: (partition: string) => number): void {
    for (const position of positions) this.#check(position, deliveredTo(position.partition))
    for (const { partition, epoch, nextOffset, doneAhead } of positions) {
      const entry = this.#entry(partition)
      entry.nextOffset = nextOffset
      entry.doneAhead = doneAhead === null ? null : doneAhead.slice()
      this.#onStored({ partition, epoch, nextOffset, doneAhead: entry.doneAhead })
    }
  }

  #check({ partition, epoch, nextOffset }: Position, deliveredTo: number): void {
    const entry = this.#entry(partition)
    if (epoch !== entry.epoch) {
      throw new HeadgateError('HG_FENCED', `commit of ${partition} with epoch ${epoch}, but it is at ${entry.epoch}`)
    }
    if (!(nextOffset >= entry.nextOffset)) {
      throw new HeadgateError(
        'HG_COMMIT_FAILED',
        `commit would move ${partition} back from ${entry.nextOffset} to ${nextOffset}`,
      )
    }
    if (nextOffset > deliveredTo) {
      throw new HeadgateError(
        'HG_INVARIANT',
        `commit of ${partition} up to ${nextOffset}, but only offsets below ${deliveredTo} were delivered`,
      )
    }
  }

  #entry(partition: string): PartitionProgress {
    let entry = this.#partitions.get(partition)
    if (!entry) this.#partitions.set(partition, (entry = { epoch: 0, nextOffset: 0, doneAhead: null }))
    return entry
  }
}
