/**
 * The embedded log as programs see it: topics of partitions in one directory, appended to and read by any number of
 * processes. `openLog` is its door; the command line and the examples use it, pipelines use the source and the sink.
 * Invariant: an append that resolved survives any crash, and a read sees nothing that is not durable.
 */

import { z } from 'zod'
import { HeadgateError, reject } from '../../model/errors.ts'
import type { Logger } from '../../model/logger.ts'
import { NO_HEADERS, type RecordHeaders } from '../../model/record.ts'
import { checked } from '../../model/schema-check.ts'
import { MIB } from '../../model/units.ts'
import { type Appended, append, draft, MAX_RECORD_BYTES } from './append.ts'
import type { LogRecord } from './batch.ts'
import type { Start } from './groups.ts'
import { describeGroups, describeTopic, type GroupInfo, type TopicInfo } from './inspection.ts'
import { directory, integer, name, offset, partitions, retention, start } from './option.ts'
import { PartitionReader } from './reader.ts'
import { type Trimmed, type TrimRule, trimOnce } from './retention.ts'
import { openShared, type Shared } from './shared.ts'
import type { Partition, Retention, Topic } from './topics.ts'
import type { WritePoint } from './write-point.ts'

export interface OpenLogOptions {
  /** Hears of recovered damage; default silent. */
  readonly logger?: Logger
  /** Called at each boundary of the write path, for tests that stop the process there; default nothing. */
  readonly onWritePoint?: (point: WritePoint) => void
}

export interface TopicOptions {
  /** How many partitions; default 8, range 1–256. Fixed for ever, since keys are bound to partitions. */
  readonly partitions?: number
  /** How long records stay; default for ever. Given for an existing topic, it replaces what was stored. */
  readonly retention?: Retention
}

/** A record to append. */
export interface Entry {
  /** Records of one key stay in order, in one partition; default null, which spreads records over partitions. */
  readonly key?: string | null
  /** Text and bytes are stored as they are, anything else as JSON. At most 64 MiB. */
  readonly value: unknown
  readonly headers?: RecordHeaders
  /** Epoch milliseconds; default now. */
  readonly timestampMs?: number
  /** Default: chosen by the key. */
  readonly partition?: number
}

export interface ReadOptions {
  /** Default 1,000, range 1–100,000. */
  readonly maxRecords?: number
  /** Keys, headers and values; only the first record may exceed it. Default 1 MiB, range ≥ 1. */
  readonly maxBytes?: number
}

export interface Chunk {
  readonly records: readonly LogRecord[]
  /** Where to read on; past gaps that trimming left. Equal to the offset asked for when nothing is there yet. */
  readonly nextOffset: number
}

export interface Bounds {
  /** The oldest offset that can be read. */
  readonly firstOffset: number
  /** The durable end: the offset that the next record will get. */
  readonly nextOffset: number
}

export interface TrimOptions extends TrimRule {
  /** Only this partition; default all. */
  readonly partition?: number | undefined
}

const openOptions = z.strictObject({ logger: z.any(), onWritePoint: z.any() }).partial()
const topicOptions = z.strictObject({ partitions: partitions.optional(), retention: retention.optional() })
const readOptions = z.strictObject({
  maxRecords: integer(1, 100_000).default(1_000),
  maxBytes: integer(1, Number.MAX_SAFE_INTEGER).default(MIB),
})
const topicArgument = z.object({ topic: name })
const readArgument = z.object({ fromOffset: offset })
const seekArguments = z.object({ group: name, to: start, partition: offset.optional() })
const trimOptions = z.strictObject({
  partition: offset.optional(),
  beforeOffset: offset.optional(),
  beforeMs: offset.optional(),
  bytes: offset.optional(),
})

/**
 * Opens the log in `path`, making the directory when it is missing. Throws `HG_STORAGE` when it cannot be read and
 * written, holds something else, or was written by a newer version. Each opened log is closed once.
 */
export async function openLog(path: string, options: OpenLogOptions = {}): Promise<Log> {
  const { logger, onWritePoint } = checked('openLog', openOptions, options) as OpenLogOptions
  return new Log(await openShared(checked('openLog', directory, path), { logger, onWritePoint }))
}

export class Log {
  /** @internal */
  readonly shared: Shared
  readonly #readers = new Map<string, PartitionReader>()
  #closed: Promise<void> | null = null

  /** @internal */
  constructor(shared: Shared) {
    this.shared = shared
  }

  get directory(): string {
    return this.shared.store.directory
  }

  /** Creates a topic. One that exists stays as it is, and throws when it has another number of partitions. */
  async createTopic(topic: string, options: TopicOptions = {}): Promise<TopicInfo> {
    this.#open()
    const given = checked('createTopic', topicOptions, options)
    const name = checked('createTopic', topicArgument, { topic }).topic
    return describeTopic(this.shared, await this.shared.topics.create(name, given.partitions, given.retention))
  }

