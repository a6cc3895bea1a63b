import { registerConformance, sourceConformance } from 'headgate/conformance'
import { describe, test } from 'vitest'
import { source } from './conformance-harness.ts'

describe('a source over the embedded log, for longer than its lease', () => {
  registerConformance(
    { test },
    sourceConformance(source).filter(({ rule }) => rule === 'S9'),
  )
})
