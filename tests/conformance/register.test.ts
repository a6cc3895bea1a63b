import { registerConformance, sinkConformance, sourceConformance } from 'headgate/conformance'
import { expect, test } from 'vitest'
import { sinkHarness, topicHarness, valuesHarness } from '../connectors/memory/harness.ts'

function registered(cases: Parameters<typeof registerConformance>[1]): { run: string[]; skipped: string[] } {
  const run: string[] = []
  const skipped: string[] = []
  const runner = Object.assign((name: string) => run.push(name), { skip: (name: string) => skipped.push(name) })
  registerConformance({ test: runner }, cases)
  return { run, skipped }
}

test('every rule is either run or skipped with a reason that names a capability or an ability', () => {
  const { run, skipped } = registered(sourceConformance(valuesHarness(1, false)))
  expect([...run, ...skipped]).toHaveLength(16)
  expect(skipped).toEqual([
    expect.stringMatching(/^S4 .* \(skipped: it has only one partition\)$/),
    expect.stringMatching(/^S8 .* \(skipped: the harness lacks handedOut\)$/),
    expect.stringMatching(/^S9 .* \(skipped: it has no session that could expire\)$/),
    expect.stringMatching(/^S10 .* \(skipped: the harness lacks revoke and assign\)$/),
    expect.stringMatching(/^S11 .* \(skipped: the harness lacks lose and assign\)$/),
    expect.stringMatching(/^S14 .* \(skipped: it does not claim to know its backlog\)$/),
    expect.stringMatching(/^S15 .* \(skipped: the harness lacks disconnect and reconnect\)$/),
  ])
})

test('what is neither replayable nor atomic is not held to it', () => {
  const volatile = { backlog: 'exact', metadataBytes: 0, replayable: false } as const
  const sources = sourceConformance({ ...topicHarness(), capabilities: volatile })
  const reason = 'it does not claim to be replayable'
  expect(sources.filter(({ skip }) => skip === reason).map(({ rule }) => rule)).toEqual(['S5', 'S7', 'S16'])
  const sinks = sinkConformance(sinkHarness())
  expect(sinks.filter(({ skip }) => skip !== null).map(({ rule, skip }) => [rule, skip])).toEqual([
    ['K6', 'it does not claim to be atomic'],
  ])
})

test('a harness cannot claim less than the connector does, to be let off', async () => {
  const lessThanItSays = { ...topicHarness(), capabilities: { backlog: 'none', metadataBytes: 0, replayable: false } }
  const [first] = sourceConformance(lessThanItSays as ReturnType<typeof topicHarness>)
  await expect(first?.run()).rejects.toThrow('the harness says backlog is none, the source says exact')
  const sink = sinkHarness({ atomic: true })
  const [one] = sinkConformance({ ...sink, capabilities: { ...sink.capabilities, atomic: false } })
  await expect(one?.run()).rejects.toThrow('the harness says atomic is false, the sink says true')
})
