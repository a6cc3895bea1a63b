/**
 * The records of a memory topic, partition by partition. The topic's sources and sinks read and append here. Invariant:
 * a record that was appended never changes its partition or offset, and stays readable for every group.
 */
import { HeadgateError } from '../../model/errors.ts'
import { checkInteger } from '../../model/option.ts'
import { NO_HEADERS, type RecordHeaders } from '../../model/record.ts'
import { Doorbell } from './doorbell.ts'
import { DEFAULT_RECORD_BYTES, MemoryRecord, partitionOf } from './record.ts'

export interface TopicEntry<V = unknown> {
  readonly value: V
  /** Default null. */
  readonly key?: string | null
  /** Number of the partition; default: by the hash of the key, or in turn when there is none. */
  readonly partition?: number
  /** Default: the end of the partition. A larger one leaves a gap, as compaction does. */
  readonly offset?: number
  /** Epoch milliseconds; default: now. */
  readonly timestampMs?: number
  readonly headers?: RecordHeaders
  /** Default: the length of bytes or text, else 64. */
  readonly bytes?: number
}

export class TopicLog<V> {
  readonly name: string
  readonly partitions: readonly string[]
  /** Rung whenever a pull that waits should look again. */
  readonly bell = new Doorbell()
  readonly #logs: MemoryRecord<V>[][]
  #turn = 0
  #ended = false
  #connected = true

  constructor(name: string, partitions: number) {
    this.name = name
    this.partitions = Array.from({ length: partitions }, (_, index) => `${name}/${index}`)
    this.#logs = this.partitions.map(() => [])
  }

  /** Appends the entries and wakes waiting pulls. Returns the records as stored. */
  append(entries: readonly TopicEntry<V>[]): readonly MemoryRecord<V>[] {
    if (this.#ended) throw new HeadgateError('HG_INVARIANT', `topic ${this.name} has ended`)
    const now = Date.now()
    const records = entries.map((entry) => this.#store(entry, now))
    this.bell.ring()
    return records
  }

  #store(entry: TopicEntry<V>, now: number): MemoryRecord<V> {
    const { value, key = null } = entry
    const count = this.partitions.length
    const number = entry.partition ?? (key === null ? this.#turn++ % count : partitionOf(key, count))
    checkInteger('topic.append › partition', number, { min: 0, max: count - 1, unit: '' })
    const log = this.#logs[number] as MemoryRecord<V>[]
    const end = (log.at(-1)?.offset ?? -1) + 1
    const record = new MemoryRecord(
      key,
      this.partitions[number] as string,
      checkInteger('topic.append › offset', entry.offset ?? end, {
        min: end,
        max: Number.MAX_SAFE_INTEGER - 1,
        unit: '',
      }),
      entry.timestampMs ?? now,
      entry.headers ?? NO_HEADERS,
      entry.bytes ?? sizeOf(value),
      value,
    )
    log.push(record)
    return record
  }

  end(): void {
    this.#ended = true
    this.bell.ring()
  }

  get ended(): boolean {
    return this.#ended
  }

  records(partition: string): readonly MemoryRecord<V>[] {
    return this.#logs[this.partitions.indexOf(partition)] ?? []
  }

  setConnected(connected: boolean): void {
    this.#connected = connected
    this.bell.ring()
  }

  /** Throws `HG_CONNECTION_LOST` while disconnected. */
  assertConnected(): void {
    if (!this.#connected) throw new HeadgateError('HG_CONNECTION_LOST', `topic ${this.name} cannot be reached`)
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.byteLength : DEFAULT_RECORD_BYTES
}
