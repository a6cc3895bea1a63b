import { registerConformance, sourceConformance } from 'headgate/conformance'
import { afterAll, beforeAll, test } from 'vitest'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { sourceHarness } from './conformance-harness.ts'

for (const groupProtocol of ['classic', 'consumer'] as const) {
  describeKafka(`a source over Kafka, in a group of the protocol '${groupProtocol}'`, () => {
    let broker: Kafka
    beforeAll(async () => {
      broker = await startKafka({ proxied: true })
    })
    afterAll(() => broker?.stop())
    registerConformance({ test }, sourceConformance(sourceHarness(() => broker, groupProtocol)))
  })
}
