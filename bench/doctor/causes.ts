/**
 * The causes that are planted: each takes a healthy pipeline and leaves a given share of its capacity. What a doctor
 * should say of it is written beside it, by the one who planted it and before any run.
 */
import type { CauseKind } from '../../src/model/diagnosis.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'
import type { Base } from './base.ts'

export interface Cause {
  readonly name: string
  /** Right answers. */
  readonly kinds: readonly CauseKind[]
  /** The stage or source at fault; null for the process. */
  readonly bottleneck: string | null
  /** What it changes that another cause may change as well. */
  readonly undoes: readonly string[]
  /** Before that it does nothing. */
  readonly fromMs: number
  /** `left`: share of the capacity that remains. */
  plant(base: Base, left: number): PipelineSpec
}

function cause(
  name: string,
  bottleneck: string | null,
  kinds: readonly CauseKind[],
  change: (base: Base, perSecond: number, left: number) => Partial<PipelineSpec>,
): Cause {
  return {
    name,
    bottleneck,
    kinds,
    undoes: UNDOES[name] ?? [],
    fromMs: name === HANGING ? HANGS_FROM_MS : 0,
    plant: (base, left) => ({ ...base.spec, ...change(base, base.capacity * left, left) }),
  }
}

/** Of the thread at capacity, without what is planted. */
function threadMs({ spec: { parse, enrich, thread, store } }: Base): number {
  return parse.cpuMs + enrich.cpuMs + thread.afterCallMs + thread.engineMs + store.cpuEachMs
}

const HANGING = 'hanging downstream'
const HANGS_FROM_MS = 3000

/** Of those that share a setting one would undo the other. */
const UNDOES: Readonly<Record<string, readonly string[]>> = {
  'own CPU': ['thread'],
  'foreign code on the loop': ['thread', 'loop'],
  'garbage collection': ['thread', 'loop'],
  'starved host': ['thread', 'loop'],
  'CPU for each write': ['thread', 'write'],
  'batches too small': ['write'],
  'slow sink': ['write'],
  'slow downstream': ['latency'],
  'saturated downstream': ['latency'],
  'pool too small': ['latency'],
  retries: ['latency'],
  'hot key': ['order', 'latency'],
  'hot partition': ['order', 'latency'],
  'slow source': ['source'],
  'slow commits': ['source'],
  [HANGING]: ['latency'],
}

/** How far a blocked key or partition is looked past: the fewer, the sooner it is felt. */
const AHEAD = 128

