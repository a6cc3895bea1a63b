/** Harnesses of the memory connectors for the conformance suite; the tests of the suite itself break them on purpose. */
import type { SinkHarness, SinkWorld, SourceHarness, SourceWorld } from 'headgate/conformance'
import { memory } from 'headgate/memory'
import { partitionOf } from '../../../src/connectors/memory/record.ts'
import type { MemorySinkOptions } from '../../../src/connectors/memory/sink.ts'
import type { MemoryTopic } from '../../../src/connectors/memory/topic.ts'
import type { TopicSource } from '../../../src/connectors/memory/topic-source.ts'
import { overloaded, reject } from '../../../src/model/errors.ts'

const GROUP = 'group'

export interface TopicWorld extends SourceWorld {
  readonly topic: MemoryTopic<number>
  readonly sources: TopicSource<number, number>[]
}

export function topicHarness(prefetchRecords = 0): SourceHarness<TopicWorld> {
  return {
    capabilities: { backlog: 'exact', metadataBytes: Number.POSITIVE_INFINITY, replayable: true },
    maxPartitions: 16,
    sessionMs: null,
    async create({ partitions }) {
      const topic = memory.topic<number>('topic', { partitions })
      const sources: TopicSource<number, number>[] = []
      return {
        topic,
        sources,
        partitions: topic.partitions,
        source() {
          const source = topic.source({ group: GROUP, prefetchRecords })
          sources.push(source)
          return source
        },
        async append(partition, count, bytes = 10) {
          const number = topic.partitions.indexOf(partition)
          topic.append(Array.from({ length: count }, (_, value) => ({ value, partition: number, bytes })))
        },
        async destroy() {},
      }
    },
    handedOut: async ({ sources }) => sources.reduce((sum, source) => sum + source.handedOut(), 0),
    revoke: ({ topic }, partitions) => topic.revoke(GROUP, partitions),
    lose: async ({ topic }, partitions) => topic.lose(GROUP, partitions),
    assign: async ({ topic }, partitions) => topic.assign(GROUP, partitions),
    disconnect: async ({ topic }) => topic.disconnect(),
    reconnect: async ({ topic }) => topic.reconnect(),
  }
}

interface Value {
  readonly key: string
  readonly bytes: number
}

/** Keys that fall into each partition. */
function keysOf(partitions: number): string[] {
  const keys: string[] = []
  for (let at = 0; keys.filter(Boolean).length < partitions; at += 1)
    keys[partitionOf(`key-${at}`, partitions)] ??= `key-${at}`
  return keys
}

/** Values in memory: `asArray` reads an array, else an iterable that can be read again. */
export function valuesHarness(maxPartitions: number, asArray: boolean): SourceHarness {
  return {
    capabilities: {
      backlog: !asArray ? 'none' : maxPartitions === 1 ? 'exact' : 'estimated',
      metadataBytes: Number.POSITIVE_INFINITY,
      replayable: true,
    },
    maxPartitions,
    sessionMs: null,
    async create() {
      const array: Value[] = []
      const values = asArray ? array : new Set<Value>()
      const keys = keysOf(maxPartitions)
      const source = memory.source<Value>(values, {
        partitions: maxPartitions,
        key: (value) => value.key,
        bytes: (value) => value.bytes,
      })
      return {
        partitions: keys.map((_, at) => `memory/${at}`),
        source: () => source,
        async append(partition, count, bytes = 10) {
          const key = keys[Number(partition.slice('memory/'.length))] as string
          for (let at = 0; at < count; at += 1) {
            const value = { key, bytes }
            if (values instanceof Set) values.add(value)
            else values.push(value)
          }
        },
        async destroy() {},
      }
    },
  }
}

export interface MemorySinkWorld extends SinkWorld {
  refused: readonly number[]
  isOverloaded: boolean
}

export function sinkHarness(options: MemorySinkOptions<unknown> = {}): SinkHarness<MemorySinkWorld> {
  return {
    capabilities: memory.sink(options).capabilities,
    async create() {
      const world: MemorySinkWorld = {
        refused: [],
        isOverloaded: false,
        sink: () => sink,
        value: (index) => index,
        stored: async () => sink.values as number[],
        async destroy() {},
      }
      const sink = memory.sink<unknown>({
        ...options,
        fail(value) {
          if (world.isOverloaded) return { kind: 'failed', error: overloaded('too many') }
          return world.refused.includes(value as number) ? { kind: 'rejected', error: reject('refused') } : undefined
        },
      })
      return world
    },
    async refuse(world, indexes) {
      world.refused = indexes
    },
    async overload(world) {
      world.isOverloaded = true
    },
  }
}
