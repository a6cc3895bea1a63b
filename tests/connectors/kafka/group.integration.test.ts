import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { HeadgateError, pipeline, type Running, type Sink, type SourceGroup } from 'headgate'
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { decodeMetadata } from '../../../src/connectors/kafka/commit/metadata.ts'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { Client } from './client.ts'
import { Conductor } from './conductor.ts'
import { Reader } from './reader.ts'

const SESSION_MS = 6_000
const PROTOCOLS = ['classic', 'consumer'] as const
const KINDS = [
  ['classic, cooperative', { groupProtocol: 'classic' }],
  ['classic, eager', { groupProtocol: 'classic', assignors: ['range'] }],
  ['KIP-848', { groupProtocol: 'consumer' }],
] as const

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

let groups = 0
const newGroup = (): string => `group-${process.pid}-${(groups += 1)}`

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 90_000
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await sleep(20)
  }
}

const nowhere: Sink<unknown> = {
  name: 'nowhere',
  capabilities: { maxBatchRecords: 1_000, maxInFlightWrites: 4, idempotent: true, atomic: true },
  open: async () => {},
  write: async () => 'written',
  close: async () => {},
}

/** What every handler of every member was called with, in order of its start. */
class Seen {
  readonly starts: { key: string; number: number; member: string }[] = []
  readonly done = new Map<number, number>()
}

