/** `headgate dead-letter` as an operator meets it: dead letters that a pipeline left in a log, and in Kafka. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Kafka as KafkaJs, logLevel } from 'kafkajs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Kafka, startKafka } from '../fixtures/kafka/broker.ts'
import { describeKafka } from '../fixtures/kafka/require.ts'
import { type Ended, fixture, headgate, start } from './command.ts'

const PAYMENTS = 300
const DEAD = PAYMENTS / 3

const payment = (id: number): string => JSON.stringify({ id, account: `a${id % 10}` })
const jsonLines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>)

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'headgate-dead-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('dead letters in the embedded log', () => {
  let path: string
  const dead = (...args: string[]): Promise<Ended> => headgate('dead-letter', ...args, '--log', path)
  const tail = async (topic: string): Promise<Record<string, unknown>[]> =>
    jsonLines((await headgate('log', 'tail', topic, '--path', path, '--from', 'earliest', '--json')).stdout)

  beforeAll(async () => {
    path = join(folder, 'log')
    const input = `${Array.from({ length: PAYMENTS }, (_, id) => payment(id)).join('\n')}\n`
    for (const topic of ['payments', 'accepted', 'repaired', 'payments.dead']) {
      const append = ['log', 'append', topic, '--path', path, '--partitions', '2', '--key', 'account']
      expect((await start(append, { input: topic === 'payments' ? input : '' }).ended).code).toBe(0)
    }
    const run = start(['run', fixture('dead-letters-log.ts')], { env: { HEADGATE_LOG: path } })
    const groups = async (): Promise<string> => (await headgate('log', 'groups', '--path', path)).stdout
    while (run.child.exitCode === null && !/^refusing +payments +2 +0 /m.test(await groups()));
    run.child.kill('SIGTERM')
    expect((await run.ended).code).toBe(0)
  })

  test('are listed with stage, reason and origin, and counted by kind', async () => {
    const { stdout, stderr, code } = await dead('list', '--topic', 'payments.dead')
    const lines = stdout.trim().split('\n')
    expect(lines).toHaveLength(DEAD)
    expect(lines[0]).toMatch(
      /^\d{4}-\S+Z {2}payments\.dead\/\d@\d+ {2}a\d {2}check {2}HG_RECORD_REJECTED {2}1 attempt {2}from payments\/\d@\d+ {2}.*every third is refused/,
    )
    expect(stderr).toContain(`${DEAD} dead letters in payments.dead: ${DEAD} check HG_RECORD_REJECTED.`)
    expect(code).toBe(0)
  })

  test('are filtered', async () => {
    const places = async (...args: string[]) =>
      jsonLines((await dead('list', '--topic', 'payments.dead', '--json', ...args)).stdout)
    expect(await places('--key', 'a3')).toSatisfy((found: { key: string }[]) => found.every(({ key }) => key === 'a3'))
    expect(await places('--key', 'a3')).toHaveLength(DEAD / 10)
    expect(await places('--stage', 'other')).toEqual([])
    expect(await places('--until', '1h')).toEqual([])
    expect(await places('--since', '1h', '--limit', '7')).toHaveLength(7)
    expect((await places('--limit', '1'))[0]).toMatchObject({
      ...{ stage: 'check', code: 'HG_RECORD_REJECTED', attempts: 1 },
      value: { id: expect.any(Number) },
    })
  })

  test('are only counted in a dry run', async () => {
    const { stderr, code } = await dead('replay', '--topic', 'payments.dead', '--to', 'repaired', '--dry-run')
    expect(stderr).toContain(`Would replay ${DEAD} records (${DEAD} to repaired).`)
    expect(code).toBe(0)
    expect(await tail('repaired')).toEqual([])
  })

  test('go back to where they came from, as they were, at the rate that was asked for', async () => {
    const startedMs = performance.now()
    const { stdout, code } = await dead(
      ...['replay', '--topic', 'payments.dead', '--key', 'a0', '--rate', '5', '--json'],
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({
      ...{ replayed: DEAD / 10, to: { payments: DEAD / 10 }, notReplayable: 0, dryRun: false, interrupted: false },
    })
    // The last of so many is due after all the others.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(((DEAD / 10 - 1) / 5) * 1_000)
    const all = await tail('payments')
    expect(all).toHaveLength(PAYMENTS + DEAD / 10)
    const again = all.filter(({ headers }) => headers !== undefined)
    expect(again).toHaveLength(DEAD / 10)
    const originals = all.filter(({ headers }) => headers === undefined)
    for (const { key, value, partition, headers } of again) {
      expect(originals).toContainEqual(expect.objectContaining({ key, value, partition }))
      expect(headers).toMatchObject({ 'headgate-replays': '1' })
    }
  })

  test.each([
    [['list', '--topic', 'no.such'], "no topic 'no.such'"],
    [['replay', '--topic', 'payments.dead', '--to', 'nowhere'], "no topic 'nowhere' to replay to"],
    [['replay', '--topic', 'payments.dead', '--to', 'payments.dead'], 'back to the dead letters'],
    [['list', '--topic', 'payments.dead', '--since', 'yesterday'], "'yesterday' is not a time"],
    [['list', '--topic', 'payments.dead', '--kafka', 'localhost:1'], 'only one place at a time'],
    [['list'], "required option '--topic <topic>' not specified"],
  ])('refuse %j', async (args, words) => {
    const { code, stderr } = await dead(...args)
    expect(stderr).toContain(words)
    expect(code).toBe(2)
  })

  test('say what cannot be replayed', async () => {
    const append = ['log', 'append', 'payments.dead', '--path', path]
    await start(append, { input: '{"by":"hand"}\n' }).ended
    const { code, stderr } = await dead('replay', '--topic', 'payments.dead', '--to', 'repaired')
    expect(stderr).toContain(`Replayed ${DEAD} records`)
    expect(stderr).toMatch(/1 cannot be replayed:\n {2}payments\.dead\/\d@\d+: it is not a dead letter of Headgate/)
    expect(code).toBe(1)
  })
})

describeKafka('dead letters in Kafka', () => {
  let kafka: Kafka
  let broker: string
  const dead = (...args: string[]): Promise<Ended> => headgate('dead-letter', ...args, '--kafka', broker)

  beforeAll(async () => {
    kafka = await startKafka()
    broker = kafka.brokers[0] as string
    const client = new KafkaJs({ brokers: [broker], logLevel: logLevel.NOTHING })
    const admin = client.admin()
    const producer = client.producer()
    await Promise.all([admin.connect(), producer.connect()])
    const topics = ['payments', 'accepted', 'payments.dead', 'repaired']
    await admin.createTopics({ topics: topics.map((topic) => ({ topic, numPartitions: 2 })) })
    const messages = Array.from({ length: PAYMENTS }, (_, id) => ({
      ...{ key: `a${id % 10}`, value: payment(id), headers: { trace: Buffer.from([0xff, id % 256]) } },
    }))
    await producer.send({ topic: 'payments', messages })
    const run = start(['run', fixture('dead-letters-kafka.ts')], { env: { HEADGATE_KAFKA: broker } })
    const stored = async (): Promise<number> =>
      (await admin.fetchTopicOffsets('payments.dead')).reduce((sum, { high }) => sum + Number(high), 0)
    while (run.child.exitCode === null && (await stored()) < DEAD) await sleep(200)
    run.child.kill('SIGTERM')
    const ended = await run.ended
    expect(ended.code, ended.stderr).toBe(0)
    await Promise.all([admin.disconnect(), producer.disconnect()])
  })
  afterAll(() => kafka?.stop())

  async function recordsIn(topic: string): Promise<{ key: string; value: string; headers: Record<string, Buffer> }[]> {
    const { code, stdout } = await headgate('dead-letter', 'list', '--kafka', broker, '--topic', topic, '--json')
    expect(code).toBe(0)
    return jsonLines(stdout) as never
  }

  test('are listed', async () => {
    const { stdout, stderr, code } = await dead('list', '--topic', 'payments.dead')
    expect(stdout.trim().split('\n')).toHaveLength(DEAD)
    expect(stdout).toMatch(
      / {2}payments\.dead\/\d@\d+ {2}a\d {2}check {2}HG_RECORD_REJECTED {2}1 attempt {2}from payments\/\d@\d+/,
    )
    expect(stderr).toContain(`${DEAD} check HG_RECORD_REJECTED.`)
    expect(code).toBe(0)
  })

  test('are replayed with key, value and headers, and say how often', async () => {
    expect((await dead('replay', '--topic', 'payments.dead', '--to', 'repaired', '--dry-run')).code).toBe(0)
    expect(await recordsIn('repaired')).toEqual([])
    const { code, stderr } = await dead('replay', '--topic', 'payments.dead', '--to', 'repaired', '--key', 'a3')
    expect(stderr).toContain(`Replayed ${DEAD / 10} records (${DEAD / 10} to repaired).`)
    expect(code).toBe(0)
    // They are no dead letters any more, so that their value is only shown.
    for (const { key, value, headers } of await recordsIn('repaired')) {
      const { id } = JSON.parse(value) as { id: number }
      expect(key).toBe('a3')
      expect(headers).toMatchObject({
        ...{ 'headgate-replays': '1', 'headgate-replayed-from': expect.stringMatching(/^payments\.dead\/\d@\d+$/) },
        trace: `base64:${Buffer.from([0xff, id % 256]).toString('base64')}`,
      })
    }
    expect(await recordsIn('repaired')).toHaveLength(DEAD / 10)
  })

  test('go back to where they came from', async () => {
    const { code, stdout } = await dead('replay', '--topic', 'payments.dead', '--limit', '5', '--json')
    expect(JSON.parse(stdout)).toMatchObject({ replayed: 5, to: { payments: 5 } })
    expect(code).toBe(0)
  })

  test('refuse a topic that is not there, naming those that are', async () => {
    const listed = await dead('list', '--topic', 'no.such')
    expect(listed.stderr).toContain("no topic 'no.such'")
    expect(listed.stderr).toContain('payments.dead')
    expect(listed.code).toBe(2)
    const replayed = await dead('replay', '--topic', 'payments.dead', '--to', 'nowhere')
    expect(replayed.stderr).toContain("nothing can be replayed to 'nowhere'")
    expect(replayed.code).toBe(2)
  })

  test('refuse brokers that do not answer and options that are none', async () => {
    const file = join(folder, 'options.json')
    writeFileSync(file, '{"tls":"maybe"}')
    const wrong = await dead('list', '--topic', 'payments.dead', '--kafka-options', file)
    expect(wrong.stderr).toContain('tls must be')
    expect(wrong.code).toBe(2)
    const nobody = await headgate('dead-letter', 'list', '--topic', 'x', '--kafka', '127.0.0.1:1')
    expect(nobody.stderr).toContain('127.0.0.1:1')
    expect(nobody.code).toBe(1)
  })
})