export const CAUSES: readonly Cause[] = [
  cause('own CPU', 'parse', ['own-cpu'], (base, perSecond) => ({
    parse: { cpuMs: base.spec.parse.cpuMs + Math.max(0, 990 / perSecond - threadMs(base)) },
  })),
  cause('foreign code on the loop', null, ['foreign-code'], (base, perSecond) => {
    const own = (threadMs(base) * perSecond) / 1000
    const blockMs = 40
    // As often as leaves the thread just enough for so many records.
    return { thread: { ...base.spec.thread, blockMs, blockEveryMs: (blockMs * own) / Math.max(0.05, 1 - own) } }
  }),
  cause('slow downstream', 'enrich', ['downstream-latency'], ({ spec: { enrich } }, _, left) => ({
    enrich: { ...enrich, latencyMs: enrich.latencyMs / left },
  })),
  cause('saturated downstream', 'enrich', ['downstream-saturated'], ({ spec: { enrich } }, _, left) => ({
    enrich: { ...enrich, servers: Math.max(1, Math.round(enrich.slots * left)) },
  })),
  cause('429 from the downstream', 'enrich', ['remote-limit'], ({ spec: { enrich } }, perSecond) => ({
    enrich: { ...enrich, quotaPerSecond: perSecond },
  })),
  cause('own rate limit', 'enrich', ['local-limit'], ({ spec: { enrich } }, perSecond) => ({
    enrich: { ...enrich, ratePerSecond: perSecond },
  })),
  cause('hot key', 'enrich', ['key-skew'], ({ spec: { enrich, source } }, perSecond) => ({
    enrich: { ...enrich, order: 'key', queueRecords: AHEAD },
    source: { ...source, hottestKey: Math.min(0.95, 1000 / (perSecond * enrich.latencyMs)) },
  })),
  cause('hot partition', 'enrich', ['partition-skew'], ({ spec: { enrich, source } }, perSecond) => ({
    enrich: { ...enrich, order: 'partition', queueRecords: AHEAD },
    source: { ...source, largestPartition: Math.min(0.95, 1000 / (perSecond * enrich.latencyMs)) },
  })),
  cause('batches too small', 'store', ['small-batches'], ({ spec: { store, batch } }, perSecond) => {
    // writes × n ÷ (fixed + each × n) = perSecond, with a fixed part that makes a batch of some tens.
    const fixedMs = 20
    const eachMs = 0.02
    const records = Math.max(1, Math.round((perSecond * fixedMs) / (store.writes * 1000 - perSecond * eachMs)))
    const exact = (records * store.writes * 1000) / perSecond - eachMs * records
    return { store: { ...store, fixedMs: exact, eachMs }, batch: { ...batch, records } }
  }),
  cause('CPU for each write', 'store', ['per-record-overhead'], (base, perSecond) => {
    const records = 8
    const cpuFixedMs = Math.max(0, 990 / perSecond - threadMs(base)) * records
    return { store: { ...base.spec.store, cpuFixedMs }, batch: { ...base.spec.batch, records } }
  }),
  cause('slow source', 'orders', ['slow-fetch'], ({ spec: { source } }, perSecond) => ({
    source: {
      ...source,
      fetchRecords: Math.max(1, Math.round(perSecond * 0.05)),
      fetchMs: (Math.max(1, Math.round(perSecond * 0.05)) * 1000) / perSecond,
    },
  })),
  cause('slow commits', 'orders', ['slow-commit'], ({ spec: { source, admission } }, perSecond) => {
    const commitMs = 800
    // One commit under way at a time, and no more than this delivered meanwhile.
    const uncommittedRecords = Math.max(1, Math.round((perSecond * commitMs) / 1000 / source.partitions))
    return { source: { ...source, commitMs, commitEveryMs: 50 }, admission: { ...admission, uncommittedRecords } }
  }),
  cause('retries', 'enrich', ['retry-storm'], ({ spec: { enrich } }, _, left) => ({
    enrich: { ...enrich, failShare: 1 - left, attempts: 20, retryBudget: 10 },
  })),
  cause('garbage collection', null, ['memory'], (base, perSecond) => {
    const gcMs = 30
    return {
      thread: { ...base.spec.thread, gcMs, gcEveryRecords: gcMs / Math.max(0.01, 990 / perSecond - threadMs(base)) },
    }
  }),
  cause('pool too small', 'enrich', ['pool-wait'], ({ spec: { enrich } }, _, left) => ({
    enrich: { ...enrich, pool: Math.max(1, Math.round(enrich.slots * left)) },
  })),
  cause(HANGING, 'enrich', ['stalled'], ({ spec: { enrich } }) => ({
    enrich: { ...enrich, hangsFromMs: HANGS_FROM_MS },
  })),
  cause('slow sink', 'store', ['slow-sink'], ({ spec: { store, batch } }, perSecond) => {
    // A write takes no more than about half a second.
    const records = Math.max(12, Math.min(batch.records, Math.round(perSecond / store.writes / 2)))
    const eachMs = (store.writes * 1000) / perSecond - 4 / records
    return { store: { ...store, fixedMs: 4, eachMs }, batch: { ...batch, records } }
  }),
  cause('starved host', null, ['starved-host'], (base, perSecond) => ({
    thread: { ...base.spec.thread, granted: Math.min(0.7, (threadMs(base) * perSecond) / 990) },
  })),
]
