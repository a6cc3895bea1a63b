/** The harness of Kafka's sink for the conformance suite, over a broker behind a proxy. */
import type { SinkHarness, SinkWorld } from 'headgate/conformance'
import { kafka } from 'headgate/kafka'
import type { Kafka } from '../../../fixtures/kafka/broker.ts'
import { Client } from '../client.ts'
import { read } from './flow.ts'

interface World extends SinkWorld {
  refused: readonly number[]
}

/** `broker` is asked for when a case begins. */
export function sinkHarness(broker: () => Kafka): SinkHarness<World> {
  return {
    capabilities: kafka.sink({ brokers: ['localhost:9092'], topic: 'topic' }).capabilities,
    patienceMs: 30_000,
    async create() {
      const { brokers, proxies } = broker()
      const client = await Client.connect(brokers)
      const topic = await client.topic(1, { configs: { 'max.message.bytes': '20000' } })
      const world: World = {
        refused: [],
        sink: () => kafka.sink({ brokers, topic }),
        // Larger than the topic takes.
        value: (index) => ({ index, filler: world.refused.includes(index) ? '.'.repeat(30_000) : '' }),
        async stored() {
          const { inOrder } = await read(brokers, client, topic)
          return inOrder.map((value) => (JSON.parse(value) as { index: number }).index)
        },
        async destroy() {
          proxies[0]?.heal()
          await client.close()
        },
      }
      return world
    },
    async refuse(world, indexes) {
      world.refused = indexes
    },
    async stall() {
      broker().proxies[0]?.spoil('both', { blackhole: true })
    },
  }
}
