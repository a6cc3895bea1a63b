/**
 * Healthy pipelines by seed: what differs between them is what a doctor must not rest on. Each lets about `capacity`
 * records a second through, held by its call's slots, and everything else has room for more than twice as many.
 */
import { SeededRandom } from '../../src/control/random.ts'
import type { PipelineSpec } from '../../src/sim/pipeline/spec.ts'

export interface Base {
  readonly spec: PipelineSpec
  /** Records a second. */
  readonly capacity: number
}

/** Seeds on which the rules were looked at and their thresholds chosen. */
export const TUNING_SEEDS = [1, 2, 3, 4, 5]
/** Seeds that no threshold has seen. The figures are of these. */
export const NEVER_TUNED_SEEDS = [101, 102, 103, 104, 105]

export function baseOf(seed: number, durationMs: number): Base {
  const random = new SeededRandom(seed ^ 0xba5e)
  const between = (low: number, high: number): number => low * (high / low) ** random.next()
  const slots = Math.round(between(8, 32))
  const latencyMs = Math.round(between(60, 160))
  const capacity = (slots * 1000) / latencyMs
  const cv = random.next() < 0.3 ? 0 : between(0.1, 0.5)
  const loop = between(0.15, 0.3)
  // Of the thread's time at capacity: half for the stages' own code, half for the rest.
  const cpuMs = (loop * 1000) / capacity
  const batchRecords = Math.round(between(50, 200))
  const fixedMs = between(5, 25)
  return {
    capacity,
    spec: {
      durationMs,
      source: {
        perSecond: capacity,
        partitions: 64,
        largestPartition: 1 / 64,
        keys: 20_000,
        hottestKey: 0,
        fetchMs: between(2, 8),
        fetchEachMs: 0,
        fetchRecords: 2000,
        commitMs: between(5, 30),
        commitEveryMs: 1000,
      },
      parse: { cpuMs: cpuMs / 4 },
      enrich: {
        slots,
        adaptiveMax: null,
        order: 'none',
        latencyMs,
        cv,
        slowShare: 0,
        servers: null,
        cpuMs: cpuMs / 4,
        ratePerSecond: null,
        quotaPerSecond: null,
        failShare: 0,
        attempts: 5,
        retryBudget: 0.1,
        pool: null,
        timeoutMs: 30_000,
        queueRecords: 1024,
        hangsFromMs: Number.POSITIVE_INFINITY,
      },
      batch: { records: batchRecords, withinMs: 50 },
      store: { writes: 4, fixedMs, eachMs: fixedMs / 300, cpuFixedMs: 0.2, cpuEachMs: cpuMs / 20 },
      thread: {
        engineMs: cpuMs / 8,
        afterCallMs: cpuMs / 8,
        blockMs: 0,
        blockEveryMs: 0,
        gcMs: 2,
        gcEveryRecords: capacity / 3,
        granted: 1,
      },
      admission: { records: 10_000, residenceMs: 30_000, uncommittedRecords: 100_000 },
    },
  }
}
