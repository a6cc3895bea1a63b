/**
 * A member of the group killed with SIGKILL at random moments and replaced, again and again. `HEADGATE_SEED=n` repeats
 * moments and keys, `HEADGATE_LONG=1` kills more often.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { Draw } from '../../../engine/draw.ts'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { Load } from './load.ts'
import { Member } from './members.ts'
import { ADMISSION_RECORDS, type MemberOptions, UNCOMMITTED_RECORDS } from './setup.ts'
import { Stored } from './stored.ts'
import { Timeline, type Verdict } from './timeline.ts'

const LONG = process.env['HEADGATE_LONG'] === '1'
const SEED = Number(process.env['HEADGATE_SEED'] ?? Date.now() % 1_000_000)
const PARTITIONS = 4
/** How far the producer keeps ahead of the calls, so that each kill finds a member at work. */
const AHEAD_RECORDS = 800
const LONGEST_ROUND_MS = 700
/** Every so many rounds the kill hits a member that is starting. */
const STARTING_EVERY = 5

interface Kind {
  readonly name: string
  readonly rounds: number
  readonly options: Partial<MemberOptions>
}

/** 100 kills in the long form. A static member is replaced at once, of any other the session has to run out. */
const KINDS: Kind[] = [
  { name: 'static member', rounds: LONG ? 60 : 3, options: { groupInstanceId: 'one', sessionTimeoutMs: 10_000 } },
  { name: 'classic group', rounds: LONG ? 25 : 2, options: { sessionTimeoutMs: 1_500 } },
  { name: 'KIP-848 group', rounds: LONG ? 15 : 1, options: { groupProtocol: 'consumer' } },
]

describeKafka('killed again and again, a member loses nothing and keeps the order of each key', () => {
  let kafka: Kafka

  beforeAll(async () => {
    kafka = await startKafka({ settings: { 'group.consumer.session.timeout.ms': '1500' } })
  })

  afterAll(() => kafka?.stop())

  it.each(KINDS)(
    'Promises 1, 3, 5, 9, 10: $name, $rounds kills',
    async ({ name, rounds, options }) => {
      const topic = `kill-${name.replaceAll(' ', '-')}`
      const { brokers } = kafka
      const load = await Load.into(brokers, { topic, partitions: PARTITIONS, seed: SEED })
      const stored = new Stored(brokers, topic)
      const timeline = new Timeline(PARTITIONS)
      const draw = new Draw(SEED, name)
      const verdicts: Verdict[] = []
      const judge = async (member: Member, round: string): Promise<void> => {
        // In this order: what is committed has been told before, and what is told has been stored before.
        const commits = await stored.commits()
        const told = member.take()
        const records = await stored.records()
        try {
          verdicts.push(timeline.judge({ ...told, stored: records, commits }, { alone: true }))
        } catch (cause) {
          throw new Error(`HEADGATE_SEED=${SEED}, ${name}, ${round}: ${(cause as Error).message}`, { cause })
        }
      }
      // The next one loads while the present one works.
      const prepare = (): Member => new Member({ brokers, topic, onDemand: true, ...options })
      let next = prepare()
      let calledBefore = 0
      let atWork: Member | null = null
      load.start(() => load.stored - calledBefore - (atWork?.called.length ?? 0) < AHEAD_RECORDS)

      for (let round = 1; round <= rounds; round += 1) {
        const member = next
        await member.until('it was loaded', (lines) => lines.some((line) => 'loaded' in line))
        next = prepare()
        member.go()
        atWork = member
        if (round % STARTING_EVERY === 0) await sleep(draw.int(0, 300))
        else {
          await member.atWork()
          await sleep(draw.int(0, LONGEST_ROUND_MS))
        }
        await member.kill()
        await judge(member, `round ${round}`)
        atWork = null
        calledBefore = timeline.totals.started
      }
      await load.stop()
      next.go()
      await next.atWork()
      do {
        await sleep(200)
        await judge(next, 'the last run')
      } while (timeline.left > 0)
      await next.drain()
      await judge(next, 'the last run')
      load.close()
      timeline.finish()

      const killed = verdicts.slice(0, rounds)
      const { started, redone, commits } = timeline.totals
      console.info(
        `HEADGATE_SEED=${SEED}, ${name}: ${rounds} kills, ${killed.filter((each) => each.started > 0).length} of them at ` +
          `work; ${load.stored} records, ${started} calls, ${redone} of them again, ${commits} commits of partitions`,
      )
      for (const { redone, open } of verdicts) {
        expect(redone).toBeLessThanOrEqual(ADMISSION_RECORDS + PARTITIONS * UNCOMMITTED_RECORDS)
        expect(open).toBeLessThanOrEqual(PARTITIONS * UNCOMMITTED_RECORDS)
      }
      expect(killed.filter((each) => each.started > 0).length).toBeGreaterThan(0)
    },
    90_000 + (LONG ? 100 * 10_000 : 0),
  )
})
