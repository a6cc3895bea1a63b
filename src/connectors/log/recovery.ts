/**
 * Checks the end of every partition when a process opens the log. LMDB leaves no half-written transaction behind, so
 * this finds what the disk did: a last batch that is cut off or has flipped bits. Invariant: afterwards each partition
 * ends with a whole batch. The offsets of what was cut off stay used, because groups may have passed them already.
 */
import { HeadgateError } from '../../model/errors.ts'
import { batchFault, batchHead } from './batch.ts'
import type { Store } from './store.ts'
import type { Mark, Partition, Topics } from './topics.ts'

export async function recover(store: Store, topics: Topics): Promise<void> {
  for (const name of topics.names()) {
    for (const partition of topics.get(name).partitions) {
      if (isSound(partition, topics.mark(partition))) continue
      const cut = await store.writer.write(() => cutOff(partition, topics))
      for (const { offset, fault } of cut) {
        store.logger.warn(
          { partition: partition.name, offset, fault },
          `${partition.name}: the log ended with a corrupt batch at offset ${offset} (${fault}); it was cut off`,
        )
      }
    }
  }
}

interface Last {
  readonly offset: number
  readonly bytes: Uint8Array
}

function lastBatch(partition: Partition): Last | null {
  for (const { key, value } of partition.batches.getRange({ reverse: true, limit: 1 })) {
    return { offset: key as number, bytes: value }
  }
  return null
}

function isSound(partition: Partition, mark: Mark): boolean {
  const last = lastBatch(partition)
  if (!last) return true
  return faultOf(partition, last) === null && last.offset + countOf(last) <= mark.nextOffset
}

const countOf = (last: Last): number => batchHead(last.bytes)?.count ?? 0

function faultOf(partition: Partition, last: Last): string | null {
  const fault = batchFault(last.bytes)
  if (!fault?.newer) return fault?.text ?? null
  throw new HeadgateError(
    'HG_STORAGE',
    `${partition.name}: the batch at offset ${last.offset} cannot be read, ${fault.text}: upgrade headgate`,
  )
}

/** Runs inside a write step, where no other process can append meanwhile. */
function cutOff(partition: Partition, topics: Topics): { offset: number; fault: string }[] {
  const cut: { offset: number; fault: string }[] = []
  const mark = topics.mark(partition)
  let { nextOffset, bytes } = mark
  let last = lastBatch(partition)
  for (; last; last = lastBatch(partition)) {
    const fault = faultOf(partition, last)
    if (fault === null) break
    partition.batches.removeSync(last.offset)
    nextOffset = Math.max(nextOffset, last.offset + 1)
    bytes = Math.max(0, bytes - last.bytes.length)
    cut.push({ offset: last.offset, fault })
  }
  if (last) nextOffset = Math.max(nextOffset, last.offset + countOf(last))
  topics.setMark(partition, { firstOffset: mark.firstOffset, nextOffset, bytes })
  return cut
}
