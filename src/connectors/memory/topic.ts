/**
 * A topic in memory that behaves as a broker does: partitions, consumer groups with stored progress, rebalances, and
 * faults on demand. Tests append to it, read it through `source`, and compare what was committed. It joins the records
 * of `topic-log.ts` with the groups of `group.ts`.
 */
import type { Position } from '../../model/connector.ts'
import { OptionCheck } from '../../model/option.ts'
import { Group } from './group.ts'
import type { MemoryRecord } from './record.ts'
import { type TopicEntry, TopicLog } from './topic-log.ts'
import { TopicSink, type TopicSinkOptions } from './topic-sink.ts'
import { TopicSource, type TopicSourceOptions } from './topic-source.ts'

export interface MemoryTopicOptions {
  /** Default 1, range 1–10,000. Their names are `<topic>/0`, `<topic>/1` … */
  readonly partitions?: number
}

export class MemoryTopic<V = unknown> {
  readonly name: string
  readonly partitions: readonly string[]
  readonly #log: TopicLog<V>
  readonly #groups = new Map<string, Group>()

  constructor(name: string, options: MemoryTopicOptions = {}) {
    const check = new OptionCheck('memory.topic', options, { partitions: true })
    this.#log = new TopicLog(name, check.integer('partitions', 1, { min: 1, max: 10_000, unit: 'partitions' }))
    this.name = name
    this.partitions = this.#log.partitions
  }

  /** Appends the entries and wakes pulls that wait. Returns the records as stored. */
  append(entries: readonly TopicEntry<V>[]): readonly MemoryRecord<V>[] {
    return this.#log.append(entries)
  }

  /** No more will be appended: sources end once they have delivered everything. */
  end(): void {
    this.#log.end()
  }

  /** A member of a consumer group. Partitions are shared out when it is opened. Throws `HG_OPTION_INVALID`. */
  source<T = V>(options: TopicSourceOptions<T>): TopicSource<V, T> {
    return new TopicSource(this.#log, this.#group(options.group), options)
  }

  /** Appends what it is handed. */
  sink(options: TopicSinkOptions<V> = {}): TopicSink<V> {
    return new TopicSink(this.#log, options)
  }

  /** Everything appended to a partition, or to all of them in turn. */
  records(partition?: string): readonly MemoryRecord<V>[] {
    return (partition === undefined ? this.partitions : [partition]).flatMap((name) => this.#log.records(name))
  }

  /** Every position that the group's members stored, in order. */
  commits(group: string): readonly Position[] {
    return this.#group(group).commits
  }

  /** The group's progress now, one position a partition. */
  committed(group: string): readonly Position[] {
    return this.partitions.map((partition) => ({ partition, ...this.#group(group).progress.of(partition) }))
  }

  /** Fault: takes partitions away politely. Resolves when their owners let go; nobody has them until `assign`. */
  async revoke(group: string, partitions: readonly string[] = this.partitions): Promise<void> {
    await this.#group(group).revoke(partitions)
    this.#log.bell.ring()
  }

  /** Fault: takes partitions away at once, as an expired session does; nobody has them until `assign`. */
  lose(group: string, partitions: readonly string[] = this.partitions): void {
    this.#group(group).lose(partitions)
    this.#log.bell.ring()
  }

  /** Gives partitions that were revoked or lost to the group's members again, with a new epoch. */
  assign(group: string, partitions: readonly string[] = this.partitions): void {
    this.#group(group).assign(partitions)
    this.#log.bell.ring()
  }

  /** Fault: the group's next commits throw `HG_COMMIT_FAILED`; with `stored` only their reply is lost. */
  failCommits(group: string, count: number, options: { readonly stored?: boolean } = {}): void {
    this.#group(group).failCommits(count, options.stored ?? false)
  }

  /** Fault: until `reconnect`, pulls, commits and backlogs throw `HG_CONNECTION_LOST`. Nobody loses partitions. */
  disconnect(): void {
    this.#log.setConnected(false)
  }

  reconnect(): void {
    this.#log.setConnected(true)
  }

  #group(name: string): Group {
    let group = this.#groups.get(name)
    if (!group) this.#groups.set(name, (group = new Group(this.partitions)))
    return group
  }
}
