/**
 * A real broker that comes back without the last records it had: its machine lost them before they were on the disk, say.
 * The bytes are taken off its log while it is down, and it starts as a new leader. (Kafka 3 lets it go on under the same
 * epoch, and then nothing tells the new records from the old ones.)
 */
import { readdirSync, readFileSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest'
import { LENGTH_AT, PREFIX_BYTES } from '../../../src/connectors/kafka/batch/layout.ts'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { Client } from './client.ts'
import { Reader } from './reader.ts'

const numbered = (from: number, to: number): { value: string }[] =>
  Array.from({ length: to - from }, (_, at) => ({ value: `${from + at}` }))

/** Leaves the first `batches` batches of a partition. */
function cutOff(folder: string, topic: string, batches: number): void {
  const partition = join(folder, 'data', `${topic}-0`)
  const segment = readdirSync(partition).find((name) => name.endsWith('.log')) as string
  const bytes = readFileSync(join(partition, segment))
  let at = 0
  for (let left = batches; left > 0; left -= 1) at += PREFIX_BYTES + bytes.readInt32BE(at + LENGTH_AT)
  truncateSync(join(partition, segment), at)
}

describeKafka('records that a broker lost', () => {
  let broker: Kafka
  let client: Client
  const open: Reader[] = []

  beforeAll(async () => {
    broker = await startKafka()
    client = await Client.connect(broker.brokers)
  })
  afterEach(async () => {
    for (const reader of open.splice(0)) await reader.close()
  })
  afterAll(async () => {
    await client?.close()
    await broker?.stop()
  })

  async function reader(topics: string, group: string): Promise<Reader> {
    // The session outlives the broker's absence: only the log decides where reading goes on.
    const options = { sessionTimeoutMs: 120_000, heartbeatIntervalMs: 200, metadataIntervalMs: 300 }
    const made = await Reader.open({ brokers: broker.brokers, group, topics, ...options })
    open.push(made)
    return made
  }

  /** Takes records from the end of the log, and writes more than there were. */
  async function lose(topic: string, kept: number): Promise<void> {
    const [node] = broker.nodes
    await node!.kill()
    cutOff(node!.folder, topic, kept)
    await node!.start()
    await node!.ready()
    await client.append(topic, 0, numbered(100, 130), 1)
  }

  const textOf = (record: { value: unknown }): string => Buffer.from(record.value as Uint8Array).toString()

  it('are told while it is read; what stands in their place is read, and the group is stored there', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(0, 20), 1)
    const group = `group-of-${topic}`
    const losing = await reader(topic, group)
    await losing.read(20)
    await losing.commit(`${topic}/0`, 20)
    await lose(topic, 12)
    const read = new Map<number, string>()
    await losing.until(async () => {
      // While the broker is down a pull says so.
      for (const record of await losing.pull().catch(() => [])) read.set(record.offset, textOf(record))
      return read.size === 30
    }, 'what was written after the loss')
    expect([...read]).toEqual(Array.from({ length: 30 }, (_, at) => [12 + at, `${100 + at}`]))
    expect(losing.lost).toEqual([`${topic}/0`])
    expect(losing.texts('error')).toContain(`have lost records 12 to 19 of ${topic}/0`)
    const offset = async (): Promise<number> => Number((await client.stored(group, topic, 0))?.committedOffset)
    await losing.until(async () => (await offset()) === 12, 'the group to be stored where the logs part')
    await losing.commit(`${topic}/0`, 42)
    expect(await offset()).toBe(42)
  })

  it('are told by a process that was down meanwhile', async () => {
    const topic = await client.topic(1)
    await client.append(topic, 0, numbered(0, 20), 1)
    const group = `group-of-${topic}`
    const before = await reader(topic, group)
    await before.read(20)
    await before.commit(`${topic}/0`, 20)
    await before.close()
    await lose(topic, 12)
    const after = await reader(topic, group)
    const read = await after.read(30)
    expect(read.map(textOf)).toEqual(Array.from({ length: 30 }, (_, at) => `${100 + at}`))
    expect(after.texts('error')).toContain(`have lost records 12 to 19 of ${topic}/0`)
  })
})
