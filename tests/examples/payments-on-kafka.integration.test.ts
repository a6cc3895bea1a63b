/** `npm start -- --kafka`: the payment example on a real Kafka. Nothing is lost, and each account's results are in order. */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type Admin, Kafka as KafkaJs, logLevel } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Payment } from '../../examples/payment-enrichment/payment.ts'
import { TopicReader } from '../../src/connectors/kafka/topic-reader.ts'
import { connectionSchema } from '../../src/connectors/kafka/wire/options.ts'
import { SILENT_LOGGER } from '../../src/model/logger.ts'
import { checked } from '../../src/model/schema-check.ts'
import { type Kafka, startKafka } from '../fixtures/kafka/broker.ts'
import { describeKafka } from '../fixtures/kafka/require.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const ENOUGH = 500

describeKafka('the payment example on Kafka', () => {
  let kafka: Kafka
  let admin: Admin
  beforeAll(async () => {
    expect(existsSync(`${root}dist/cli/main.js`), 'run `npm run build` first').toBe(true)
    kafka = await startKafka()
    admin = new KafkaJs({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin()
    await admin.connect()
  })
  afterAll(async () => {
    await admin?.disconnect()
    await kafka?.stop()
  })

  async function stored(topic: string): Promise<number> {
    const offsets = await admin.fetchTopicOffsets(topic).catch(() => [])
    return offsets.reduce((sum, { high }) => sum + Number(high), 0)
  }

  async function paymentsIn(topic: string): Promise<{ partition: number; offset: number; payment: Payment }[]> {
    const options = checked('test', connectionSchema, { brokers: kafka.brokers })
    const reader = await TopicReader.open(options, topic, SILENT_LOGGER, new AbortController().signal)
    const found: { partition: number; offset: number; payment: Payment }[] = []
    try {
      for (const { partition, firstOffset, endOffset } of await reader.ranges()) {
        for (let from = firstOffset; from < endOffset; ) {
          const { records, nextOffset } = await reader.read(partition, from)
          for (const { offset, value } of records) {
            found.push({ partition, offset, payment: JSON.parse(String(value)) as Payment })
          }
          from = nextOffset
        }
      }
    } finally {
      reader.close()
    }
    return found
  }

  test('scores every payment below the committed positions, each account in order', async () => {
    const args = ['examples/payment-enrichment/start.mjs', '--kafka', kafka.brokers.join(','), '--burst-for', '5s']
    const launcher = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'ignore', 'pipe'] })
    let said = ''
    launcher.stderr.setEncoding('utf8').on('data', (text: string) => (said += text))
    const ended = new Promise((resolve) => launcher.once('close', resolve))
    while (launcher.exitCode === null && (await stored('enriched')) < ENOUGH) await sleep(250)
    launcher.kill('SIGTERM')
    expect(await ended, said).toBe(0)

    const enriched = await paymentsIn('enriched')
    const last = new Map<string, number>()
    for (const { payment } of enriched) {
      expect(payment.sequence).toBeGreaterThan(last.get(payment.accountId) ?? 0)
      last.set(payment.accountId, payment.sequence)
    }
    const [group] = await admin.fetchOffsets({ groupId: 'enrichers', topics: ['payments'] })
    const committed = new Map(group?.partitions.map(({ partition, offset }) => [partition, Number(offset)]))
    const results = new Set(enriched.map(({ payment }) => payment.paymentId))
    const below = (await paymentsIn('payments')).filter(
      ({ partition, offset }) => offset < (committed.get(partition) ?? 0),
    )
    expect(below.length).toBeGreaterThan(0)
    const lost = below.filter(({ payment }) => payment.amount > 0 && !results.has(payment.paymentId))
    expect(lost).toEqual([])
    expect(await stored('payments.dead')).toBe(0)
  })
})
