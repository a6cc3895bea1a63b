/**
 * `headgate/kafka`: Apache Kafka. The client is Headgate's own, over the wire protocol of `@platformatic/kafka`, an
 * optional peer that is loaded when a connector is opened.
 */
import { source } from './source.ts'

export type { KafkaSourceOptions, StartPosition } from './option.ts'
export type { KafkaConnectionOptions, KafkaSaslOptions, KafkaTlsOptions, Secret } from './wire/options.ts'
export { source }

export const kafka = { source }
