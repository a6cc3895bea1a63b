/**
 * A topic in memory that behaves as a broker does: partitions, consumer groups with stored progress, rebalances, and
 * faults on demand. Tests append to it, read it through `source`, and compare what was committed. Invariant: a record
 * that was appended never changes its partition or offset, and stays readable for every group.
 */
import type { Position } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { NO_HEADERS, type RecordHeaders } from '../../model/record.ts'
import { Doorbell } from './doorbell.ts'
import { Group } from './group.ts'
import { integer } from './option.ts'
import { DEFAULT_RECORD_BYTES, MemoryRecord, partitionOf } from './record.ts'
import { TopicSink, type TopicSinkOptions } from './topic-sink.ts'
import { TopicSource, type TopicSourceOptions } from './topic-source.ts'

export interface MemoryTopicOptions {
  /** Default 1, range 1–10,000. Their names are `<topic>/0`, `<topic>/1` … */
  readonly partitions?: number
}

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

export class MemoryTopic<V = unknown> {
  readonly name: string
  readonly partitions: readonly string[]
  /** @internal Rung whenever a waiting pull should look again. */
  readonly bell = new Doorbell()
  readonly #logs: MemoryRecord<V>[][]
  readonly #groups = new Map<string, Group>()
  #turn = 0
  #ended = false
  #connected = true

  constructor(name: string, options: MemoryTopicOptions = {}) {
    const count = integer('partitions', options.partitions ?? 1, 1, 10_000)
    this.name = name
    this.partitions = Array.from({ length: count }, (_, index) => `${name}/${index}`)
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
    integer('partition', number, 0, count - 1)
    const log = this.#logs[number] as MemoryRecord<V>[]
    const end = (log.at(-1)?.offset ?? -1) + 1
    const record = new MemoryRecord(
      key,
      this.partitions[number] as string,
      integer('offset', entry.offset ?? end, end, Number.MAX_SAFE_INTEGER - 1),
      entry.timestampMs ?? now,
      entry.headers ?? NO_HEADERS,
      entry.bytes ?? sizeOf(value),
      value,
    )
    log.push(record)
    return record
  }

  /** No more will be appended: sources end once they have delivered everything. */
  end(): void {
    this.#ended = true
    this.bell.ring()
  }

  get ended(): boolean {
    return this.#ended
  }

  /** A member of a consumer group. Partitions are shared out when it is opened. Throws `HG_OPTION_INVALID`. */
  source<T = V>(options: TopicSourceOptions<T>): TopicSource<V, T> {
    return new TopicSource(this, this.group(options.group), options)
  }

  /** Appends what it is handed. */
  sink(options: TopicSinkOptions<V> = {}): TopicSink<V> {
    return new TopicSink(this, options)
  }

  /** Everything appended to a partition, or to all of them in turn. */
  records(partition?: string): readonly MemoryRecord<V>[] {
    return partition === undefined ? this.#logs.flat() : (this.#logs[this.partitions.indexOf(partition)] ?? [])
  }

  /** Every position that the group's members stored, in order. */
  commits(group: string): readonly Position[] {
    return this.group(group).progress.history
  }

  /** The group's progress now, one position a partition. */
  committed(group: string): readonly Position[] {
    return this.partitions.map((partition) => ({ partition, ...this.group(group).progress.of(partition) }))
  }

  /** Fault: takes partitions away politely. Resolves when their owners let go; nobody has them until `assign`. */
  async revoke(group: string, partitions: readonly string[] = this.partitions): Promise<void> {
    await this.group(group).revoke(partitions)
    this.bell.ring()
  }

  /** Fault: takes partitions away at once, as an expired session does; nobody has them until `assign`. */
  lose(group: string, partitions: readonly string[] = this.partitions): void {
    this.group(group).lose(partitions)
    this.bell.ring()
  }

  /** Gives partitions that were revoked or lost to the group's members again, with a new epoch. */
  assign(group: string, partitions: readonly string[] = this.partitions): void {
    this.group(group).assign(partitions)
    this.bell.ring()
  }

  /** Fault: the group's next commits throw `HG_COMMIT_FAILED`; with `stored` only their reply is lost. */
  failCommits(group: string, count: number, options: { readonly stored?: boolean } = {}): void {
    this.group(group).failCommits(count, options.stored ?? false)
  }

  /** Fault: until `reconnect`, pulls, commits and backlogs throw `HG_CONNECTION_LOST`. Nobody loses partitions. */
  disconnect(): void {
    this.#connected = false
    this.bell.ring()
  }

  reconnect(): void {
    this.#connected = true
    this.bell.ring()
  }

  /** @internal Throws while disconnected. */
  assertConnected(): void {
    if (!this.#connected) throw new HeadgateError('HG_CONNECTION_LOST', `topic ${this.name} cannot be reached`)
  }

  /** @internal */
  group(name: string): Group {
    let group = this.#groups.get(name)
    if (!group) this.#groups.set(name, (group = new Group(this.partitions)))
    return group
  }
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return value.length
  return value instanceof Uint8Array ? value.byteLength : DEFAULT_RECORD_BYTES
}
