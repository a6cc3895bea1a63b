/**
 * Values spread over several partitions, by the hash of their key or in turn. Values are read one after the other, so
 * a value of a paused partition must be kept aside while others flow: at most `LOOK_AHEAD` of them, counted in
 * `held()`. Invariant: offsets count up within each partition without gaps, and are the same in every replay.
 */
import type { PartitionBacklog, PullRequest, RecordBatch } from '../../model/connector.ts'
import { NO_HEADERS } from '../../model/record.ts'
import { DEFAULT_RECORD_BYTES, MemoryRecord, partitionOf } from './record.ts'
import { type MemorySourceOptions, ValuesSource } from './source.ts'

/** How many records may be kept aside for partitions that are paused. */
export const LOOK_AHEAD = 1_000

class Partition<V> {
  readonly name: string
  /** Offset of the next value that is read for it. */
  nextOffset = 0
  /** Offset after the last record that was delivered. */
  deliveredTo = 0
  /** Records below this were committed before a replay, and are passed over. */
  skipBelow = 0
  aside: MemoryRecord<V>[] = []

  constructor(name: string) {
    this.name = name
  }
}

/** What one pull has taken so far, against its credit. */
class Basket<V> {
  readonly #records = new Map<Partition<V>, MemoryRecord<V>[]>()
  readonly #request: PullRequest
  #count = 0
  #bytes = 0

  constructor(request: PullRequest) {
    this.#request = request
  }

  get full(): boolean {
    return this.#count >= this.#request.credit.records
  }

  add(partition: Partition<V>, record: MemoryRecord<V>): boolean {
    const bytes = this.#bytes + record.bytes
    if (this.full || (this.#count > 0 && bytes > this.#request.credit.bytes)) return false
    const records = this.#records.get(partition)
    if (records) records.push(record)
    else this.#records.set(partition, [record])
    this.#count += 1
    this.#bytes = bytes
    partition.deliveredTo = record.offset + 1
    return true
  }

  batches(epochOf: (partition: string) => number): RecordBatch[] {
    return [...this.#records].map(([{ name }, records]) => ({ partition: name, epoch: epochOf(name), records }))
  }
}

export class SpreadSource<V, T> extends ValuesSource<V, T> {
  readonly #array: readonly V[] | null
  #lanes: Partition<V>[] = []
  #iterator: Iterator<V> | null = null
  #read = 0
  #done = false

  constructor(values: Iterable<V>, options: MemorySourceOptions<V, T>, partitions: number) {
    super(values, options, partitions)
    this.#array = Array.isArray(values) ? values : null
  }

  protected override rewind(): void {
    this.#lanes = this.partitions.map((name) => {
      const lane = new Partition<V>(name)
      lane.skipBelow = lane.deliveredTo = this.progress.of(name).nextOffset
      return lane
    })
    this.#iterator = this.values[Symbol.iterator]()
    this.#read = 0
    this.#done = false
  }

  protected override take(request: PullRequest): RecordBatch[] {
    const basket = new Basket<V>(request)
    const open = this.#lanes.filter((lane) => !request.paused.has(lane.name))
    for (const lane of open) {
      let taken = 0
      while (taken < lane.aside.length && basket.add(lane, lane.aside[taken] as MemoryRecord<V>)) taken += 1
      if (taken > 0) lane.aside = lane.aside.slice(taken)
    }
    const flowing = new Set(open)
    let room = LOOK_AHEAD - this.held().records
    const now = Date.now()
    while (open.length > 0 && room > 0 && !basket.full && !this.#done) {
      const next = this.#next(now)
      if (!next) continue
      const { lane, record } = next
      if (flowing.has(lane) && lane.aside.length === 0 && basket.add(lane, record)) continue
      lane.aside.push(record)
      room -= 1
      if (flowing.has(lane)) break
    }
    return basket.batches((partition) => this.progress.of(partition).epoch)
  }

  /** Reads one value; null at the end of the values, and for one that was committed before. */
  #next(now: number): { lane: Partition<V>; record: MemoryRecord<V> } | null {
    const step = (this.#iterator as Iterator<V>).next()
    if (step.done) {
      this.#done = true
      return null
    }
    const { value } = step
    const { key: keyOf, timestampMs, headers, bytes } = this.options
    const index = this.#read
    this.#read += 1
    const key = keyOf ? keyOf(value, index) : null
    const number = key === null ? index % this.#lanes.length : partitionOf(key, this.#lanes.length)
    const lane = this.#lanes[number] as Partition<V>
    const offset = lane.nextOffset
    lane.nextOffset += 1
    if (offset < lane.skipBelow) return null
    const record = new MemoryRecord(
      key,
      lane.name,
      offset,
      timestampMs ? timestampMs(value, index) : now,
      headers ? headers(value, index) : NO_HEADERS,
      bytes ? bytes(value) : DEFAULT_RECORD_BYTES,
      value,
    )
    return { lane, record }
  }

  protected override exhausted(): boolean {
    if (!this.#done && this.#array && this.#read >= this.#array.length) this.#done = true
    return this.#done && this.#lanes.every((lane) => lane.aside.length === 0)
  }

  protected override drop(): void {
    for (const lane of this.#lanes) lane.aside = []
    if (this.#iterator && !this.#done) this.#iterator.return?.()
    this.#done = true
  }

  protected override deliveredTo(partition: string): number {
    return this.#lanes.find((lane) => lane.name === partition)?.deliveredTo ?? 0
  }

  override held(): { records: number; bytes: number } {
    let records = 0
    let bytes = 0
    for (const { aside } of this.#lanes) {
      records += aside.length
      for (const record of aside) bytes += record.bytes
    }
    return { records, bytes }
  }

  /** An array's rest is known as a whole; it is shared out evenly. */
  override async backlog(): Promise<readonly PartitionBacklog[]> {
    const rest = this.#array ? this.#array.length - this.#read : null
    const count = this.partitions.length
    return this.partitions.map((partition, at) => ({
      partition,
      records: rest === null ? null : Math.floor(rest / count) + (at < rest % count ? 1 : 0),
      oldestTimestampMs: null,
    }))
  }
}
