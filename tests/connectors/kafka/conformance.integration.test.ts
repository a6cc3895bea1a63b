import { registerConformance, sourceConformance } from 'headgate/conformance'
import { afterAll, beforeAll, test } from 'vitest'
import { type Kafka, startKafka } from '../../fixtures/kafka/broker.ts'
import { KAFKA_3, KAFKA_4 } from '../../fixtures/kafka/jars.ts'
import { describeKafka } from '../../fixtures/kafka/require.ts'
import { sourceHarness } from './conformance-harness.ts'

const KINDS = [
  { version: KAFKA_4, groupProtocol: 'classic' },
  { version: KAFKA_4, groupProtocol: 'consumer' },
  { version: KAFKA_3, groupProtocol: 'classic' },
] as const

for (const { version, groupProtocol } of KINDS) {
  describeKafka(`a source over Kafka ${version}, in a group of the protocol '${groupProtocol}'`, () => {
    let broker: Kafka
    beforeAll(async () => {
      broker = await startKafka({ proxied: true, version })
    })
    afterAll(() => broker?.stop())
    registerConformance({ test }, sourceConformance(sourceHarness(() => broker, groupProtocol)))
  })
}
