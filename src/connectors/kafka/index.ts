/**
 * `headgate/kafka`: Apache Kafka as a source. The client is Headgate's own, over the wire protocol of
 * `@platformatic/kafka`, an optional peer that is loaded when a connector is opened.
 */
export type { KafkaConnectionOptions, KafkaSaslOptions, KafkaTlsOptions, Secret } from './wire/options.ts'
