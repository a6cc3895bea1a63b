/**
 * A sink that writes to topics of Kafka, for results and for dead letters; by itself or within the transactions of an
 * exactly-once pipeline. Invariant: `'written'` is said only after the brokers have it as `acks` asks; a write has an
 * outcome for each record, and what is at fault in one holds up no other.
 */
import type {
  Sink,
  SinkBatch,
  SinkCapabilities,
  SinkContext,
  TransactionalSink,
  Transactions,
  WriteResult,
} from '../../../model/connector.ts'
import { HeadgateError, reject } from '../../../model/errors.ts'
import { Cluster } from '../wire/cluster.ts'
import { brokerError, NONE, remedyOf, UNKNOWN_TOPIC_OR_PARTITION } from '../wire/errors.ts'
import { backoffMs, sleep } from '../wire/wait.ts'
import { Drafts } from './drafts.ts'
import { type KafkaSinkOptions, type SinkSettings, shownSinkOptions, sinkSettings } from './option.ts'
import { Producer } from './producer.ts'
import { KafkaTransactions } from './transactions.ts'

/** A topic that was just made takes a moment to be known to all brokers. */
const LOOK_FOR_TOPIC_TIMES = 4

/** Writes to topics. Throws `HG_OPTION_INVALID` at once when an option is wrong. */
export function sink<T = unknown>(options: KafkaSinkOptions<T>): Sink<T> {
  return new KafkaSink<T>(sinkSettings(options))
}

interface Opened {
  readonly cluster: Cluster
  readonly producer: Producer
  /** Looks up leaders although nothing failed. */
  readonly looking: NodeJS.Timeout
}

class KafkaSink<T> implements Sink<T> {
  readonly name: string
  readonly capabilities: SinkCapabilities
  readonly shownOptions: Sink<T>['shownOptions']
  readonly transactional: TransactionalSink | undefined
  readonly #settings: SinkSettings
  readonly #drafts: Drafts
  #joined: KafkaTransactions | null = null
  #opened: Opened | null = null
  #closing: Promise<void> | null = null

  constructor(settings: SinkSettings) {
    this.#settings = settings
    const { topic, maxBatchRecords, maxInFlightWrites, idempotent } = settings
    this.name = typeof topic === 'string' ? `kafka:${topic}` : 'kafka'
    this.capabilities = { maxBatchRecords, maxInFlightWrites, idempotent: false, atomic: false }
    this.shownOptions = shownSinkOptions(settings)
    this.#drafts = new Drafts(this.name, settings)
    this.transactional = idempotent ? this.#transactional() : undefined
  }

  #transactional(): TransactionalSink {
    const settings = this.#settings
    return {
      scope: `kafka:${[...settings.brokers].sort().join(',')}`,
      transactions: (options) => new KafkaTransactions(options, settings, settings),
      join: (transactions: Transactions) => {
        this.#joined = transactions as KafkaTransactions
        this.#closing = null
      },
    }
  }

  async open(context: SinkContext, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    this.#closing = null
    const own = this.#joined === null
    const { cluster, producer } = await this.#connect(context, signal)
    try {
      const { topic, metadataIntervalMs, compression } = this.#settings
      const refusal = cluster.codec.refusal(compression)
      if (refusal !== null) throw new HeadgateError('HG_OPTION_INVALID', `kafka.sink › compression: ${refusal}`)
      const looking = setInterval(() => void cluster.refresh().catch(() => {}), metadataIntervalMs)
      looking.unref()
      this.#opened = { cluster, producer, looking }
      if (typeof topic === 'string') await this.#partitions(topic)
    } catch (error) {
      clearInterval(this.#opened?.looking)
      this.#opened = null
      if (own) cluster.close()
      const { message } = error as Error
      throw error instanceof HeadgateError && error.code === 'HG_RECORD_REJECTED'
        ? new HeadgateError('HG_OPTION_INVALID', `kafka.sink: ${message}`, { cause: error })
        : error
    }
  }

  async #connect(context: SinkContext, signal: AbortSignal): Promise<{ cluster: Cluster; producer: Producer }> {
    if (this.#joined !== null) return this.#joined.connect(context, signal)
    const cluster = await Cluster.connect(this.#settings, context.log, signal)
    return { cluster, producer: new Producer(cluster, this.#settings) }
  }

  async write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted()
    const { producer } = this.#present()
    const drafts = await this.#drafts.of(batch, (topic) => this.#partitions(topic))
    signal.throwIfAborted()
    return producer.send(drafts, signal)
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const opened = this.#opened
      this.#opened = null
      clearInterval(opened?.looking)
      // Transactions close what is theirs.
      if (this.#joined === null) {
        opened?.producer.close()
        opened?.cluster.close()
      }
      this.#joined = null
    })()
    return this.#closing
  }

  #present(): Opened {
    if (this.#opened === null) throw new HeadgateError('HG_CONNECTION_LOST', `${this.name} is not open`)
    return this.#opened
  }

  /** Rejects with `HG_RECORD_REJECTED` when there is no such topic. */
  async #partitions(topic: string): Promise<number> {
    const { cluster } = this.#present()
    for (let attempt = 0; ; attempt += 1) {
      const known = cluster.topics.get(topic)?.leaders.length ?? 0
      if (known > 0) return known
      cluster.watch([topic])
      if (attempt === LOOK_FOR_TOPIC_TIMES) break
      if (attempt > 0) await sleep(backoffMs(attempt), cluster.signal)
      await cluster.refresh()
    }
    const code = cluster.topics.codeOf(topic)
    if (code !== NONE && code !== UNKNOWN_TOPIC_OR_PARTITION && remedyOf(code) === 'none') {
      throw brokerError(code, `looking up the topic '${topic}'`)
    }
    throw reject(
      `the cluster has no topic '${topic}': create it first (kafka-topics.sh --create --topic ${topic} --partitions …), ` +
        'or correct the name',
    )
  }
}
