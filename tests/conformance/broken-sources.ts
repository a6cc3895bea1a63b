/**
 * Sources that break one rule each: thin wrappers around the memory topic's source. `broken.test.ts` expects that the
 * suite catches each by the rule it breaks and by no other.
 */
import type { SourceHarness } from 'headgate/conformance'
import type { Position, Pulled, Source, SourceContext } from '../../src/model/connector.ts'
import { HeadgateError } from '../../src/model/errors.ts'
import { type TopicWorld, topicHarness } from '../connectors/memory/harness.ts'

export interface Mutant {
  readonly rule: string
  readonly defect: string
  readonly harness: SourceHarness<TopicWorld>
}

type Break = (source: Source, world: TopicWorld, opened: number) => Partial<Source>

const PREFETCH = 12

function mutant(rule: string, defect: string, change: Break, harness: Partial<SourceHarness<TopicWorld>> = {}): Mutant {
  const whole = topicHarness(PREFETCH)
  const create = async (options: { partitions: number }): Promise<TopicWorld> => {
    const world = await whole.create(options)
    let opened = 0
    const source = (): Source => {
      const inner = world.source()
      opened += 1
      return { ...delegate(inner), ...change(inner, world, opened) }
    }
    return { ...world, source }
  }
  return { rule, defect, harness: { ...whole, ...harness, create, patienceMs: 1000 } }
}

function delegate(source: Source): Source {
  return {
    name: source.name,
    capabilities: source.capabilities,
    open: (context, signal) => source.open(context, signal),
    pull: (request) => source.pull(request),
    held: () => source.held(),
    commit: (positions) => source.commit(positions),
    backlog: (signal) => source.backlog(signal),
    quiesce: (signal) => source.quiesce(signal),
    close: (signal) => source.close(signal),
  }
}

const withContext = (source: Source, change: (context: SourceContext) => Partial<SourceContext>): Partial<Source> => ({
  open: (context, signal) => source.open({ ...context, ...change(context) }, signal),
})

const mapBatches = (
  pulled: Pulled,
  change: (batch: Pulled['batches'][number]) => Pulled['batches'][number],
): Pulled => ({
  ...pulled,
  batches: pulled.batches.map(change).filter((batch) => batch.records.length > 0),
})

const EMPTY: Pulled = { batches: [], ended: false }

