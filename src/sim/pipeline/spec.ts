/**
 * What a simulated pipeline is made of: a broker, one thread, a call to a downstream, batches into a sink. A spec and a
 * seed determine a run completely. Times are in milliseconds of virtual time.
 */

export interface PipelineSpec {
  readonly durationMs: number
  readonly source: SourceSide
  /** The synchronous stage `parse`. */
  readonly parse: { readonly cpuMs: number }
  /** The call stage `enrich`. */
  readonly enrich: CallSide
  readonly batch: { readonly records: number; readonly withinMs: number }
  /** The sink `store`. */
  readonly store: SinkSide
  readonly thread: ThreadSide
  readonly admission: { readonly records: number; readonly residenceMs: number; readonly uncommittedRecords: number }
  /** `factor` times as many records for a while. */
  readonly burst?: { readonly factor: number; readonly fromMs: number; readonly forMs: number }
  /** Half of the partitions go and come back. */
  readonly rebalanceAtMs?: number
  /** What it becomes while it runs, in the order of time. */
  readonly changes?: readonly Change[]
}

/**
 * From `atMs` on the surroundings are as `to` has them: the thread, the broker's arrivals and times, the downstream, the
 * sink, and the rate of `enrich`. What the plan rests on (order, slots, batches, budgets) stays as it was.
 */
export interface Change {
  readonly atMs: number
  readonly to: PipelineSpec
}

export interface SourceSide {
  readonly perSecond: number
  readonly partitions: number
  /** Of the records; the others share the rest evenly. */
  readonly largestPartition: number
  readonly keys: number
  readonly hottestKey: number
  /** A pull takes this, and this a record, and brings at most so many. */
  readonly fetchMs: number
  readonly fetchEachMs: number
  readonly fetchRecords: number
  readonly commitMs: number
  readonly commitEveryMs: number
}

export interface CallSide {
  readonly slots: number
  /** The largest that an adaptive limit may find; null for a fixed one. */
  readonly adaptiveMax: number | null
  readonly order: 'none' | 'key' | 'partition'
  readonly latencyMs: number
  /** Standard deviation ÷ mean. */
  readonly cv: number
  /** A share of the calls takes ten times as long. */
  readonly slowShare: number
  /** Calls that the downstream serves at once; null: any number. */
  readonly servers: number | null
  /** Starting a call takes this of the thread. */
  readonly cpuMs: number
  readonly ratePerSecond: number | null
  /** What the downstream grants; more is refused with 429 and Retry-After. */
  readonly quotaPerSecond: number | null
  /** Attempts that fail after the latency. */
  readonly failShare: number
  readonly attempts: number
  readonly retryBudget: number
  readonly pool: number | null
  readonly timeoutMs: number
  /** Records that may wait before it: how far a blocked key is looked past. */
  readonly queueRecords: number
  /** From then on no call is answered; Infinity: never. */
  readonly hangsFromMs: number
}

export interface SinkSide {
  readonly writes: number
  readonly fixedMs: number
  readonly eachMs: number
  readonly cpuFixedMs: number
  readonly cpuEachMs: number
}

export interface ThreadSide {
  /** The engine's own work for each thing that happens. */
  readonly engineMs: number
  /** What runs after the answer of each call, in code that no stage is charged for. */
  readonly afterCallMs: number
  /** Code of no stage keeps the thread for `blockMs` every `blockEveryMs`; 0: never. */
  readonly blockMs: number
  readonly blockEveryMs: number
  /** Collections keep it for `gcMs` after every `gcEveryRecords`. */
  readonly gcMs: number
  readonly gcEveryRecords: number
  /** Of the time that it wants, the thread is given this share. */
  readonly granted: number
}