describeKafka('groups of Kafka', () => {
  let broker: Kafka
  let client: Client
  const ends: (() => Promise<unknown>)[] = []

  beforeAll(async () => {
    broker = await startKafka()
    client = await Client.connect(broker.brokers)
  })
  afterEach(async () => {
    for (const end of ends.splice(0).reverse()) await end()
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  const common = (): Omit<KafkaSourceOptions, 'group' | 'topics'> => ({
    brokers: broker.brokers,
    sessionTimeoutMs: SESSION_MS,
    heartbeatIntervalMs: 200,
    rebalanceTimeoutMs: 20_000,
    metadataIntervalMs: 1_000,
  })

  async function reader(options: Partial<KafkaSourceOptions> & { topics: string; group: string }): Promise<Reader> {
    const made = await Reader.open({ ...common(), ...options })
    ends.push(() => made.close())
    return made
  }

  it.each(['classic', 'consumer'] as const)(
    'a group of protocol %s tells how many share it, and among how many it can be shared',
    async (groupProtocol) => {
      const [topic, group] = [await client.topic(3), newGroup()]
      const one = await reader({ topics: topic, group, groupProtocol })
      // It may reject, while the coordinator still loads the group say.
      const sizeOf = (): Promise<SourceGroup | null> =>
        one.source.group!(new AbortController().signal).catch(() => null)
      await until(async () => (await sizeOf())?.members === 1, 'a group of one')
      const other = await reader({ topics: topic, group, groupProtocol })
      await until(async () => {
        await one.pull()
        return (await sizeOf())?.members === 2
      }, 'a group of two')
      expect((await sizeOf())?.mostMembers).toBe(3)
      await other.close()
      await until(async () => {
        await one.pull()
        return (await sizeOf())?.members === 1
      }, 'a group of one again')
    },
  )

  async function member(
    name: string,
    options: Partial<KafkaSourceOptions> & { topics: string; group: string },
    seen: Seen,
    work: (number: number) => Promise<void>,
  ): Promise<Running> {
    const running = await pipeline(name, { commit: { intervalMs: 100 } })
      .from(kafka.source({ ...common(), ...options }))
      .call(
        'work',
        async (value, { record }) => {
          const number = Number(Buffer.from(value as Uint8Array).toString())
          seen.starts.push({ key: record.key ?? '', number, member: name })
          await work(number)
          seen.done.set(number, (seen.done.get(number) ?? 0) + 1)
          return number
        },
        { order: 'key', concurrency: 50 },
      )
      .to(nowhere)
      .start()
    ends.push(() => running.drain({ withinMs: 10_000 }))
    return running
  }

  /** Numbers count up within each of 20 keys, which stay in their partition; `from`: how many there are already. */
  async function fill(topic: string, partitions: number, count: number, from = 0): Promise<void> {
    for (let partition = 0; partition < partitions; partition += 1) {
      const records = Array.from({ length: count }, (_, at) => ({
        key: `${partition}-${(from + at) % 20}`,
        value: `${partition * 1_000_000 + from + at}`,
      }))
      await client.append(topic, partition, records, 50)
    }
  }

  it.each(KINDS)(
    'drain when members come and go, with nothing lost, repeated or out of order: %s',
    async (_name, kind) => {
      const topic = await client.topic(4)
      const group = newGroup()
      // For some seconds of work, and more when the second member has to wait longer for its part.
      const portion = 2_000
      let perPartition = portion
      await fill(topic, 4, portion)
      const seen = new Seen()
      const work = (): Promise<void> => sleep(30)
      const options = { topics: topic, group, ...kind }
      await member('first', options, seen, work)
      await until(() => seen.done.size > 50, 'the first results')
      const second = await member('second', options, seen, work)
      await until(async () => {
        if (seen.done.size > 4 * perPartition - 2 * portion) {
          await fill(topic, 4, portion, perPartition)
          perPartition += portion
        }
        return seen.starts.some((start) => start.member === 'second')
      }, 'work for the second member')
      await second.drain()
      await until(() => seen.done.size === 4 * perPartition, 'all results')
      expect([...seen.done.values()].filter((times) => times > 1)).toEqual([])
      const last = new Map<string, number>()
      for (const { key, number } of seen.starts) {
        expect(number, `after ${last.get(key)} of key ${key}`).toBeGreaterThan(last.get(key) ?? -1)
        last.set(key, number)
      }
    },
  )

  it.each(PROTOCOLS)('lose no assignment while a handler takes longer than the session: %s', async (groupProtocol) => {
    const topic = await client.topic(2)
    const group = newGroup()
    await fill(topic, 2, 5)
    const seen = new Seen()
    const running = await member('slow', { topics: topic, group, groupProtocol }, seen, () => sleep(SESSION_MS * 1.5))
    await until(() => seen.done.size === 10, 'all results')
    expect([...seen.done.values()]).toEqual(Array.from({ length: 10 }, () => 1))
    await running.drain()
    expect(Number((await client.stored(group, topic, 1))?.committedOffset)).toBe(5)
  })

  it('commit the contiguous prefix, not the highest record seen, and repeat no more after a crash (parallel-consumer#826)', async () => {
    const topic = await client.topic(1)
    const group = newGroup()
    await client.append(
      topic,
      0,
      Array.from({ length: 50 }, (_, at) => ({ key: `${at}`, value: `${at}` })),
    )
    const seen = new Seen()
    let stuck: () => void = () => {}
    const blocked = new Promise<void>((resolve) => {
      stuck = resolve
    })
    const running = await member('crashes', { topics: topic, group }, seen, (number) =>
      number === 3 ? blocked : sleep(1),
    )
    await until(async () => {
      const stored = await client.stored(group, topic, 0)
      return seen.done.size === 49 && (decodeMetadata(stored?.metadata ?? null).doneAhead?.length ?? 0) > 0
    }, 'the commit of what was done ahead')
    expect(Number((await client.stored(group, topic, 0))?.committedOffset)).toBe(3)
    await running.drain({ withinMs: 0 })
    stuck()
    const after = new Seen()
    await member('restarted', { topics: topic, group }, after, () => sleep(1))
    await until(() => after.done.has(3), 'the record that was stuck')
    await client.append(topic, 0, [{ key: 'next', value: '50' }])
    await until(() => after.done.has(50), 'the record after all')
    expect([...after.done.keys()].sort((a, b) => a - b)).toEqual([3, 50])
  })

  it('start clean with a partition that comes back (platformatic/kafka#223)', async () => {
    const topic = await client.topic(2)
    const group = newGroup()
    await fill(topic, 2, 30)
    const conductor = new Conductor(client, group, topic, 2)
    await conductor.start()
    ends.push(() => conductor.stop())
    const back = await reader({ topics: topic, group })
    const name = `${topic}/0`
    await back.assigned(name, `${topic}/1`)
    const first = await back.read(10, 5)
    const before = back.assignments.get(name)
    back.letGo = () => back.commit(name, 2)
    await conductor.withhold([0])
    expect(back.revoked).toEqual([name])
    back.letGo = async () => {}
    const others = 30 - first.filter(({ partition }) => partition !== name).length
    const rest = await back.read(others)
    expect(rest.filter(({ partition }) => partition === name)).toEqual([])
    conductor.give([0])
    await back.assigned(name)
    const after = back.assignments.get(name)
    expect(after?.epoch).toBeGreaterThan(before?.epoch ?? 0)
    expect(after?.nextOffset).toBe(2)
    const again = (await back.read(28)).filter(({ partition }) => partition === name)
    expect(again[0]?.offset).toBe(2)
  })

  it('go on with a partition that was taken away and came back while its records failed (parallel-consumer#857)', async () => {
    const topic = await client.topic(2)
    const group = newGroup()
    const rounds = 4
    const perRound = 60
    const conductor = new Conductor(client, group, topic, 2)
    await conductor.start()
    ends.push(() => conductor.stop())
    const seen = new Seen()
    // What is to be tried again waits whenever the partition goes.
    const failed = new Set<number>()
    const perFailure = 10
    const running = await member('churning', { topics: topic, group }, seen, async (number) => {
      await sleep(5)
      if (number % perFailure !== 0 || failed.has(number)) return
      failed.add(number)
      throw new Error('not yet')
    })
    for (let round = 1; round <= rounds; round += 1) {
      await fill(topic, 2, perRound, (round - 1) * perRound)
      await until(() => failed.size > ((round - 1) * 2 * perRound) / perFailure, 'the first failures of a round')
      await conductor.withhold([0])
      conductor.give([0])
    }
    await until(() => seen.done.size === 2 * rounds * perRound || running.status().state !== 'running', 'all results')
    expect([running.status().error?.message, seen.done.size]).toEqual([undefined, 2 * rounds * perRound])
    for (let partition = 0; partition < 2; partition += 1) {
      const offset = async (): Promise<number> =>
        Number((await client.stored(group, topic, partition))?.committedOffset)
      await until(
        async () => (await offset()) === rounds * perRound,
        `the end of partition ${partition} to be committed`,
      )
    }
  })

  it('leave a partition paused through a rebalance (reactor-kafka#237)', async () => {
    const topic = await client.topic(3)
    const group = newGroup()
    await fill(topic, 3, 40)
    const conductor = new Conductor(client, group, topic, 3)
    await conductor.start()
    ends.push(() => conductor.stop())
    const pausing = await reader({ topics: topic, group })
    const quiet = `${topic}/2`
    await pausing.assigned(quiet, `${topic}/0`, `${topic}/1`)
    const pulled = async (): Promise<number> => {
      const records = await pausing.pull(10, [quiet])
      expect(records.filter(({ partition }) => partition === quiet)).toEqual([])
      return records.length
    }
    await until(async () => (await pulled()) > 0, 'records of the others')
    const moving = conductor.withhold([0])
    await Promise.all([moving, until(async () => (await pulled()) >= 0 && pausing.revoked.length > 0, 'a rebalance')])
    for (let turn = 0; turn < 10; turn += 1) await pulled()
    conductor.give([0])
    await pausing.until(async () => (await pulled()) >= 0 && pausing.assignments.has(`${topic}/0`), 'another rebalance')
    for (let turn = 0; turn < 10; turn += 1) await pulled()
    expect(pausing.revoked).not.toContain(quiet)
  })

  it('pass over what transactions leave in the log, and commit behind it (parallel-consumer#329)', async () => {
    const topic = await client.topic(1)
    const group = newGroup()
    const { codec } = client.cluster
    const { encodeRecordBatch } = await import('../../../src/connectors/kafka/batch/encode.ts')
    const id = `transactions-${group}`
    const nodeId = await client.cluster.coordinator(1, id).catch(async () => {
      await until(
        () =>
          client.cluster.coordinator(1, id).then(
            () => true,
            () => false,
          ),
        'a transaction coordinator',
      )
      return client.cluster.coordinator(1, id)
    })
    const connection = await client.cluster.connection(nodeId, 'coordinator')
    let producer = { producerId: -1n, producerEpoch: -1, errorCode: 14 }
    await until(async () => {
      producer = await connection.call('initProducerId', id, 60_000, -1n, -1)
      return producer.errorCode === 0
    }, 'a producer id')
    const { producerId, producerEpoch } = producer
    let baseSequence = 0
    for (let round = 0; round < 6; round += 1) {
      const topics = [{ name: topic, partitions: [0] }]
      await until(async () => {
        const transaction = { transactionalId: id, producerId, producerEpoch, verifyOnly: false, topics } as const
        const answer = await connection.call('addPartitionsToTxn', [transaction])
        return answer.resultsByTransaction[0]?.topicResults[0]?.resultsByPartition[0]?.partitionErrorCode === 0
      }, 'the partition to take part')
      const records = [0, 1, 2].map((at) => ({
        key: null,
        value: `${round}-${at}`,
        headers: {},
        timestampMs: 1_000 + round,
      }))
      const options = {
        codec,
        compression: 'none',
        producerId,
        producerEpoch,
        baseSequence,
        transactional: true,
      } as const
      const leader = await client.cluster.connection(
        client.cluster.topics.get(topic)?.leaders[0]?.nodeId ?? -1,
        'produce',
      )
      await leader.call('produce', id, -1, 30_000, [
        { name: topic, partitions: [{ index: 0, records: encodeRecordBatch(records, options) }] },
      ])
      baseSequence += 3
      expect((await connection.call('endTxn', id, producerId, producerEpoch, round % 2 === 0)).errorCode).toBe(0)
    }
    const passing = await reader({ topics: topic, group })
    const read = await passing.read(9)
    expect(read.map(({ value }) => Buffer.from(value as Uint8Array).toString())).toEqual(
      [0, 2, 4].flatMap((round) => [0, 1, 2].map((at) => `${round}-${at}`)),
    )
    await passing.commit(`${topic}/0`, (read.at(-1)?.offset ?? 0) + 1)
    await passing.until(async () => {
      await passing.pull()
      const [backlog] = await passing.source.backlog(new AbortController().signal)
      return backlog?.records === 0
    }, 'the backlog to be empty behind the last marker')
    const uncommitted = await reader({ topics: topic, group: newGroup(), isolation: 'uncommitted' })
    expect(await uncommitted.read(18)).toHaveLength(18)
  })

  it.each(PROTOCOLS)(
    'let a static member come back to its partitions without a rebalance: %s',
    async (groupProtocol) => {
      const topic = await client.topic(2)
      const group = newGroup()
      const steady = await reader({ topics: topic, group, groupProtocol, groupInstanceId: 'steady' })
      const restarting = await reader({ topics: topic, group, groupProtocol, groupInstanceId: 'restarting' })
      const owns = (each: Reader): boolean => each.assignments.size === 1
      await steady.until(async () => {
        await Promise.all([steady.pull(), restarting.pull()])
        return owns(steady) && owns(restarting)
      }, 'one partition each')
      const [mine] = restarting.assignments.keys()
      const revoked = steady.revoked.length
      await restarting.close()
      const again = await reader({ topics: topic, group, groupProtocol, groupInstanceId: 'restarting' })
      await again.assigned(mine as string)
      await steady.pull()
      expect(steady.revoked).toHaveLength(revoked)
      expect(steady.lost).toEqual([])
    },
  )

  it.each(PROTOCOLS)('fence a process that was stopped beyond its session: %s', async (groupProtocol) => {
    const topic = await client.topic(1)
    const group = newGroup()
    await fill(topic, 1, 2_000)
    const options = { ...common(), topics: topic, group, groupProtocol }
    const path = fileURLToPath(new URL('./children/sleeper.ts', import.meta.url))
    const child = spawn(process.execPath, ['--import', 'tsx', path, JSON.stringify(options)], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    ends.push(async () => child.kill('SIGKILL'))
    const lines: Record<string, unknown>[] = []
    createInterface({ input: child.stdout }).on('line', (line) =>
      lines.push(JSON.parse(line) as Record<string, unknown>),
    )
    await until(() => lines.some((line) => 'pulled' in line), 'records in the child')
    child.kill('SIGSTOP')
    const taking = await reader(options)
    await until(async () => (await taking.pull(10)).length > 0, 'the partition to be taken over')
    await taking.commit(`${topic}/0`, 10)
    const before = lines.length
    child.kill('SIGCONT')
    await until(() => lines.slice(before).some((line) => 'lost' in line), 'the child to notice')
    const since = lines.slice(before)
    // One pull may have been on its way out when the process was stopped.
    const early = since
      .slice(
        0,
        since.findIndex((line) => 'lost' in line),
      )
      .filter((line) => 'pulled' in line)
    expect(early.length).toBeLessThanOrEqual(1)
    child.stdin.write('commit\n')
    await until(() => lines.some((line) => 'refused' in line || 'committed' in line), 'an answer to the late commit')
    expect(lines.find((line) => 'refused' in line)).toEqual({ refused: 'HG_FENCED' })
    expect(Number((await client.stored(group, topic, 0))?.committedOffset)).toBeGreaterThanOrEqual(10)
  })

  it('say that another kind of member is in the group', async () => {
    const topic = await client.topic(1)
    const group = newGroup()
    const ours = await reader({ topics: topic, group })
    await ours.assigned(`${topic}/0`)
    const others = await reader({ topics: topic, group, assignors: ['range'] })
    const failure = await others.failure()
    expect(failure).toBeInstanceOf(HeadgateError)
    expect(failure.code).toBe('HG_OPTION_INVALID')
    expect(failure.message).toContain('assignors')
  })
})
