/**
 * Takes records for one pull: an equal share of every partition that has some, made up to whole batches, then whatever
 * the others left; who got nothing comes first the next time. The source calls it. Invariant: never more than the
 * credit or `TAKE_BYTES`, but for the size of the very first record.
 */
import type { Credit, RecordBatch } from '../../model/connector.ts'
import { MIB } from '../../model/units.ts'
import { KafkaBatch, type Origin, type Slice } from './fetch/columns.ts'
import type { Partition } from './partition.ts'

/**
 * A pull takes no more bytes than this at once: what is made of them dies young where it is worked off soon, and V8 need
 * not carry it from one collection to the next.
 */
export const TAKE_BYTES = MIB / 2
/** Records that are taken of a partition before the next one has its turn: smaller portions cost more than they are worth. */
const LEAST_SHARE = 64
/** What is left of a pull is not worth a portion of its own below this part of it. */
const LEAST_PART = 1 / 16

export class Taker {
  readonly #origin: Omit<Origin, 'name'>
  /** Where the round begins, so that no partition is always first. */
  #turn = 0

  constructor(origin: Omit<Origin, 'name'>) {
    this.#origin = origin
  }

  /** `broken` hears of a batch that cannot be read; what came before it is handed out. */
  take(
    partitions: Iterable<Partition>,
    credit: Credit,
    broken: (partition: Partition, error: unknown) => void,
  ): RecordBatch[] {
    const ready: { partition: Partition; slices: Slice[] }[] = []
    for (const partition of partitions) {
      if (partition.heldRecords > 0 && !partition.paused && !partition.revoking) ready.push({ partition, slices: [] })
    }
    if (ready.length === 0) return []
    const share = Math.min(credit.records, Math.max(LEAST_SHARE, Math.floor(credit.records / ready.length)))
    const start = this.#turn % ready.length
    const round = [...ready.slice(start), ...ready.slice(0, start)]
    let { records } = credit
    let bytes = Math.min(credit.bytes, TAKE_BYTES)
    const leastRecords = Math.max(1, Math.min(LEAST_SHARE, Math.floor(records * LEAST_PART)))
    const leastBytes = Math.max(1, bytes * LEAST_PART)
    let first = true
    for (const most of [share, records]) {
      for (const { partition, slices } of round) {
        if (!first && (records < leastRecords || bytes < leastBytes)) break
        let taken: Slice[] = []
        try {
          taken = partition.take(Math.min(most, records), bytes, first, records)
        } catch (error) {
          broken(partition, error)
        }
        for (const slice of taken) {
          records -= slice.to - slice.from
          bytes -= slice.bytes
          first = false
          append(slices, slice)
        }
      }
    }
    // Who got nothing is first in the next round: a large record that no longer fitted in is then sure to.
    const leftOut = round.findIndex(({ slices }) => slices.length === 0)
    this.#turn = start + (leftOut < 0 ? 1 : leftOut)
    return round.flatMap(({ partition: { name, epoch }, slices }) =>
      slices.length === 0 ? [] : [new KafkaBatch({ name, ...this.#origin }, epoch, slices)],
    )
  }
}

function append(slices: Slice[], slice: Slice): void {
  const last = slices.at(-1)
  if (last?.block === slice.block && last.to === slice.from) {
    slices[slices.length - 1] = { block: slice.block, from: last.from, to: slice.to, bytes: last.bytes + slice.bytes }
  } else slices.push(slice)
}
