/**
 * The rules for sinks. Each case gets a world of its own; what was written is looked up through the harness, never
 * asked of the sink. Invariant: values are numbered, and no case writes a number twice.
 */
import type { Sink, SinkBatch, SinkCapabilities, WriteOutcome, WriteResult } from '../model/connector.ts'
import { classify } from '../model/errors.ts'
import { SILENT_LOGGER } from '../model/logger.ts'
import { NO_HEADERS, type RecordInfo } from '../model/record.ts'
import { type ConformanceCase, check, rejection, until, within } from './case.ts'
import type { SinkHarness, SinkWorld } from './harness.ts'

interface Stage<W extends SinkWorld> {
  readonly harness: SinkHarness<W>
  readonly world: W
  readonly patienceMs: number
  readonly sink: Sink<unknown>
  readonly write: (from: number, count: number, signal?: AbortSignal) => Promise<WriteResult>
}

type Ability = 'refuse' | 'overload' | 'stall'

interface Traits {
  readonly capabilities: SinkCapabilities
  /** Null when the harness has it, else a sentence. */
  readonly lacks: (ability: Ability) => string | null
}

interface SinkRule {
  readonly rule: string
  readonly title: string
  skip(traits: Traits): string | null
  run<W extends SinkWorld>(stage: Stage<W>): Promise<void>
}

const never = (): null => null

/** One outcome a record, whichever form the result has. */
function outcomes(result: WriteResult, count: number): readonly WriteOutcome[] {
  if (result === 'written') return Array.from({ length: count }, () => ({ kind: 'written' }) as const)
  check(Array.isArray(result), `a write resolved to ${typeof result}`)
  check(result.length === count, `${count} records were written, with ${result.length} outcomes`)
  return result
}

const RULES: readonly SinkRule[] = [
  {
    rule: 'K1',
    title: 'a write gives one outcome a record, in order',
    skip: never,
    async run({ harness, world, sink, write }) {
      const count = Math.min(5, sink.capabilities.maxBatchRecords)
      outcomes(await write(0, count), count)
      if (!harness.refuse || count < 3 || sink.capabilities.atomic) return
      await harness.refuse(world, [count + 1])
      const kinds = outcomes(await write(count, count), count).map(({ kind }) => kind)
      check(kinds[1] !== 'written', 'a value that was refused counts as written')
      const stored = await world.stored()
      for (const [at, kind] of kinds.entries()) {
        const found = stored.includes(count + at)
        check(found === (kind === 'written'), `record ${at} is ${found ? '' : 'not '}stored, its outcome is ${kind}`)
      }
    },
  },
  {
    rule: 'K2',
    title: 'as many writes at once as it claims are all carried out, each once',
    skip: never,
    async run({ world, sink, write, patienceMs }) {
      const count = Math.min(20, sink.capabilities.maxBatchRecords)
      const writes = Math.min(16, sink.capabilities.maxInFlightWrites)
      const results = await Promise.all(Array.from({ length: writes }, (_, at) => write(at * count, count)))
      for (const result of results) {
        check(
          outcomes(result, count).every(({ kind }) => kind === 'written'),
          `${writes} writes at once did not all succeed`,
        )
      }
      const expected = Array.from({ length: writes * count }, (_, at) => at).join()
      const complete = async (): Promise<boolean> =>
        [...(await world.stored())].sort((a, b) => a - b).join() === expected
      await until(complete, patienceMs, `${writes} writes at once did not leave each of their records once`)
    },
  },
  {
    rule: 'K3',
    title: 'an overloaded downstream is told apart from a failed record',
    skip: ({ lacks }) => lacks('overload'),
    async run({ harness, world, write }) {
      await harness.overload?.(world)
      const result: readonly WriteOutcome[] = await write(0, 2).then(
        (resolved) => outcomes(resolved, 2),
        (error: unknown) => [{ kind: 'failed', error }],
      )
      for (const outcome of result) {
        const code = outcome.kind === 'failed' ? classify(outcome.error).code : outcome.kind
        check(code === 'HG_OVERLOADED', `an overloaded downstream was reported as ${code}`)
      }
    },
  },
  {
    rule: 'K4',
    title: 'an aborted write ends, and one that was aborted before stores nothing',
    skip: never,
    async run({ harness, world, patienceMs, write }) {
      const refused = write(0, 1, AbortSignal.abort())
      const silent = 'a write whose signal was aborted before did not reject'
      await rejection(within(refused, patienceMs, 'a write whose signal was aborted before did not end'), silent)
      check((await world.stored()).length === 0, 'a write whose signal was aborted before was carried out')
      if (!harness.stall) return
      await harness.stall(world)
      const abort = new AbortController()
      const stalled = write(1, 1, abort.signal).then(
        () => 'resolved',
        () => 'rejected',
      )
      abort.abort()
      await within(stalled, patienceMs, 'a write did not end at its abort')
    },
  },
  {
    rule: 'K5',
    title: 'what counts as written can be read at once, in the order of the batch',
    skip: never,
    async run({ world, sink, write }) {
      const count = Math.min(10, sink.capabilities.maxBatchRecords)
      for (let from = 0; from < 3 * count; from += count) {
        const wrote = outcomes(await write(from, count), count).every(({ kind }) => kind === 'written')
        check(wrote, 'a write without a fault failed')
        const expected = Array.from({ length: from + count }, (_, at) => at)
        const stored = await world.stored()
        check(stored.join() === expected.join(), `${expected.join()} were written, a reader finds ${stored.join()}`)
      }
    },
  },
  {
    rule: 'K6',
    title: 'an atomic sink stores all of a write or nothing',
    skip: ({ capabilities, lacks }) => (capabilities.atomic ? lacks('refuse') : 'it does not claim to be atomic'),
    async run({ harness, world, sink, write }) {
      const count = Math.min(4, sink.capabilities.maxBatchRecords)
      await harness.refuse?.(world, [count - 1])
      const kinds = await write(0, count).then(
        (result) => outcomes(result, count).map(({ kind }) => kind),
        () => ['rejected'],
      )
      check(!kinds.includes('written'), `one record was refused, and the outcomes are ${kinds.join()}`)
      const stored = await world.stored()
      check(stored.length === 0, `one record was refused, and ${stored.length} others were stored`)
    },
  },
  {
    rule: 'K7',
    title: 'closing again does nothing',
    skip: never,
    async run({ world, sink, patienceMs, write }) {
      await write(0, 1)
      const { signal } = new AbortController()
      await within(sink.close(signal), patienceMs, 'close did not finish')
      await within(sink.close(signal), patienceMs, 'the second close did not finish')
      const kept = async (): Promise<boolean> => (await world.stored()).join() === '0'
      await until(kept, patienceMs, 'closing changed what is stored')
    },
  },
]