export const BROKEN_SOURCES: readonly Mutant[] = [
  mutant('S1', 'returns one record more than the credit', (source) => ({
    pull: (request) => source.pull({ ...request, credit: { ...request.credit, records: request.credit.records + 1 } }),
  })),
  mutant('S2', 'does not look at bytes', (source) => ({
    pull: (request) => source.pull({ ...request, credit: { ...request.credit, bytes: Number.POSITIVE_INFINITY } }),
  })),
  mutant('S2', 'charges nothing for a payload', (source) => ({
    pull: async (request) =>
      mapBatches(await source.pull(request), (batch) => ({
        ...batch,
        records: batch.records.map((record) => ({ ...record, bytes: 0 })),
      })),
  })),
  mutant('S3', 'returns a batch backward', (source) => ({
    pull: async (request) =>
      mapBatches(await source.pull(request), (batch) => ({ ...batch, records: batch.records.toReversed() })),
  })),
  mutant('S3', 'delivers under a stale epoch', (source) => ({
    pull: async (request) => mapBatches(await source.pull(request), (batch) => ({ ...batch, epoch: batch.epoch - 1 })),
  })),
  mutant('S4', 'does not look at paused', (source) => ({
    pull: (request) => source.pull({ ...request, paused: new Set() }),
  })),
  mutant('S4', 'stops everything while one partition is paused', (source, world) => ({
    pull: (request) => source.pull({ ...request, paused: new Set(request.paused.size > 0 ? world.partitions : []) }),
  })),
  mutant('S5', 'leaves out the first record that comes back', (source, _world, opened) => {
    const fresh = new Set<string>()
    return {
      pull: async (request) =>
        mapBatches(await source.pull(request), (batch) => {
          if (opened === 1 || fresh.has(batch.partition)) return batch
          fresh.add(batch.partition)
          return { ...batch, records: batch.records.slice(1) }
        }),
    }
  }),
  mutant('S6', 'takes any epoch for the present one', (source) => {
    const epochs = new Map<string, number>()
    const current = (position: Position): Position => ({
      ...position,
      epoch: epochs.get(position.partition) ?? position.epoch,
    })
    return {
      ...withContext(source, (context) => ({
        onAssigned(assignments) {
          for (const { partition, epoch } of assignments) epochs.set(partition, epoch)
          context.onAssigned(assignments)
        },
      })),
      commit: (positions) => source.commit(positions.map(current)),
    }
  }),
  rewinding(),
  mutant('S7', 'refuses to repeat a commit', (source) => {
    const stored = new Set<string>()
    return {
      async commit(positions) {
        const name = JSON.stringify(positions)
        if (stored.has(name)) throw new HeadgateError('HG_COMMIT_FAILED', 'this was committed already')
        await source.commit(positions)
        stored.add(name)
      },
    }
  }),
  mutant('S7', 'says nothing of a commit that moves a partition back', (source) => ({
    async commit(positions) {
      await source.commit(positions).catch((thrown: unknown) => {
        if (!(thrown instanceof HeadgateError && thrown.code === 'HG_COMMIT_FAILED')) throw thrown
      })
    },
  })),
  mutant('S8', 'counts what it holds as backlog', (source) => ({
    held: () => ({ records: 0, bytes: 0 }),
    async backlog(signal) {
      const [first, ...others] = await source.backlog(signal)
      return first ? [{ ...first, records: (first.records ?? 0) + source.held().records }, ...others] : []
    },
  })),
  mutant(
    'S9',
    'loses its partitions when it is not pulled',
    (source, { topic, partitions }) => {
      let pulledAt = performance.now()
      return {
        async pull(request) {
          if (performance.now() - pulledAt > 1_000) topic.lose('group', partitions)
          const pulled = await source.pull(request)
          pulledAt = performance.now()
          return pulled
        },
      }
    },
    { sessionMs: 400 },
  ),
  mutant('S10', 'does not wait for the last commit', (source) =>
    withContext(source, (context) => ({
      async onRevoked(partitions, graceMs) {
        void context.onRevoked(partitions, graceMs)
      },
    })),
  ),
  mutant('S10', 'gives up a partition without a word', (source) =>
    withContext(source, () => ({ async onRevoked() {} })),
  ),
  mutant('S11', 'pretends to commit what is lost', (source) => {
    const lost = new Set<string>()
    return {
      ...withContext(source, (context) => ({
        onAssigned(assignments) {
          for (const { partition } of assignments) lost.delete(partition)
          context.onAssigned(assignments)
        },
        onLost(partitions) {
          for (const partition of partitions) lost.add(partition)
          context.onLost(partitions)
        },
      })),
      commit: (positions) => source.commit(positions.filter(({ partition }) => !lost.has(partition))),
    }
  }),
  mutant('S11', 'does not tell that a partition is lost', (source) => withContext(source, () => ({ onLost() {} }))),
  mutant('S12', 'keeps what it holds', () => ({ async quiesce() {} })),
  mutant('S12', 'commits nothing once it is quiet', (source) => {
    let quiet = false
    return {
      quiesce(signal) {
        quiet = true
        return source.quiesce(signal)
      },
      commit: (positions) => (quiet ? Promise.resolve() : source.commit(positions)),
    }
  }),
  mutant('S13', 'leaves a pull waiting when it is closed', (source) => ({
    async pull(request) {
      const pulled = await source.pull(request)
      if (request.waitMs < 1_000 || request.signal.aborted) return pulled
      return new Promise(() => {})
    },
  })),
  mutant('S13', 'cannot be closed twice', (source) => {
    let closed = false
    return {
      async close(signal) {
        if (closed) throw new Error('it is closed')
        closed = true
        await source.close(signal)
      },
    }
  }),
  mutant('S13', 'loses what it had when a pull is aborted', (source) => ({
    async pull(request) {
      const pulled = await source.pull(request)
      if (request.signal.aborted) {
        await source.pull({ ...request, paused: new Set(), signal: new AbortController().signal })
      }
      return pulled
    },
  })),
  mutant('S14', 'counts a record too many', (source) => ({
    async backlog(signal) {
      const [first, ...others] = await source.backlog(signal)
      return first ? [{ ...first, records: (first.records ?? 0) + 1 }, ...others] : []
    },
  })),
  mutant('S15', 'does not come back after an error', (source) => {
    let broken = false
    return {
      async pull(request) {
        if (broken) return EMPTY
        try {
          return await source.pull(request)
        } catch (thrown) {
          broken = true
          throw thrown
        }
      },
    }
  }),
  mutant('S15', 'takes a lost connection for a defect', (source) => ({
    pull: (request) =>
      source.pull(request).catch((cause) => {
        throw new HeadgateError('HG_INVARIANT', 'the client is in a bad state', { cause })
      }),
  })),
  mutant('S16', 'cuts doneAhead short', (source) =>
    withContext(source, (context) => ({
      onAssigned: (assignments) =>
        context.onAssigned(
          assignments.map((assignment) => ({ ...assignment, doneAhead: assignment.doneAhead?.subarray(1) ?? null })),
        ),
    })),
  ),
  remembering(),
]

/** Reports the last committed offset, whatever it was, at the next assignment. */
function rewinding(): Mutant {
  const stored = new WeakMap<object, Map<string, number>>()
  return mutant('S7', 'lets a commit move a partition back', (source, { topic }) => {
    const last = stored.get(topic) ?? new Map<string, number>()
    stored.set(topic, last)
    return {
      ...withContext(source, (context) => ({
        onAssigned: (assignments) =>
          context.onAssigned(
            assignments.map((assignment) => ({
              ...assignment,
              nextOffset: last.get(assignment.partition) ?? assignment.nextOffset,
            })),
          ),
      })),
      async commit(positions) {
        try {
          await source.commit(positions)
        } catch (thrown) {
          if (!(thrown instanceof HeadgateError) || thrown.code !== 'HG_COMMIT_FAILED') throw thrown
        }
        for (const { partition, nextOffset } of positions) last.set(partition, nextOffset)
      },
    }
  })
}

/** Keeps the last doneAhead that was not null. */
function remembering(): Mutant {
  const stored = new WeakMap<object, Map<string, Uint8Array>>()
  return mutant('S16', 'keeps an old doneAhead when a commit has none', (source, { topic }) => {
    const last = stored.get(topic) ?? new Map<string, Uint8Array>()
    stored.set(topic, last)
    return {
      commit(positions) {
        for (const { partition, doneAhead } of positions) if (doneAhead) last.set(partition, doneAhead)
        return source.commit(
          positions.map((position) => ({ ...position, doneAhead: last.get(position.partition) ?? null })),
        )
      },
    }
  })
}
