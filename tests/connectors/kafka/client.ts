/**
 * What tests do to a cluster beside the source: make and delete topics, append records, look at what a group has
 * stored. Suites make one for their broker. Invariant: it has connections of its own, which `close` ends.
 */
import { Admin, Connection, consumerGroupDescribeV0, createAPI, type Reader } from '@platformatic/kafka'
import { z } from 'zod'
import { encodeRecordBatch } from '../../../src/connectors/kafka/batch/encode.ts'
import type { CommittedPartition } from '../../../src/connectors/kafka/wire/calls.ts'
import { Cluster, GROUP } from '../../../src/connectors/kafka/wire/cluster.ts'
import { connectionShape } from '../../../src/connectors/kafka/wire/options.ts'
import { SILENT_LOGGER } from '../../../src/model/logger.ts'
import { NO_HEADERS } from '../../../src/model/record.ts'
import { checked } from '../../../src/model/schema-check.ts'

export interface Appendable {
  readonly key?: string | null
  readonly value: string | null
  readonly timestampMs?: number
}

const PLAIN = {
  compression: 'none',
  producerId: -1n,
  producerEpoch: -1,
  baseSequence: -1,
  transactional: false,
} as const

/** How long brokers may take to be what they were made to be, on a machine that has other things to do. */
const PATIENCE_MS = 60_000

let topics = 0

/** ConsumerGroupDescribe, version 0; the library's own reading of the answer takes the list of topics for one name. */
const describeMembers = createAPI<[string[], boolean], string[]>(
  69,
  0,
  consumerGroupDescribeV0.createRequest,
  (_correlationId, _key, _version, reader) => {
    reader.readInt32()
    return reader.readArray(readGroup).flat()
  },
)

function readGroup(reader: Reader): string[] {
  reader.readInt16()
  reader.readNullableString()
  reader.readString()
  reader.readString()
  reader.readInt32()
  reader.readInt32()
  reader.readString()
  const members = reader.readArray(readMember)
  reader.readInt32()
  return members
}

function readMember(reader: Reader): string {
  const memberId = reader.readString()
  reader.readNullableString()
  reader.readNullableString()
  reader.readInt32()
  reader.readString()
  reader.readString()
  reader.readArray(() => reader.readString(), true, false)
  reader.readNullableString()
  for (let assignments = 0; assignments < 2; assignments += 1) {
    reader.readArray(() => {
      reader.readUUID()
      reader.readString()
      reader.readArray(() => reader.readInt32(), true, false)
    })
    reader.readTaggedFields()
  }
  return memberId
}

export class Client {
  readonly cluster: Cluster
  readonly #admin: Admin

  private constructor(cluster: Cluster, admin: Admin) {
    this.cluster = cluster
    this.#admin = admin
  }

  static async connect(brokers: readonly string[]): Promise<Client> {
    const settings = checked('test', z.strictObject(connectionShape), { brokers, clientId: 'test' })
    const cluster = await Cluster.connect(settings, SILENT_LOGGER, new AbortController().signal)
    return new Client(cluster, new Admin({ clientId: 'test', bootstrapBrokers: [...brokers], retries: 10 }))
  }

  /** A topic with a name of its own, which is ready when this resolves. */
  async topic(
    partitions: number,
    { replicas = 1, prefix = 'topic', configs = {} as Record<string, string> } = {},
  ): Promise<string> {
    topics += 1
    const name = `${prefix}-${process.pid}-${topics}`
    await this.create(name, partitions, replicas, configs)
    return name
  }

