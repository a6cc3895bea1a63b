/** Sinks that break one rule each: thin wrappers around the memory sink, for `broken.test.ts`. */
import type { SinkHarness } from 'headgate/conformance'
import type { Sink, WriteOutcome } from '../../src/model/connector.ts'
import { type MemorySinkWorld, sinkHarness } from '../connectors/memory/harness.ts'

export interface BrokenSink {
  readonly rule: string
  readonly defect: string
  readonly harness: SinkHarness<MemorySinkWorld>
}

type Break = (sink: Sink<unknown>) => Partial<Sink<unknown>>

function mutant(
  rule: string,
  defect: string,
  change: Break,
  changed: Partial<SinkHarness<MemorySinkWorld>> = {},
): BrokenSink {
  const whole = sinkHarness({ maxInFlightWrites: 4, latencyMs: 1, atomic: false })
  const create = async (): Promise<MemorySinkWorld> => {
    const world = await whole.create()
    const inner = world.sink()
    const sink: Sink<unknown> = {
      name: inner.name,
      capabilities: changed.capabilities ?? inner.capabilities,
      open: (context, signal) => inner.open(context, signal),
      write: (batch, signal) => inner.write(batch, signal),
      close: (signal) => inner.close(signal),
      ...change(inner),
    }
    // The harness changes the world it made, so this one must share its fields.
    return Object.assign(world, { sink: () => sink })
  }
  return { rule, defect, harness: { ...whole, patienceMs: 1000, ...changed, create } }
}

const { capabilities } = sinkHarness({ maxInFlightWrites: 4 })

export const BROKEN_SINKS: readonly BrokenSink[] = [
  mutant('K1', 'gives the outcomes in another order', (sink) => ({
    async write(batch, signal) {
      const result = await sink.write(batch, signal)
      return result === 'written' ? result : result.toReversed()
    },
  })),
  mutant('K1', 'gives outcomes only of what was refused', (sink) => ({
    async write(batch, signal) {
      const result = await sink.write(batch, signal)
      return result === 'written' ? result : result.filter(({ kind }) => kind !== 'written')
    },
  })),
  mutant('K2', 'drops a write when another is in progress', (sink) => {
    let inFlight = 0
    return {
      async write(batch, signal) {
        if (inFlight > 0) return 'written'
        inFlight += 1
        return sink.write(batch, signal).finally(() => {
          inFlight -= 1
        })
      },
    }
  }),
  mutant('K3', 'reports an overload as any failure', (sink) => ({
    async write(batch, signal) {
      const result = await sink.write(batch, signal)
      const plain = (outcome: WriteOutcome): WriteOutcome =>
        outcome.kind === 'failed' ? { kind: 'failed', error: new Error('503') } : outcome
      return result === 'written' ? result : result.map(plain)
    },
  })),
  mutant('K4', 'does not look at the signal', (sink) => ({
    write: (batch) => sink.write(batch, new AbortController().signal),
  })),
  stalling(),
  mutant('K5', 'writes a batch backward', (sink) => ({
    async write(batch, signal) {
      const backward = { values: batch.values.toReversed(), origins: batch.origins.toReversed() }
      const result = await sink.write(backward, signal)
      return result === 'written' ? result : result.toReversed()
    },
  })),
  mutant(
    'K5',
    'answers before the records are stored',
    (sink) => ({
      async write(batch, signal) {
        signal.throwIfAborted()
        setTimeout(() => void sink.write(batch, signal).catch(() => {}), 5)
        return 'written'
      },
      async close() {},
    }),
    { refuse: undefined, overload: undefined, capabilities: { ...capabilities, maxInFlightWrites: 4 } },
  ),
  mutant('K6', 'claims to be atomic', () => ({}), { capabilities: { ...capabilities, atomic: true } }),
  mutant('K7', 'cannot be closed twice', (sink) => {
    let closed = false
    return {
      async close(signal) {
        if (closed) throw new Error('it is closed')
        closed = true
        await sink.close(signal)
      },
    }
  }),
]

/** Its writes never end once the downstream is stalled, aborted or not. */
function stalling(): BrokenSink {
  let isStalled = false
  return mutant(
    'K4',
    'does not end a stalled write at its abort',
    (sink) => {
      isStalled = false
      return { write: (batch, signal) => (isStalled ? new Promise(() => {}) : sink.write(batch, signal)) }
    },
    {
      async stall() {
        isStalled = true
      },
    },
  )
}
