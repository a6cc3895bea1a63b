/**
 * `headgate/memory`: sources, sinks and a broker-like topic in memory, for tests, examples and benchmarks. Nothing
 * here survives the process.
 */
import { OptionCheck, unexpected } from '../../model/option.ts'
import { SingleSource } from './single-source.ts'
import { MemorySink, type MemorySinkOptions } from './sink.ts'
import type { MemorySourceOptions, ValuesSource } from './source.ts'
import { SpreadSource } from './spread-source.ts'
import { MemoryTopic, type MemoryTopicOptions } from './topic.ts'

export type { MemorySink, MemorySinkOptions } from './sink.ts'
export type { MemorySourceOptions, ValuesSource as MemorySource } from './source.ts'
export type { MemoryTopic, MemoryTopicOptions } from './topic.ts'
export type { TopicEntry } from './topic-log.ts'
export type { TopicSinkOptions } from './topic-sink.ts'
export type { TopicSourceOptions } from './topic-source.ts'

export const memory = {
  /**
   * A source that ends: an array, or any iterable, which is read lazily and only as far as there is credit. An array
   * (and any iterable that can be read again) is replayable: opened again after `close`, it starts at its commits.
   * Throws `HG_OPTION_INVALID`.
   */
  source<V, T = V>(values: Iterable<V>, options: MemorySourceOptions<V, T> = {}): ValuesSource<V, T> {
    if (typeof (values as Partial<Iterable<V>> | null)?.[Symbol.iterator] !== 'function') {
      throw unexpected('memory.source', 'an array or another iterable of values first, then options', values)
    }
    const check = new OptionCheck('memory.source', options, {
      name: true,
      partitions: true,
      key: true,
      timestampMs: true,
      bytes: true,
      headers: true,
      decode: true,
    })
    check.texts('name')
    check.functions('key', 'timestampMs', 'bytes', 'headers', 'decode')
    const partitions = check.integer('partitions', 1, { min: 1, max: 10_000, unit: 'partitions' })
    return partitions === 1 ? new SingleSource(values, options) : new SpreadSource(values, options, partitions)
  },

  /** A sink that keeps (or only counts) what it is handed. Throws `HG_OPTION_INVALID`. */
  sink<T = unknown>(options: MemorySinkOptions<T> = {}): MemorySink<T> {
    return new MemorySink(options)
  },

  /** A topic with partitions, consumer groups, commits and faults on demand. Throws `HG_OPTION_INVALID`. */
  topic<V = unknown>(name: string, options: MemoryTopicOptions = {}): MemoryTopic<V> {
    return new MemoryTopic(name, options)
  },
}
