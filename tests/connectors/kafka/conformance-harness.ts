/** Harnesses of Kafka's source for the conformance suite, one for each group protocol, over a broker behind a proxy. */
import type { SourceHarness, SourceWorld } from 'headgate/conformance'
import { kafka } from 'headgate/kafka'
import type { Kafka } from '../../fixtures/kafka/broker.ts'
import { Client } from './client.ts'
import { Conductor, Rival } from './conductor.ts'

const SESSION_MS = 6_000

interface World extends SourceWorld {
  readonly conductor: Conductor | null
  readonly rival: Rival | null
}

let groups = 0

function numbers(partitions: readonly string[]): number[] {
  return partitions.map((name) => Number(name.slice(name.lastIndexOf('/') + 1)))
}

/** `broker` is asked for when a case begins. */
export function sourceHarness(broker: () => Kafka, groupProtocol: 'classic' | 'consumer'): SourceHarness<World> {
  const options = { group: 'group', topics: 'topic', brokers: ['localhost:9092'] }
  return {
    capabilities: kafka.source(options).capabilities,
    maxPartitions: 8,
    sessionMs: SESSION_MS,
    patienceMs: 30_000,
    async create({ partitions }) {
      const { brokers } = broker()
      const client = await Client.connect(brokers)
      const topic = await client.topic(partitions)
      groups += 1
      const group = `group-${process.pid}-${groups}`
      const conductor = groupProtocol === 'classic' ? new Conductor(client, group, topic, partitions) : null
      await conductor?.start()
      const rival = groupProtocol === 'consumer' ? new Rival(client, group, topic) : null
      return {
        conductor,
        rival,
        partitions: Array.from({ length: partitions }, (_, index) => `${topic}/${index}`),
        source: () =>
          kafka.source({
            brokers,
            group,
            topics: topic,
            groupProtocol,
            ...(groupProtocol === 'consumer' ? { serverAssignor: 'range' } : {}),
            sessionTimeoutMs: SESSION_MS,
            heartbeatIntervalMs: 200,
            rebalanceTimeoutMs: 20_000,
          }),
        async append(partition, count, bytes = 10) {
          const value = '.'.repeat(bytes)
          const records = Array.from({ length: count }, (_, at) => ({ key: `key-${at}`, value }))
          await client.append(topic, numbers([partition])[0] as number, records, 7)
        },
        async destroy() {
          broker().proxies[0]?.heal()
          await conductor?.stop()
          await rival?.giveBack()
          await client.close()
        },
      }
    },
    async revoke({ conductor, rival }, partitions) {
      await conductor?.withhold(numbers(partitions))
      await rival?.take()
    },
    async lose({ conductor, rival }, partitions) {
      await conductor?.evict(numbers(partitions))
      if (rival === null) return
      // Out of the group, it comes back at its next sign of life; by then the partition has another owner.
      await rival.evict()
      await rival.take()
    },
    async assign({ conductor, rival }, partitions) {
      conductor?.give(numbers(partitions))
      await rival?.giveBack()
    },
    async disconnect() {
      broker().proxies[0]?.refuse()
    },
    async reconnect() {
      broker().proxies[0]?.heal()
    },
  }
}
