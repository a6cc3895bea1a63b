/**
 * Three nodes, and a leader that has not got the last records: the one that was out of sync is elected all the same,
 * because all others are down (unclean.leader.election.enable). The judge is the log as it is in the end: all of it was
 * done, each key in its order, and what is not in it any more was said to be lost, offset by offset.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { Admin } from '@platformatic/kafka'
import { type CallContext, json, pipeline, type Running } from 'headgate'
import { kafka as connector } from 'headgate/kafka'
import { memory } from 'headgate/memory'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import { Client } from '../client.ts'
import type { Work } from './setup.ts'
import { Stored } from './stored.ts'
import { LONG } from './trial.ts'

const TOPIC = 'unclean'
const PARTITIONS = 2
const KEYS = 5
/** Three brokers take their time on a machine that has other things to do. */
const START_MS = 300_000
const PATIENCE_MS = 120_000
/** The leader that will lose its place, the one that will take it; a third keeps the quorum of controllers. */
const [LEADER, BEHIND] = [1, 2]

interface Call extends Work {
  readonly partition: number
  readonly offset: number
}

describeKafka('a leader without the last records', () => {
  let kafka: Kafka
  let client: Client
  const pipelines: Running[] = []
  const numbers = new Map<string, number>()

  beforeAll(async () => {
    if (!LONG) return
    kafka = await startKafka({ nodes: 3, heapMb: 192 })
    client = await Client.connect(kafka.brokers)
    const admin = new Admin({ clientId: 'test', bootstrapBrokers: [...kafka.brokers], retries: 10 })
    const assignments = Array.from({ length: PARTITIONS }, () => [LEADER, BEHIND])
    await admin.createTopics({
      topics: [TOPIC],
      assignments: assignments.map((brokers, partition) => ({ partition, brokers })),
      configs: [
        { name: 'unclean.leader.election.enable', value: 'true' },
        { name: 'min.insync.replicas', value: '1' },
      ],
    })
    await admin.close()
    client.cluster.watch([TOPIC])
  }, START_MS)
  afterEach(async () => {
    for (const running of pipelines.splice(0)) await running.stop()
  })
  afterAll(async () => {
    await client?.close()
    await kafka?.stop()
  })

  /** So many records of each partition, the keys by turns; each partition has keys of its own. */
  async function append(records: number): Promise<void> {
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const works = Array.from({ length: records }, (_, at): Work => {
        const key = `${partition}-${at % KEYS}`
        const number = numbers.get(key) ?? 0
        numbers.set(key, number + 1)
        return { key, number }
      })
      const rows = works.map((work) => ({ key: work.key, value: JSON.stringify(work) }))
      await client.append(TOPIC, partition, rows, 3)
    }
  }

  async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await sleep(50)
    }
  }

  const leads = (node: number) => async (): Promise<boolean> => {
    await client.cluster.refresh().catch(() => {})
    return Boolean(client.cluster.topics.get(TOPIC)?.leaders.every(({ nodeId }) => nodeId === node))
  }

  it.skipIf(!LONG)(
    'Promises 1, 3, 5, 9: costs a group nothing but what is in no log any more, and that is said',
    {
      timeout: START_MS,
    },
    async () => {
      await until('the first leader', leads(LEADER))
      const [started, done, said]: [Call[], Call[], string[]] = [[], [], []]
      const busy = new Set<string>()
      const atOnce: string[] = []
      /** Calls of the second partition's lost records last until the loss is known. */
      let stuckFrom = Number.POSITIVE_INFINITY
      let release = (): void => {}
      const released = new Promise<void>((resolve) => {
        release = resolve
      })
      async function perform(work: Work, { record }: CallContext): Promise<Work> {
        const partition = Number(record.partition.split('/').at(-1))
        const call = { ...work, partition, offset: record.offset }
        if (busy.has(work.key)) atOnce.push(`${work.key} at ${partition}@${record.offset}`)
        busy.add(work.key)
        started.push(call)
        if (partition === 1 && record.offset >= stuckFrom) await released
        else await sleep(work.number % 4)
        done.push(call)
        busy.delete(work.key)
        return work
      }
      const say = (_: object, text: string): void => void said.push(text)
      const running = await pipeline('unclean', { commit: { intervalMs: 50 } })
        .from(
          connector.source({
            brokers: kafka.brokers,
            group: TOPIC,
            topics: TOPIC,
            from: 'earliest',
            decode: json() as (raw: unknown) => Work,
            sessionTimeoutMs: 60_000,
            requestTimeoutMs: 5_000,
            metadataIntervalMs: 1_000,
          }),
        )
        .call('perform', perform, { order: 'key', concurrency: 16 })
        .to(memory.sink())
        .start({ log: { debug: () => {}, info: () => {}, warn: () => {}, error: say } })
      pipelines.push(running)
      const committed = async (partition: number): Promise<number> =>
        Number((await client.stored(TOPIC, TOPIC, partition))?.committedOffset ?? -1)
      const both = (offset: number) => async (): Promise<boolean> =>
        (await committed(0)) === offset && (await committed(1)) === offset

      const [kept, lost, instead] = [40, 25, 70]
      await append(kept)
      await until('both replicas to have the records, and the group too', both(kept))
      await kafka.node(BEHIND).kill()
      stuckFrom = kept
      // Stored once the leader alone counts as in sync.
      await append(lost)
      await until('the first partition to be done', async () => (await committed(0)) === kept + lost)
      await until('calls of what will be lost', () => started.filter(({ partition }) => partition === 1).length > kept)
      await kafka.node(LEADER).kill()
      await kafka.node(BEHIND).start()
      await kafka.node(BEHIND).ready()
      await until('the election of the one that is behind', leads(BEHIND))
      const lostWork = new Map(numbers)
      await append(instead)
      const toldOf = (partition: number): string | undefined =>
        said.find((text) => text.includes(`of ${TOPIC}/${partition}, which the group`))
      await until('the losses to be told', () => toldOf(0) !== undefined && toldOf(1) !== undefined)
      release()
      // Comes back, gives up what the other has not got, and is in sync again.
      await kafka.node(LEADER).start()
      await kafka.node(LEADER).ready()
      await until('the group to be at the end', both(kept + instead))
      await running.drain()

      const stored = new Stored(kafka.brokers, TOPIC)
      const log = await stored.records()
      expect(log).toHaveLength(PARTITIONS * (kept + instead))
      // Nothing is lost that the log has, and what was written in place of what was lost is all of it.
      const isDone = new Set(
        done.map(({ partition, offset, key, number }) => `${partition}@${offset} ${key} ${number}`),
      )
      expect(
        log.filter(({ partition, offset, key, number }) => !isDone.has(`${partition}@${offset} ${key} ${number}`)),
      ).toEqual([])
      const gone = log.filter(({ offset, key, number }) => offset >= kept && number < lostWork.get(key)!)
      expect(gone).toEqual([])
      // Each key in its order, never two calls at once, and nothing of it twice.
      expect(atOnce).toEqual([])
      const [inOrder, asStarted] = [new Map<string, number[]>(), new Map<string, number[]>()]
      for (const [into, calls] of [
        [inOrder, log],
        [asStarted, started],
      ] as const) {
        for (const { key, number } of calls) into.set(key, [...(into.get(key) ?? []), number])
      }
      for (const [key, all] of asStarted) {
        expect(all).toEqual(all.toSorted((one, other) => one - other))
        const inTheLog = new Set(inOrder.get(key))
        expect(all.filter((number) => inTheLog.has(number))).toEqual(inOrder.get(key))
      }
      // What was lost is said, record by record where all of it was read.
      expect(toldOf(0)).toContain(`have lost records ${kept} to ${kept + lost - 1} of ${TOPIC}/0`)
      expect(toldOf(1)).toContain(`have lost records ${kept} to `)
      expect(toldOf(1)).toContain(`going on at ${kept}`)
      expect(said.filter((text) => text.includes('have lost records'))).toHaveLength(PARTITIONS)
      // The group was stored where the logs part, once, and went on from there.
      const commits = await stored.commits()
      const backward = commits.flatMap(({ partition, nextOffset }, index) => {
        const before = commits.slice(0, index).findLast((each) => each.partition === partition)
        return before !== undefined && before.nextOffset > nextOffset ? [[partition, nextOffset]] : []
      })
      expect(backward).toEqual([[0, kept]])
    },
  )
})
