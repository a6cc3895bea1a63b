/**
 * The embedded log: a durable log in a directory, without a server. `log.source` and `log.sink` connect pipelines to
 * it, `openLog` is for programs that append, read or look after it. Its code stands in the files beside this one.
 */
import { sink } from './sink.ts'
import { source } from './source.ts'

export type { Appended } from './append.ts'
export type { LogRecord } from './batch.ts'
export { deadLetterEncoder, type EncodedDeadLetter } from './dead-letter.ts'
export type { Start } from './groups.ts'
export type { GroupInfo, GroupPartitionInfo, PartitionInfo, TopicInfo } from './inspection.ts'
export {
  type Bounds,
  type Chunk,
  type Entry,
  type Log,
  type OpenLogOptions,
  openLog,
  type ReadOptions,
  type TopicOptions,
  type TrimOptions,
} from './log.ts'
export type { Trimmed } from './retention.ts'
export type { LogSinkOptions } from './sink.ts'
export type { LogSourceOptions } from './source.ts'
export type { Retention } from './topics.ts'
export type { WritePoint } from './write-point.ts'
export { sink, source }

export const log = { source, sink }
