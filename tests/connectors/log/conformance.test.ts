import { registerConformance, sinkConformance, sourceConformance } from 'headgate/conformance'
import { describe, test } from 'vitest'
import { sink, source } from './conformance-harness.ts'

describe('a source over the embedded log', () => {
  // S9 waits for three leases: it runs with the integration tests.
  registerConformance(
    { test },
    sourceConformance(source).filter(({ rule }) => rule !== 'S9'),
  )
})

describe('a sink into the embedded log', () => {
  registerConformance({ test }, sinkConformance(sink))
})
