/** The only broker killed with SIGKILL while a member works and records are written; `HEADGATE_LONG=1` does it 20 times. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, it } from 'vitest'
import { Draw } from '../../../engine/draw.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { LONG, SEED, Trial } from './trial.ts'

const ROUNDS = LONG ? 20 : 2

describeKafka('while its broker is killed again and again', () => {
  let kafka: Kafka

  beforeAll(async () => {
    kafka = await startKafka()
  })

  afterAll(() => kafka?.stop())

  it(`Promises 1, 3, 5, 9, 17: a member loses nothing and goes on each time, ${ROUNDS} kills`, {
    timeout: 120_000 + ROUNDS * 60_000,
  }, async () => {
    const trial = await Trial.begin({ name: 'broker-kill', brokers: kafka.brokers, partitions: 4, alone: true })
    const draw = new Draw(SEED, 'moments')
    const node = kafka.nodes[0]!
    trial.join({ requestTimeoutMs: 3_000 })
    for (let round = 1; round <= ROUNDS; round += 1) {
      await trial.progress()
      await sleep(draw.int(0, 500))
      await node.kill()
      await sleep(draw.int(0, 2_000))
      await node.start()
      await node.ready()
    }
    await trial.progress()
    await trial.finish()
    console.info(`${ROUNDS} kills of the broker; ${trial.summary()}`)
  })
})
