/** A member that is stopped for longer than its session, and wakes up when others have gone on without it. */
import { afterAll, beforeAll, it } from 'vitest'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { Trial } from './trial.ts'

const PARTITIONS = 4

describeKafka('a member that is frozen beyond its session', () => {
  let kafka: Kafka

  beforeAll(async () => {
    kafka = await startKafka({ settings: { 'group.consumer.session.timeout.ms': '2000' } })
  })

  afterAll(() => kafka?.stop())

  it.each([{ groupProtocol: 'classic' }, { groupProtocol: 'consumer' }] as const)(
    'Promises 3, 4, 5: wakes up fenced and joins again, $groupProtocol',
    { timeout: 240_000 },
    async ({ groupProtocol }) => {
      const name = `frozen-${groupProtocol}`
      const member = { groupProtocol, sessionTimeoutMs: 2_000 }
      const trial = await Trial.begin({ name, brokers: kafka.brokers, partitions: PARTITIONS, alone: false, member })
      const [frozen, other] = [trial.join(), trial.join()]
      await Promise.all([frozen.atWork(50), other.atWork(50)])
      frozen.signal('SIGSTOP')
      // The session of the frozen one is over once the other one calls records of all partitions.
      const before = other.called.length
      await other.until('it had all partitions', () => {
        return new Set(other.called.slice(before).map(([, partition]) => partition)).size === PARTITIONS
      })
      const stoppedCalls = frozen.called.length
      frozen.signal('SIGCONT')
      await frozen.atWork(stoppedCalls + 50)
      await trial.progress()
      await trial.finish()
      console.info(`${groupProtocol}: ${trial.summary()}`)
    },
  )
})
