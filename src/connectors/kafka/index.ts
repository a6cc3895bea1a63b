/**
 * `headgate/kafka`: Apache Kafka. The client is Headgate's own, over the wire protocol of `@platformatic/kafka`, an
 * optional peer that is loaded when a connector is opened.
 */
import { sink } from './produce/sink.ts'
import { seek } from './seek.ts'
import { source } from './source.ts'

export {
  type DeadLetterFilter,
  deadLetterRecord,
  deadLetters,
  type LetterRecord,
  matchesDeadLetter,
  readDeadLetter,
  replayOf,
  type StoredDeadLetter,
  topicOfOrigin,
} from './dead-letter.ts'
export type { KafkaSourceOptions, StartPosition } from './option.ts'
export type { KafkaSinkOptions, Partitioner } from './produce/option.ts'
export type { KafkaSeekOptions } from './seek.ts'
export type { KafkaConnectionOptions, KafkaSaslOptions, KafkaTlsOptions, Secret } from './wire/options.ts'
export { seek, sink, source }

export const kafka = { source, sink, seek }
