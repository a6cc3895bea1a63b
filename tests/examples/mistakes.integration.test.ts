/** The three classic mistakes, made for real: the doctor names each in a sentence of its own. */
import { describe, expect, it } from 'vitest'
import { MISTAKES, seen } from '../../examples/mistakes/mistakes.ts'

describe('the three classic mistakes', () => {
  it.concurrent.each(Object.keys(MISTAKES) as (keyof typeof MISTAKES)[])(
    '%s',
    async (mistake) => {
      const { sentence, evidence } = await seen(mistake, 100_000)
      expect(sentence).toMatch(
        {
          'concurrency-past-the-knee': /^More concurrency made 'score' less stable, not faster/,
          'queue-in-memory': /^No lag does not mean no queue/,
          'throughput-over-latency': /get older|gets older/,
        }[mistake],
      )
      expect(evidence.length).toBeGreaterThan(0)
    },
    120_000,
  )
})