  topics(): TopicInfo[] {
    const { topics } = this.#open()
    return topics.names().map((each) => describeTopic(this.shared, topics.get(each)))
  }

  /**
   * Appends all entries or none, and resolves when they are on the disk, with where they went. Appends that are not
   * awaited share one disk flush; they keep their order. Throws `HG_STORAGE` on a full or failing disk and
   * `HG_OVERLOADED` when 64 MiB already wait to be written.
   */
  async append(topic: string, entries: readonly Entry[]): Promise<Appended[]> {
    const to = this.#open().topics.get(topic)
    const now = Date.now()
    const drafts = entries.map((entry) => {
      const headers = entry.headers && entry.headers !== NO_HEADERS ? entry.headers : null
      const partition = entry.partition === undefined ? null : this.#partition(to, entry.partition).index
      return draft(
        entry.key ?? null,
        toStored(entry.value),
        headers,
        entry.timestampMs ?? now,
        partition,
        MAX_RECORD_BYTES,
      )
    })
    return append(this.shared, to, drafts)
  }

  /** Reads without waiting. Throws `HG_STORAGE`, naming partition and offset, when a batch is corrupt. */
  read(topic: string, partition: number, fromOffset: number, options: ReadOptions = {}): Chunk {
    const { maxRecords, maxBytes } = checked('read', readOptions, options)
    checked('read', readArgument, { fromOffset })
    const from = this.#partition(this.#open().topics.get(topic), partition)
    const reader = this.#readers.get(from.name) ?? new PartitionReader(from)
    this.#readers.set(from.name, reader)
    const records: LogRecord[] = []
    const allowance = { records: maxRecords, bytes: maxBytes, first: true }
    const nextOffset = reader.read(fromOffset, this.shared.topics.mark(from), maxRecords, allowance, records)
    return { records, nextOffset }
  }

  bounds(topic: string, partition: number): Bounds {
    const { topics } = this.#open()
    const { firstOffset, nextOffset } = topics.mark(this.#partition(topics.get(topic), partition))
    return { firstOffset, nextOffset }
  }

  /** Deletes the oldest records that any of the rules names; whole batches by age and bytes, exact by offset. */
  async trim(topic: string, options: TrimOptions): Promise<Trimmed> {
    const { topics, store } = this.#open()
    const { partition, ...rule } = checked('trim', trimOptions, options)
    const { partitions: all } = topics.get(topic)
    const chosen = partition === undefined ? all : [this.#partition(topics.get(topic), partition)]
    let records = 0
    let bytes = 0
    for (let more = true; more; ) {
      const step = await store.writer.write(() => trimOnce(topics, chosen, rule))
      records += step.records
      bytes += step.bytes
      more = step.more
    }
    return { records, bytes }
  }

  /** Every group on every topic: who consumes it, where it is, and how far behind. */
  groups(): GroupInfo[] {
    this.#open()
    return describeGroups(this.shared)
  }

  /**
   * Moves a group, forward or back; an offset beyond what is there is brought within it. A running consumer of the
   * group is fenced: it drops what it has in flight and goes on from the new place.
   */
  async seek(group: string, topic: string, to: Start, options: { readonly partition?: number } = {}): Promise<void> {
    const { topics, groups } = this.#open()
    const given = checked('seek', seekArguments, {
      group,
      to,
      partition: options.partition,
    })
    const found = topics.get(topic)
    const { partition } = options
    const chosen = partition === undefined ? found.partitions : [this.#partition(found, partition)]
    await groups.seek(given.group, found, chosen, given.to)
  }

  /** Waits for appends under way. The directory stays open while a source or sink of this process uses it. */
  close(): Promise<void> {
    this.#closed ??= this.shared.store.release()
    return this.#closed
  }

  #open(): Shared {
    if (this.#closed) throw new HeadgateError('HG_STORAGE', `The log at ${this.directory} was closed: open it again`)
    this.shared.store.refresh()
    return this.shared
  }

  #partition(topic: Topic, index: number): Partition {
    const partition = topic.partitions[index]
    if (partition) return partition
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `Topic '${topic.name}' has partitions 0 to ${topic.partitions.length - 1}, got ${index}`,
    )
  }
}

function toStored(value: unknown): Uint8Array | string {
  if (typeof value === 'string' || value instanceof Uint8Array) return value
  let text: string | undefined
  try {
    text = JSON.stringify(value)
  } catch (cause) {
    throw reject('a value must be text, bytes or something that JSON can hold', { cause })
  }
  if (text === undefined)
    throw reject(`a value must be text, bytes or something that JSON can hold, got ${typeof value}`)
  return text
}
