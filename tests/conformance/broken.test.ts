/** The suite itself under test: for each rule a connector that breaks it, caught by that rule and by no other. */
import { type ConformanceCase, sinkConformance, sourceConformance } from 'headgate/conformance'
import { describe, expect, test } from 'vitest'
import { sinkHarness, topicHarness } from '../connectors/memory/harness.ts'
import { BROKEN_SINKS } from './broken-sinks.ts'
import { BROKEN_SOURCES } from './broken-sources.ts'

async function brokenRules(cases: readonly ConformanceCase[]): Promise<string[]> {
  const verdicts = cases.map(async ({ rule, skip, run }) => {
    if (skip !== null) return null
    return run().then(
      () => null,
      (thrown: Error) => `${rule}: ${thrown.message}`,
    )
  })
  return (await Promise.all(verdicts)).filter((verdict) => verdict !== null)
}

describe('a broken source is caught by the rule it breaks', () => {
  // Each waits for something that a broken connector never does, most of its time.
  test.concurrent.each(BROKEN_SOURCES)('$rule: a source that $defect', async ({ rule, harness }) => {
    const broken = await brokenRules(sourceConformance(harness))
    expect(broken).toEqual([expect.stringMatching(`^${rule}: `)])
  })

  test('every rule has a source that breaks it', () => {
    const rules = sourceConformance(topicHarness()).map(({ rule }) => rule)
    expect([...new Set(BROKEN_SOURCES.map(({ rule }) => rule))]).toEqual(rules)
  })
})

describe('a broken sink is caught by the rule it breaks', () => {
  // `stall` and `overload` are told to one world at a time.
  test.concurrent.each(BROKEN_SINKS)('$rule: a sink that $defect', async ({ rule, harness }) => {
    const broken: string[] = []
    for (const one of sinkConformance(harness)) broken.push(...(await brokenRules([one])))
    expect(broken).toEqual([expect.stringMatching(`^${rule}: `)])
  })

  test('every rule has a sink that breaks it', () => {
    const rules = sinkConformance(sinkHarness()).map(({ rule }) => rule)
    expect([...new Set(BROKEN_SINKS.map(({ rule }) => rule))]).toEqual(rules)
  })
})
