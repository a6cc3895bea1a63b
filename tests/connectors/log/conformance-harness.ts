/** Harnesses of the embedded log for the conformance suite. Its lease is what a broker would call a session. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { SinkHarness, SinkWorld, SourceHarness } from 'headgate/conformance'
import { type Log, log, openLog } from 'headgate/log'
import { LEASE_MS } from '../../../src/connectors/log/ownership.ts'

const TOPIC = 'lines'

async function openTemporaryLog(partitions: number): Promise<{ opened: Log; destroy: () => Promise<void> }> {
  const directory = await mkdtemp(join(tmpdir(), 'headgate-log-'))
  const opened = await openLog(directory)
  await opened.createTopic(TOPIC, { partitions })
  const destroy = async (): Promise<void> => {
    await opened.close()
    await rm(directory, { recursive: true })
  }
  return { opened, destroy }
}

export const source: SourceHarness = {
  capabilities: log.source({ path: 'log', topic: TOPIC, group: 'group' }).capabilities,
  maxPartitions: 8,
  sessionMs: LEASE_MS,
  async create({ partitions }) {
    const { opened, destroy } = await openTemporaryLog(partitions)
    const names = Array.from({ length: partitions }, (_, at) => `${TOPIC}/${at}`)
    return {
      partitions: names,
      source: () => log.source({ log: opened, topic: TOPIC, group: 'group' }),
      async append(partition, count, bytes = 10) {
        const value = new Uint8Array(bytes)
        const number = names.indexOf(partition)
        await opened.append(
          TOPIC,
          Array.from({ length: count }, () => ({ value, partition: number })),
        )
      },
      destroy,
    }
  },
}

interface LogWorld extends SinkWorld {
  refused: readonly number[]
}

export const sink: SinkHarness<LogWorld> = {
  capabilities: log.sink({ path: 'log', topic: TOPIC }).capabilities,
  async create() {
    const { opened, destroy } = await openTemporaryLog(1)
    const world: LogWorld = {
      refused: [],
      sink: () => log.sink({ log: opened, topic: TOPIC, partitions: 1 }),
      // JSON has no form for a bigint.
      value: (index) => (world.refused.includes(index) ? BigInt(index) : { index }),
      async stored() {
        const { records } = opened.read(TOPIC, 0, 0, { maxRecords: 10_000 })
        return records.map((record) => (JSON.parse(Buffer.from(record.value).toString()) as { index: number }).index)
      },
      destroy,
    }
    return world
  },
  async refuse(world, indexes) {
    world.refused = indexes
  },
}
