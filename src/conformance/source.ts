/**
 * Puts the rules for sources together. Each case gets a world of its own with records in it, and everything it opened
 * is closed behind it.
 */
import type { Source, SourceCapabilities } from '../model/connector.ts'
import { type ConformanceCase, check } from './case.ts'
import type { SourceHarness, SourceWorld } from './harness.ts'
import { Reader } from './reader.ts'
import type { Ability, Scene, SourceRule, Traits } from './rule.ts'
import { FLOW_RULES } from './source-flow.ts'
import { LIFE_RULES } from './source-life.ts'
import { PROGRESS_RULES } from './source-progress.ts'

/**
 * The cases that a source must pass: records ≤ credit, nothing lost, nothing committed that is stale, and so on. Run
 * all of them; those that cannot apply say why in `skip`.
 */
export function sourceConformance<W extends SourceWorld>(harness: SourceHarness<W>): ConformanceCase[] {
  const rules = [...FLOW_RULES, ...PROGRESS_RULES, ...LIFE_RULES]
  rules.sort((a, b) => Number(a.rule.slice(1)) - Number(b.rule.slice(1)))
  const { capabilities, maxPartitions, sessionMs } = harness
  const lacks = (...abilities: Ability[]): string | null => {
    const missing = abilities.filter((ability) => harness[ability] === undefined)
    return missing.length === 0 ? null : `the harness lacks ${missing.join(' and ')}`
  }
  const traits: Traits = { capabilities, maxPartitions, sessionMs, lacks }
  return rules.map((rule) => ({
    rule: rule.rule,
    title: rule.title,
    skip: rule.skip(traits),
    run: () => play(harness, traits, rule),
  }))
}

async function play<W extends SourceWorld>(harness: SourceHarness<W>, traits: Traits, rule: SourceRule): Promise<void> {
  const patienceMs = harness.patienceMs ?? 5_000
  const world = await harness.create({ partitions: Math.min(rule.partitions, harness.maxPartitions) })
  const readers: Reader[] = []
  const scene: Scene = {
    traits,
    world,
    patienceMs,
    async open() {
      const source = world.source()
      checkCapabilities(source, harness.capabilities)
      const reader = new Reader(source, patienceMs)
      readers.push(reader)
      await reader.open(world.partitions)
      return reader
    },
    handedOut: async () => (await harness.handedOut?.(world)) ?? Number.NaN,
    revoke: async (partitions) => harness.revoke?.(world, partitions),
    lose: async (partitions) => harness.lose?.(world, partitions),
    assign: async (partitions) => harness.assign?.(world, partitions),
    disconnect: async () => harness.disconnect?.(world),
    reconnect: async () => harness.reconnect?.(world),
  }
  try {
    for (const partition of world.partitions) await world.append(partition, rule.records, rule.bytes)
    await rule.run(scene)
  } finally {
    for (const reader of readers) if (!reader.closed) await reader.close()
    await world.destroy()
  }
}

function checkCapabilities(source: Source, expected: SourceCapabilities): void {
  for (const name of ['backlog', 'metadataBytes', 'replayable'] as const) {
    const [said, is] = [expected[name], source.capabilities[name]]
    check(said === is, `the harness says ${name} is ${said}, the source says ${is}`)
  }
}
