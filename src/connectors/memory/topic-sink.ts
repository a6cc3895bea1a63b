/**
 * Appends what it is handed to a memory topic, so that one pipeline can feed another. A write is stored whole.
 */
import type { Sink, SinkBatch, SinkCapabilities, WriteResult } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { OptionCheck } from '../../model/option.ts'
import type { RecordInfo } from '../../model/record.ts'
import type { TopicLog } from './topic-log.ts'

export interface TopicSinkOptions<V = unknown> {
  /** Default: the topic's name. */
  readonly name?: string
  /** The key of the new record; default: the key of the record it came from. */
  readonly key?: (value: V, origin: RecordInfo) => string | null
}

export class TopicSink<V> implements Sink<V> {
  readonly name: string
  readonly capabilities: SinkCapabilities = {
    maxBatchRecords: 10_000,
    maxInFlightWrites: 16,
    idempotent: false,
    atomic: true,
  }
  readonly #topic: TopicLog<V>
  readonly #key: (value: V, origin: RecordInfo) => string | null
  #open = false

  constructor(topic: TopicLog<V>, options: TopicSinkOptions<V>) {
    const check = new OptionCheck('topic.sink', options, { name: true, key: true })
    check.texts('name')
    check.functions('key')
    this.name = options.name ?? topic.name
    this.#topic = topic
    this.#key = options.key ?? ((_value, origin) => origin.key)
  }

  async open(): Promise<void> {
    this.#topic.assertConnected()
    this.#open = true
  }

  async write(batch: SinkBatch<V>, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted()
    if (!this.#open) throw new HeadgateError('HG_INVARIANT', `sink ${this.name} is not open`)
    this.#topic.assertConnected()
    this.#topic.append(
      batch.values.map((value, at) => ({ value, key: this.#key(value, batch.origins[at] as RecordInfo) })),
    )
    return 'written'
  }

  async close(): Promise<void> {
    this.#open = false
  }
}
