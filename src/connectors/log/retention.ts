/**
 * Deletes the oldest batches of a topic: what `trim` asks for, and what its retention allows after appends. It always
 * runs inside a write step. Invariant: only a prefix of a partition ever goes, and `firstOffset` moves past it in the
 * same transaction.
 */
import { batchHead } from './batch.ts'
import type { Mark, Partition, Topic, Topics } from './topics.ts'

/** What may go. A batch goes when any of them says so. */
export interface TrimRule {
  /** Records below this offset of each partition. */
  readonly beforeOffset?: number | undefined
  /** Batches whose every record has an older timestamp, epoch milliseconds. */
  readonly beforeMs?: number | undefined
  /** The oldest batches, until the topic's partitions together hold at most so many bytes. */
  readonly bytes?: number | undefined
}

export interface Trimmed {
  readonly records: number
  readonly bytes: number
}

/** Batches deleted in one transaction at most, so that none holds the lock for long. */
const BATCHES_AT_ONCE = 256

interface Head {
  readonly partition: Partition
  mark: Mark
  first: { offset: number; end: number; bytes: number; newestMs: number } | null
}

/** Deletes up to a transaction's worth; `more` says that another call would find more. */
export function trimOnce(topics: Topics, partitions: Topic['partitions'], rule: TrimRule): Trimmed & { more: boolean } {
  const heads = partitions.map((partition): Head => {
    const head: Head = { partition, mark: topics.mark(partition), first: null }
    head.first = firstBatch(head)
    return head
  })
  let total = heads.reduce((sum, head) => sum + head.mark.bytes, 0)
  let records = 0
  let bytes = 0
  let batches = 0
  for (; batches < BATCHES_AT_ONCE; batches += 1) {
    const head = heads.find((each) => isPast(each, rule)) ?? (isOver(total, rule) ? oldest(heads) : undefined)
    if (!head?.first) break
    const { offset, end, bytes: size } = head.first
    head.partition.batches.removeSync(offset)
    records += Math.max(0, end - Math.max(offset, head.mark.firstOffset))
    bytes += size
    total -= size
    head.mark = { ...head.mark, firstOffset: end, bytes: Math.max(0, head.mark.bytes - size) }
    head.first = firstBatch(head)
  }
  for (const head of heads) {
    const within = Math.min(rule.beforeOffset ?? 0, head.mark.nextOffset)
    if (batches < BATCHES_AT_ONCE && within > head.mark.firstOffset) {
      records += within - head.mark.firstOffset
      head.mark = { ...head.mark, firstOffset: within }
    }
    if (head.mark.firstOffset !== topics.mark(head.partition).firstOffset) topics.setMark(head.partition, head.mark)
  }
  return { records, bytes, more: batches === BATCHES_AT_ONCE }
}

function isPast({ first }: Head, rule: TrimRule): boolean {
  if (!first) return false
  return first.end <= (rule.beforeOffset ?? 0) || first.newestMs < (rule.beforeMs ?? Number.NEGATIVE_INFINITY)
}

function isOver(total: number, rule: TrimRule): boolean {
  return rule.bytes !== undefined && total > rule.bytes
}

function oldest(heads: readonly Head[]): Head | undefined {
  let found: Head | undefined
  for (const head of heads) {
    if (head.first && (!found?.first || head.first.newestMs < found.first.newestMs)) found = head
  }
  return found
}

/** Does not check the batch: a corrupt one can be trimmed, and ends where the next begins. */
function firstBatch({ partition, mark }: Head): Head['first'] {
  let offset: number | null = null
  let end = mark.nextOffset
  for (const key of partition.batches.getKeys({ limit: 2 })) {
    if (offset === null) offset = key as number
    else end = key as number
  }
  if (offset === null) return null
  const value = partition.batches.get(offset)
  return value ? { offset, end, bytes: value.length, newestMs: batchHead(value)?.newestMs ?? 0 } : null
}
