/**
 * The process of one side: its argument is the specification as JSON, its answer one line of JSON. Started by
 * `bench/kafka/side.ts`, compiled to JavaScript first: a loader for TypeScript would add its own memory to each side,
 * and so would another side's client.
 */
import type { SideReport, SideSpec } from './spec.ts'

const SIDES: Readonly<Record<string, (spec: SideSpec) => Promise<SideReport>>> = {
  alone: async (spec) => (await import('./alone.ts')).alone(spec),
  'fetch-alone': async (spec) => (await import('./fetch-alone.ts')).fetchAlone(spec),
  kafkajs: async (spec) => (await import('./kafkajs.ts')).byHand(spec),
  headgate: async (spec) => (await import('./headgate.ts')).headgate(spec),
  member: async (spec) => (await import('./member.ts')).member(spec),
  'member-by-hand': async (spec) => (await import('./member-by-hand.ts')).memberByHand(spec),
}

const spec = JSON.parse(process.argv[2] ?? '{}') as SideSpec
const side = SIDES[spec.side]
if (side === undefined) throw new Error(`there is no side named '${spec.side}'`)
const report = await side(spec)
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit(0))