/** The cases that a sink must pass. Run all of them; those that cannot apply say why in `skip`. */
export function sinkConformance<W extends SinkWorld>(harness: SinkHarness<W>): ConformanceCase[] {
  const { capabilities } = harness
  const lacks = (ability: Ability): string | null => (harness[ability] ? null : `the harness lacks ${ability}`)
  return RULES.map((rule) => ({
    rule: rule.rule,
    title: rule.title,
    skip: rule.skip({ capabilities, lacks }),
    run: () => play(harness, rule),
  }))
}

async function play<W extends SinkWorld>(harness: SinkHarness<W>, rule: SinkRule): Promise<void> {
  const world = await harness.create()
  const made = world.sink()
  let closed = false
  const sink: Sink<unknown> = {
    name: made.name,
    capabilities: made.capabilities,
    open: (context, abort) => made.open(context, abort),
    write: (values, abort) => made.write(values, abort),
    close(abort) {
      closed = true
      return made.close(abort)
    },
  }
  const { signal } = new AbortController()
  const batch = (from: number, count: number): SinkBatch<unknown> => ({
    values: Array.from({ length: count }, (_, at) => world.value(from + at)),
    origins: Array.from({ length: count }, (_, at) => origin(from + at)),
  })
  try {
    for (const name of ['maxBatchRecords', 'maxInFlightWrites', 'idempotent', 'atomic'] as const) {
      const [said, is] = [harness.capabilities[name], sink.capabilities[name]]
      check(said === is, `the harness says ${name} is ${said}, the sink says ${is}`)
    }
    await sink.open({ log: SILENT_LOGGER }, signal)
    const write = (from: number, count: number, abort = signal): Promise<WriteResult> =>
      sink.write(batch(from, count), abort)
    await rule.run({ harness, world, sink, write, patienceMs: harness.patienceMs ?? 5_000 })
  } finally {
    if (!closed) await made.close(signal)
    await world.destroy()
  }
}

function origin(offset: number): RecordInfo {
  return { key: `key-${offset}`, partition: 'p/0', offset, timestampMs: Date.now(), headers: NO_HEADERS, bytes: 64 }
}
