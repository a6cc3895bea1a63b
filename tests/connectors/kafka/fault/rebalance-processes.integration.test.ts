/** A group that grows from one process to four and shrinks again while it works, in every way that groups rebalance. */
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import type { Member } from './members.ts'
import { Trial } from './trial.ts'

const KINDS = [
  { name: 'cooperative', member: { assignors: ['cooperative-sticky'] } },
  { name: 'eager', member: { assignors: ['range'] } },
  { name: 'KIP-848', member: { groupProtocol: 'consumer' } },
] as const

describeKafka('while members come and go', () => {
  let kafka: Kafka

  beforeAll(async () => {
    // A member that gets no turn of the processor for some seconds must not be taken for dead: it would repeat something.
    kafka = await startKafka({ settings: { 'group.consumer.session.timeout.ms': '45000' } })
  })

  afterAll(() => kafka?.stop())

  it.each(KINDS)(
    'Promises 1, 3, 5, 9, 13: a $name group loses nothing, and repeats nothing',
    {
      timeout: 300_000,
    },
    async ({ name, member }) => {
      const { brokers } = kafka
      const options = { partitions: 8, keys: 120, alone: false, member: { ...member, slowestCallMs: 30 } }
      const trial = await Trial.begin({ name: `scale-${name}`, brokers, ...options })
      await trial.join().atWork(50)
      const joined: Member[] = []
      for (let more = 0; more < 3; more += 1) joined.push(trial.join())
      await Promise.all(joined.map((each) => each.atWork(50)))
      for (const each of joined) {
        await trial.progress(100)
        await each.drain()
      }
      await trial.progress(100)
      await trial.finish()
      console.info(
        `${name}: 1, 4 and 1 members; the longest pause of the group ${trial.longestPauseMs()} ms; ${trial.summary()}`,
      )
      expect(trial.timeline.totals.redone, 'calls made again although everybody left politely').toBe(0)
    },
  )
})
