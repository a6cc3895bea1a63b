/**
 * Topics and their partitions, and each partition's mark: which offsets it holds. Everything that reads or writes
 * records gets its `Topic` here. Invariant: a mark changes in the same transaction as the batches it speaks of, so
 * `nextOffset` is the durable end of the partition, and an offset is never given out twice.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Bytes } from './environment.ts'
import type { Store } from './store.ts'

/** How long records stay; a record may go once either is exceeded, whether it has been consumed or not. */
export interface Retention {
  /** Bytes of the whole topic, all partitions together; default unlimited, range ≥ 1. */
  readonly bytes?: number | undefined
  /** Milliseconds since a record's timestamp; default unlimited, range ≥ 1. */
  readonly ageMs?: number | undefined
}

export interface Mark {
  /** The oldest offset that can be read. */
  readonly firstOffset: number
  /** The offset that the next record will get. */
  readonly nextOffset: number
  /** Stored bytes. */
  readonly bytes: number
}

export interface Partition {
  readonly index: number
  /** `topic/index`. */
  readonly name: string
  readonly batches: Bytes
}

export interface Topic {
  readonly name: string
  readonly partitions: readonly Partition[]
}

interface Stored {
  readonly partitions: number
  readonly retention: Retention
}

const EMPTY: Mark = { firstOffset: 0, nextOffset: 0, bytes: 0 }

export class Topics {
  readonly #store: Store
  readonly #open = new Map<string, Topic>()

  constructor(store: Store) {
    this.#store = store
  }

  names(): string[] {
    this.#store.refresh()
    return [...this.#store.topics.getKeys()].map(String)
  }

  find(name: string): Topic | null {
    const known = this.#open.get(name)
    if (known) return known
    this.#store.refresh()
    const stored = this.#stored(name)
    return stored ? this.#openTopic(name, stored.partitions) : null
  }

  /** The topic, or an error that names the topics there are. */
  get(name: string): Topic {
    const topic = this.find(name)
    if (topic) return topic
    const names = this.names()
    const there = names.length > 0 ? `it has ${names.join(', ')}` : 'it has none yet'
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `The log at ${this.#store.directory} has no topic '${name}' (${there}): create it with createTopic('${name}'), or append to it through a sink first`,
    )
  }

  /** Creates the topic, or checks that it is as asked. A `retention` that is given replaces the stored one. */
  async create(name: string, partitions: number | undefined, retention: Retention | undefined): Promise<Topic> {
    const existing = this.find(name)
    if (existing) this.#samePartitions(name, existing.partitions.length, partitions)
    if (existing && !retention) return existing
    const count = await this.#store.writer.write(() => {
      const stored = this.#stored(name)
      if (stored) this.#samePartitions(name, stored.partitions, partitions)
      const topic: Stored = { partitions: stored?.partitions ?? partitions ?? 8, retention: retention ?? {} }
      this.#store.topics.putSync(name, Buffer.from(JSON.stringify(topic)))
      return topic.partitions
    })
    return this.#open.get(name) ?? this.#openTopic(name, count)
  }

  retentionOf(name: string): Retention {
    return this.#stored(name)?.retention ?? {}
  }

  mark(partition: Partition): Mark {
    const stored = this.#store.marks.get(partition.name)
    if (!stored) return EMPTY
    const view = new DataView(stored.buffer, stored.byteOffset, stored.byteLength)
    return {
      firstOffset: view.getFloat64(0, true),
      nextOffset: view.getFloat64(8, true),
      bytes: view.getFloat64(16, true),
    }
  }

  /** Only inside a write step. */
  setMark(partition: Partition, mark: Mark): void {
    const bytes = Buffer.alloc(24)
    bytes.writeDoubleLE(mark.firstOffset, 0)
    bytes.writeDoubleLE(mark.nextOffset, 8)
    bytes.writeDoubleLE(mark.bytes, 16)
    this.#store.marks.putSync(partition.name, bytes)
  }

  #stored(name: string): Stored | null {
    const bytes = this.#store.topics.get(name)
    return bytes ? (JSON.parse(Buffer.from(bytes).toString()) as Stored) : null
  }

  #openTopic(name: string, count: number): Topic {
    const partitions = Array.from({ length: count }, (_, index): Partition => {
      const partition = `${name}/${index}`
      return { index, name: partition, batches: this.#store.database(partition) }
    })
    const topic: Topic = { name, partitions }
    this.#open.set(name, topic)
    return topic
  }

  #samePartitions(name: string, stored: number, asked: number | undefined): void {
    if (asked === undefined || asked === stored) return
    throw new HeadgateError(
      'HG_OPTION_INVALID',
      `Topic '${name}' has ${stored} partitions and ${asked} were asked for: keys would move to other partitions. Ask for ${stored}, or use another topic`,
    )
  }
}
