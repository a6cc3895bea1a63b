/** A member behind a proxy that spoils its connections; records are written and evidence is read without the proxy. */
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, it } from 'vitest'
import { type Kafka, startKafka } from '../../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../../fixtures/kafka/require.ts'
import type { TcpProxy } from '../../../fixtures/tcp-proxy.ts'
import { Trial } from './trial.ts'

const LASTS_MS = 3_000

const FAULTS: [name: string, fault: (proxy: TcpProxy) => Promise<void> | void][] = [
  ['latency with jitter', (proxy) => proxy.spoil('both', { latencyMs: 50, jitterMs: 150 })],
  ['bytes in slices', (proxy) => proxy.spoil('both', { sliceBytes: 7 })],
  ['few bytes a second', (proxy) => proxy.spoil('down', { bytesPerSecond: 20_000 })],
  ['nothing comes back', (proxy) => proxy.spoil('down', { blackhole: true })],
  ['nothing gets through', (proxy) => proxy.spoil('up', { blackhole: true })],
  ['resets in the middle of answers', (proxy) => proxy.spoil('down', { resetAfterBytes: 5_000 })],
  ['resets in the middle of requests', (proxy) => proxy.spoil('up', { resetAfterBytes: 2_000 })],
  [
    'one reset after the other',
    async (proxy) => {
      for (let reset = 0; reset < 10; reset += 1) {
        proxy.reset()
        await sleep(LASTS_MS / 10)
      }
    },
  ],
  ['no connection at all', (proxy) => proxy.refuse()],
]

describeKafka('while the network is spoiled', () => {
  let kafka: Kafka

  beforeAll(async () => {
    kafka = await startKafka({ proxied: true })
  })

  afterAll(() => kafka?.stop())

  it.each([{ groupProtocol: 'classic' }, { groupProtocol: 'consumer' }] as const)(
    'Promises 1, 3, 5, 9, 17: a member of a $groupProtocol group loses nothing and goes on',
    { timeout: 180_000 + FAULTS.length * 60_000 },
    async ({ groupProtocol }) => {
      const { brokers, direct, proxies } = kafka
      const name = `network-${groupProtocol}`
      const member = { groupProtocol, requestTimeoutMs: 1_500, sessionTimeoutMs: 6_000 }
      const trial = await Trial.begin({ name, brokers, direct, partitions: 4, alone: true, member })
      trial.join()
      const proxy = proxies[0]!
      for (const [, fault] of FAULTS) {
        await trial.progress(100)
        await fault(proxy)
        await sleep(LASTS_MS)
        proxy.heal()
      }
      await trial.progress()
      await trial.finish()
      console.info(`${groupProtocol}: (${FAULTS.map(([each]) => each).join(', ')}); ${trial.summary()}`)
    },
  )
})
