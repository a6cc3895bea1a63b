/**
 * Writes numbered records of drawn keys into a topic, whatever happens to the brokers meanwhile. Invariant: each record
 * is stored once, and a key's records in the order of their numbers: batches carry a producer's sequence numbers, and
 * one is sent again until it is stored.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { z } from 'zod'
import { encodeRecordBatch } from '../../../../src/connectors/kafka/batch/encode.ts'
import { Cluster } from '../../../../src/connectors/kafka/wire/cluster.ts'
import { type Connecting, connectionShape } from '../../../../src/connectors/kafka/wire/options.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../../src/model/record.ts'
import { Draw } from '../../../engine/draw.ts'
import type { Work } from './setup.ts'

const DUPLICATE_SEQUENCE_NUMBER = 46
const never = new AbortController().signal

export interface LoadOptions {
  readonly topic: string
  readonly partitions: number
  readonly replicas?: number
  readonly keys?: number
  readonly seed: number
}

export function connecting(brokers: readonly string[]): Connecting {
  return z.strictObject(connectionShape).parse({ brokers, requestTimeoutMs: 5_000, connectTimeoutMs: 2_000 })
}

export class Load {
  readonly #cluster: Cluster
  readonly #options: LoadOptions
  readonly #draw: Draw
  readonly #numbers = new Map<string, number>()
  readonly #sequences: number[]
  #producerId = -1n
  #stopped = false
  #running: Promise<void> = Promise.resolve()
  /** Records stored so far. */
  stored = 0

  private constructor(cluster: Cluster, options: LoadOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#draw = new Draw(options.seed, 'keys')
    this.#sequences = Array.from({ length: options.partitions }, () => 0)
  }

  /** Makes the topic. */
  static async into(brokers: readonly string[], options: LoadOptions): Promise<Load> {
    const { topic, partitions, replicas = 1 } = options
    const admin = new Admin({ clientId: 'load', bootstrapBrokers: [...brokers], retries: 10 })
    await admin.createTopics({ topics: [topic], partitions, replicas })
    await admin.close()
    const cluster = await Cluster.connect(connecting(brokers), SILENT_LOGGER, never)
    cluster.watch([topic])
    return new Load(cluster, options)
  }

  /** Writes until `stop`, so many records a turn, whenever `wanted` says so. */
  start(wanted: () => boolean, recordsATurn = 100): void {
    this.#stopped = false
    this.#running = (async () => {
      while (!this.#stopped) {
        if (wanted()) await this.append(recordsATurn)
        else await sleep(10)
      }
    })()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#running
  }

  close(): void {
    this.#cluster.close()
  }

  /** Resolves when they are stored. */
  async append(records: number): Promise<void> {
    const { partitions, keys = 60 } = this.#options
    const works: Work[][] = Array.from({ length: partitions }, () => [])
    for (let left = records; left > 0; left -= 1) {
      // The smaller of two draws: some keys are busy, most are not.
      const index = Math.min(this.#draw.int(0, keys - 1), this.#draw.int(0, keys - 1))
      const key = `k${index}`
      const number = this.#numbers.get(key) ?? 0
      this.#numbers.set(key, number + 1)
      works[index % partitions]!.push({ key, number })
    }
    await Promise.all(works.map((each, partition) => this.#produce(partition, each)))
    this.stored += records
  }

  async #produce(partition: number, works: readonly Work[]): Promise<void> {
    if (works.length === 0) return
    const timestampMs = Date.now()
    const records = works.map((work) => ({
      key: work.key,
      value: JSON.stringify(work),
      headers: NO_HEADERS,
      timestampMs,
    }))
    for (;;) {
      try {
        if (this.#producerId < 0n) await this.#identify()
        const batch = encodeRecordBatch(records, {
          codec: this.#cluster.codec,
          compression: 'none',
          producerId: this.#producerId,
          producerEpoch: 0,
          baseSequence: this.#sequences[partition]!,
          transactional: false,
        })
        const code = await this.#send(partition, batch)
        if (code === 0 || code === DUPLICATE_SEQUENCE_NUMBER) break
      } catch {
        // Whether it was stored is not known; sent again it is stored once all the same.
      }
      await sleep(100)
      await this.#cluster.refresh().catch(() => {})
    }
    this.#sequences[partition]! += works.length
  }

  async #identify(): Promise<void> {
    const connection = await this.#cluster.any()
    const { errorCode, producerId } = await connection.call('initProducerId', null, 10_000, -1n, -1)
    if (errorCode === 0 && this.#producerId < 0n) this.#producerId = producerId
  }

  async #send(partition: number, records: Buffer): Promise<number> {
    const { topic } = this.#options
    const leader = this.#cluster.topics.get(topic)?.leaders[partition]?.nodeId ?? -1
    const connection = await this.#cluster.connection(leader, 'produce')
    const topics = [{ name: topic, partitions: [{ index: partition, records }] }]
    const answer = await connection.call('produce', null, -1, 5_000, topics)
    return answer.topics[0]!.partitions[0]!.errorCode
  }
}
