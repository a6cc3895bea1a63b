import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { Client } from './client.ts'
import { Reader } from './reader.ts'

/** Three brokers take their time on a machine that has other things to do. */
const START_MS = 300_000
const SELECTOR = 'org.apache.kafka.common.replica.RackAwareReplicaSelector'

describeKafka('a source of Kafka that knows its rack', () => {
  let broker: Kafka
  let client: Client
  beforeAll(async () => {
    broker = await startKafka({ nodes: 3, settings: { 'replica.selector.class': SELECTOR } })
    client = await Client.connect(broker.brokers)
  }, START_MS)
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  it('reads the replica in it, and the leader when that replica dies', async () => {
    const topic = await client.topic(1, { replicas: 3 })
    const leader = client.cluster.topics.get(topic)?.leaders[0]?.nodeId ?? -1
    const near = leader === 1 ? 2 : 1
    const value = '.'.repeat(100)
    await client.append(
      topic,
      0,
      Array.from({ length: 300 }, () => ({ value })),
    )
    const reader = await Reader.open({ brokers: broker.brokers, group: 'racks', topics: topic, rackId: `rack-${near}` })
    const first = await reader.read(300, 20)
    const brokers = reader.said.flatMap(({ fields }) => ('broker' in fields ? [fields.broker] : []))
    expect(new Set(brokers)).toEqual(new Set([near]))
    await broker.node(near).kill()
    await client.append(
      topic,
      0,
      Array.from({ length: 50 }, () => ({ value })),
    )
    const rest = await reader.readThrough(50)
    expect([...first, ...rest].map(({ offset }) => offset)).toEqual(Array.from({ length: 350 }, (_, at) => at))
    await reader.close()
  })
})