  async create(name: string, partitions: number, replicas = 1, configs: Record<string, string> = {}): Promise<void> {
    await this.#admin.createTopics({
      topics: [name],
      partitions,
      replicas,
      configs: Object.entries(configs).map(([key, value]) => ({ name: key, value })),
    })
    this.cluster.watch([name])
    await this.#until(() => this.#leaders(name).filter(({ nodeId }) => nodeId >= 0).length === partitions)
  }

  async grow(name: string, partitions: number): Promise<void> {
    const more = partitions - this.#leaders(name).length
    const [first] = this.#leaders(name)
    const assignments = Array.from({ length: more }, () => ({ brokerIds: [first?.nodeId ?? 1] }))
    await this.#admin.createPartitions({ topics: [{ name, count: partitions, assignments }] })
    await this.#until(() => this.#leaders(name).filter(({ nodeId }) => nodeId >= 0).length === partitions)
  }

  async delete(name: string): Promise<void> {
    await this.#admin.deleteTopics({ topics: [name] })
    await this.#until(() => this.cluster.topics.get(name) === undefined)
  }

  async trim(topic: string, partition: number, beforeOffset: number): Promise<void> {
    const records = [{ name: topic, partitions: [{ partition, offset: BigInt(beforeOffset) }] }]
    await this.#admin.deleteRecords({ topics: records })
  }

  /** Appends the records as batches of at most `perBatch`. */
  async append(topic: string, partition: number, records: readonly Appendable[], perBatch = 100): Promise<void> {
    for (let at = 0; at < records.length; at += perBatch) {
      const part = records.slice(at, at + perBatch).map(({ key, value, timestampMs }) => ({
        key: key === undefined || key === null ? null : Buffer.from(key),
        value: value === null ? null : Buffer.from(value),
        headers: NO_HEADERS,
        timestampMs: timestampMs ?? Date.now(),
      }))
      await this.produce(topic, partition, encodeRecordBatch(part, { codec: this.cluster.codec, ...PLAIN }))
    }
  }

  async produce(topic: string, partition: number, records: Buffer): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      const leader = this.#leaders(topic)[partition]?.nodeId ?? -1
      try {
        const connection = await this.cluster.connection(leader, 'produce')
        const answer = await connection.call('produce', null, -1, 30_000, [
          { name: topic, partitions: [{ index: partition, records }] },
        ])
        const code = answer.topics[0]?.partitions[0]?.errorCode
        if (code === 0) return
        throw new Error(`produce failed with ${code}`)
      } catch (error) {
        if (performance.now() > deadline) throw error
        await new Promise((resolve) => setTimeout(resolve, 100))
        await this.cluster.refresh().catch(() => {})
      }
    }
  }

  /** What the group has stored of a partition; null when nothing. */
  async stored(group: string, topic: string, partition: number): Promise<CommittedPartition | null> {
    const topics = [{ name: topic, partitionIndexes: [partition] }]
    const { groups } = await this.cluster.onCoordinator(
      GROUP,
      group,
      (connection) =>
        connection.call('offsetFetch', [{ groupId: group, memberId: null, memberEpoch: -1, topics }], true),
      (answer) => answer.groups[0]?.errorCode ?? 0,
      10_000,
    )
    const found = groups[0]?.topics[0]?.partitions[0]
    return found === undefined || found.committedOffset < 0n ? null : found
  }

  /** Stores progress as another program would, while the group has no member. */
  async store(group: string, topic: string, partition: number, offset: number, metadata: string): Promise<void> {
    const entry = {
      partitionIndex: partition,
      committedOffset: BigInt(offset),
      committedLeaderEpoch: -1,
      committedMetadata: metadata,
    }
    const answer = await this.cluster.onCoordinator(
      GROUP,
      group,
      (connection) => connection.call('offsetCommit', group, -1, '', null, [{ name: topic, partitions: [entry] }]),
      ({ topics: answered }) => answered[0]?.partitions[0]?.errorCode ?? 0,
      10_000,
    )
    const code = answer.topics[0]?.partitions[0]?.errorCode
    if (code !== 0) throw new Error(`the commit failed with ${code}`)
  }

  /** Ids of the members of a KIP-848 group. */
  async members(group: string): Promise<string[]> {
    const nodeId = await this.cluster.coordinator(GROUP, group)
    const { address } = await this.cluster.connection(nodeId, 'coordinator')
    const [host, port] = address.split(':') as [string, string]
    const connection = new Connection('test')
    await connection.connect(host, Number(port))
    try {
      return await describeMembers.async(connection, [group], false)
    } finally {
      await connection.close()
    }
  }

  async close(): Promise<void> {
    this.cluster.close()
    await this.#admin.close()
  }

  #leaders(name: string): readonly { readonly nodeId: number }[] {
    return this.cluster.topics.get(name)?.leaders ?? []
  }

  async #until(condition: () => boolean): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    for (;;) {
      await this.cluster.refresh().catch(() => {})
      if (condition()) return
      if (performance.now() > deadline) throw new Error('the cluster did not come to agree')
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}
