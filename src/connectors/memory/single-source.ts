/**
 * Values in one partition: the fast path, where a value's index is its offset. Benchmarks measure it, so its loops
 * are tight: one class of record, one clock reading a pull, nothing allocated beside the records and their array.
 * Invariant: at most one record is held, the one that did not fit the bytes of the last credit.
 */
import type { PartitionBacklog, PullRequest, RecordBatch } from '../../model/connector.ts'
import { NO_HEADERS } from '../../model/record.ts'
import { DEFAULT_RECORD_BYTES, MemoryRecord, ValueBatch } from './record.ts'
import { type MemorySourceOptions, ValuesSource } from './source.ts'

export class SingleSource<V, T> extends ValuesSource<V, T> {
  readonly #array: readonly V[] | null
  /** No record has to be made to know how much fits into a credit. */
  readonly #sliceable: boolean
  #iterator: Iterator<V> | null = null
  /** Index of the next value to read. */
  #cursor = 0
  #done = false
  #pending: MemoryRecord<V> | null = null

  constructor(values: Iterable<V>, options: MemorySourceOptions<V, T>) {
    super(values, options, 1)
    this.#array = Array.isArray(values) ? values : null
    this.#sliceable = this.#array !== null && !options.bytes && !options.headers
  }

  protected override rewind(): void {
    const { nextOffset } = this.progress.of(this.partitions[0] as string)
    this.#pending = null
    this.#done = false
    this.#cursor = nextOffset
    if (this.#array) return
    this.#iterator = this.values[Symbol.iterator]()
    for (let index = 0; index < nextOffset && !this.#done; index += 1) this.#done = this.#iterator.next().done === true
  }

  protected override take(request: PullRequest): RecordBatch[] {
    const partition = this.partitions[0] as string
    if (request.paused.has(partition) || this.exhausted()) return []
    const { epoch } = this.progress.of(partition)
    if (this.#sliceable) return [this.#slice(this.#array as readonly V[], partition, epoch, request)]
    const records = this.#read(partition, request)
    return records.length === 0 ? [] : [{ partition, epoch, records }]
  }

  #slice(values: readonly V[], partition: string, epoch: number, { credit }: PullRequest): RecordBatch {
    const first = this.#cursor
    const affordable = Math.max(1, Math.floor(credit.bytes / DEFAULT_RECORD_BYTES))
    const taken = values.slice(first, first + Math.min(credit.records, affordable))
    this.#cursor = first + taken.length
    const { key, timestampMs } = this.options
    const keys = key ? taken.map((value, at) => key(value, first + at)) : null
    const times = timestampMs ? Float64Array.from(taken, (value, at) => timestampMs(value, first + at)) : Date.now()
    return new ValueBatch(partition, epoch, first, taken, times, keys)
  }

  #read(partition: string, { credit }: PullRequest): MemoryRecord<V>[] {
    const records: MemoryRecord<V>[] = []
    const now = Date.now()
    let bytes = 0
    while (records.length < credit.records) {
      const record = this.#pending ?? this.#next(partition, now)
      this.#pending = null
      if (!record) break
      bytes += record.bytes
      if (bytes > credit.bytes && records.length > 0) {
        this.#pending = record
        break
      }
      records.push(record)
    }
    return records
  }

  #next(partition: string, now: number): MemoryRecord<V> | null {
    const index = this.#cursor
    let value: V
    if (this.#array) {
      if (index >= this.#array.length) return null
      value = this.#array[index] as V
    } else {
      if (this.#done) return null
      const step = (this.#iterator as Iterator<V>).next()
      if (step.done) {
        this.#done = true
        return null
      }
      value = step.value
    }
    this.#cursor = index + 1
    const { key, timestampMs, headers, bytes } = this.options
    return new MemoryRecord(
      key ? key(value, index) : null,
      partition,
      index,
      timestampMs ? timestampMs(value, index) : now,
      headers ? headers(value, index) : NO_HEADERS,
      bytes ? bytes(value) : DEFAULT_RECORD_BYTES,
      value,
    )
  }

  protected override exhausted(): boolean {
    if (this.#pending) return false
    return this.#array ? this.#cursor >= this.#array.length : this.#done
  }

  protected override drop(): void {
    if (this.#pending && this.capabilities.replayable) this.#cursor = this.#pending.offset
    this.#pending = null
    if (this.#iterator && !this.#done) this.#iterator.return?.()
    if (this.#iterator) this.#done = true
  }

  protected override deliveredTo(): number {
    return this.#pending ? this.#pending.offset : this.#cursor
  }

  override held(): { records: number; bytes: number } {
    return this.#pending ? { records: 1, bytes: this.#pending.bytes } : { records: 0, bytes: 0 }
  }

  override async backlog(): Promise<readonly PartitionBacklog[]> {
    const partition = this.partitions[0] as string
    if (!this.#array) return [{ partition, records: null, oldestTimestampMs: null }]
    const records = this.#array.length - this.#cursor
    const { timestampMs } = this.options
    const oldestTimestampMs =
      timestampMs && records > 0 ? timestampMs(this.#array[this.#cursor] as V, this.#cursor) : null
    return [{ partition, records, oldestTimestampMs }]
  }
}
