/** Three nodes of which one is killed at a time: the leader of partitions, or the group's coordinator. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Cluster, GROUP } from '../../../../src/connectors/kafka/wire/cluster.ts'
import { SILENT_LOGGER } from '../../../../src/model/logger.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { connecting } from './load.ts'
import { LONG, Trial } from './trial.ts'

const ROUNDS = LONG ? 4 : 2
/** Three brokers take their time on a machine that has other things to do. */
const START_MS = 300_000

describeKafka('in a cluster whose nodes die', () => {
  let kafka: Kafka

  beforeAll(async () => {
    kafka = await startKafka({ nodes: 3, settings: { 'min.insync.replicas': '2' } })
  }, START_MS)

  afterAll(() => kafka?.stop())

  it(`Promises 1, 3, 5, 9, 17: a group loses nothing when leaders and coordinators are killed, ${ROUNDS} of each`, {
    timeout: 180_000 + ROUNDS * 120_000,
  }, async () => {
    const trial = await Trial.begin({
      name: 'cluster',
      brokers: kafka.brokers,
      partitions: 6,
      replicas: 3,
      alone: false,
      member: { requestTimeoutMs: 3_000, slowestCallMs: 100 },
    })
    trial.join()
    trial.join()
    const killed: string[] = []
    for (let round = 1; round <= ROUNDS * 2; round += 1) {
      await trial.progress()
      const what = round % 2 === 1 ? 'leader' : 'coordinator'
      const node = kafka.node(await (what === 'leader' ? leader(kafka, 'cluster') : coordinator(kafka)))
      await node.kill()
      killed.push(`${what} ${node.id}`)
      await trial.progress()
      await node.start()
      await node.ready()
    }
    await trial.progress()
    await trial.finish()
    expect(killed).toHaveLength(ROUNDS * 2)
    console.info(`killed in turn: ${killed.join(', ')}; ${trial.summary()}`)
  })
})

async function asked<T>(kafka: Kafka, question: (cluster: Cluster) => Promise<T>): Promise<T> {
  const cluster = await Cluster.connect(connecting(kafka.brokers), SILENT_LOGGER, new AbortController().signal)
  try {
    return await question(cluster)
  } finally {
    cluster.close()
  }
}

function leader(kafka: Kafka, topic: string): Promise<number> {
  return asked(kafka, async (cluster) => {
    cluster.watch([topic])
    await cluster.refresh()
    return cluster.topics.get(topic)!.leaders[0]!.nodeId
  })
}

function coordinator(kafka: Kafka): Promise<number> {
  return asked(kafka, (cluster) => cluster.coordinator(GROUP, 'cluster'))
}
