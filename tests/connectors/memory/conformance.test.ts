import { registerConformance, type SinkHarness, sinkConformance, sourceConformance } from 'headgate/conformance'
import { memory } from 'headgate/memory'
import { describe, test } from 'vitest'
import { sinkHarness, topicHarness, valuesHarness } from './harness.ts'

describe('a source over a memory topic', () => {
  registerConformance({ test }, sourceConformance(topicHarness()))
})

describe('a source over a memory topic, with prefetch', () => {
  registerConformance({ test }, sourceConformance(topicHarness(12)))
})

describe('a source over an array', () => {
  registerConformance({ test }, sourceConformance(valuesHarness(1, true)))
})

describe('a source over an array, spread over partitions', () => {
  registerConformance({ test }, sourceConformance(valuesHarness(3, true)))
})

describe('a source over an iterable', () => {
  registerConformance({ test }, sourceConformance(valuesHarness(1, false)))
})

describe('a source over an iterable, spread over partitions', () => {
  registerConformance({ test }, sourceConformance(valuesHarness(3, false)))
})

describe('a sink in memory', () => {
  registerConformance({ test }, sinkConformance(sinkHarness({ maxInFlightWrites: 4 })))
})

describe('an atomic, slow sink in memory', () => {
  registerConformance({ test }, sinkConformance(sinkHarness({ atomic: true, latencyMs: 2 })))
})

describe('a sink into a memory topic', () => {
  const harness: SinkHarness = {
    capabilities: memory.topic('topic').sink().capabilities,
    async create() {
      const topic = memory.topic<unknown>('topic')
      return {
        sink: () => topic.sink(),
        value: (index) => index,
        stored: async () => topic.records().map((record) => record.value as number),
        async destroy() {},
      }
    },
  }
  registerConformance({ test }, sinkConformance(harness))
})
