/** A status as a throttled payment pipeline shows it after `seconds`; tests and snapshots share it. */
import {
  type LimiterStatus,
  SLOT_STATES,
  type SlotState,
  type StageStatus,
  type Status,
} from '../../src/model/status.ts'

function states(spent: Partial<Record<SlotState, number>>): Record<SlotState, number> {
  return Object.fromEntries(SLOT_STATES.map((state) => [state, spent[state] ?? 0])) as Record<SlotState, number>
}

function stage(given: Partial<StageStatus> & Pick<StageStatus, 'name' | 'kind'>): StageStatus {
  return {
    in: 1000,
    out: 900,
    first: 0,
    attempts: 0,
    ok: 0,
    rejected429: 0,
    failed: 0,
    timeouts: 0,
    inFlight: 0,
    limit: null,
    reason: 'running',
    states: states({}),
    reasonSeconds: {},
    durations: { count: 0, records: 0, ms: 0, cpuMs: 0, bySize: [], byInFlight: [] },
    settings: { order: null, perSecond: null, timeoutMs: null, batchRecords: null },
    latencyMs: { p50: 41, p95: 80, p99: 128.4, max: 400 },
    limiters: [],
    ...given,
  }
}

/** A limiter that holds at 37 calls, unless told otherwise. */
export function sampleLimiter(given: Partial<LimiterStatus> = {}): LimiterStatus {
  return {
    key: null,
    phase: 'track',
    limit: 37,
    inFlight: 37,
    waiting: 1204,
    baselineMs: 48,
    latencyMs: 52.4,
    ratePerSecond: null,
    probing: false,
    gate: 'concurrency',
    gateUntilMs: null,
    breaker: 'closed',
    ...given,
  }
}

export function sampleStatus(seconds: number, given: Partial<Status> = {}): Status {
  const times = (perSecond: number): number => Math.round(perSecond * seconds)
  return {
    schema: 1,
    pipeline: 'payment-enrichment',
    state: 'running',
    error: null,
    startedAtMs: 1_000_000,
    nowMs: 1_000_000 + seconds * 1000,
    records: {
      in: times(335),
      out: times(320),
      filtered: times(13),
      deadLettered: 3,
      skipped: 0,
      returned: 0,
      inFlight: times(2) - 3,
    },
    completionPerSecond: 333,
    latencyMs: { p50: 1200, p95: 3000, p99: 3400, max: 9000 },
    latencyTotalMs: 1300 * times(333),
    queueAgeMs: 190_000,
    admission: {
      records: 1204,
      items: 1204,
      limitRecords: 10_000,
      bytes: 1_250_000,
      limitBytes: 67_108_864,
      reason: 'residence',
    },
    places: [
      {
        name: 'payments backlog',
        kind: 'backlog',
        owner: 'payments',
        records: 318_204,
        bytes: 0,
        seconds: 955,
        limitRecords: null,
      },
      { name: 'prefetch', kind: 'prefetch', owner: 'payments', records: 0, bytes: 0, seconds: 0, limitRecords: null },
      {
        name: 'fraud queue',
        kind: 'queue',
        owner: 'fraud',
        records: 1204,
        bytes: 1_250_000,
        seconds: 3.6,
        limitRecords: 2000,
      },
      {
        name: 'fraud calls',
        kind: 'in-call',
        owner: 'fraud',
        records: 64,
        bytes: 66_000,
        seconds: 0.2,
        limitRecords: 64,
      },
      { name: 'fraud backoff', kind: 'backoff', owner: 'fraud', records: 0, bytes: 0, seconds: 0, limitRecords: 2000 },
      { name: 'batch', kind: 'batch', owner: 'batch', records: 120, bytes: 122_000, seconds: 0.3, limitRecords: 500 },
      {
        name: 'uncommitted',
        kind: 'queue',
        owner: 'enriched',
        records: 512,
        bytes: 0,
        seconds: 1.4,
        limitRecords: 20_000,
      },
    ],
    sources: [
      {
        name: 'payments',
        partitions: 12,
        backlogRecords: 318_204,
        backlogAgeMs: 190_000,
        delivered: times(335),
        arrived: { records: 318_204 + times(335), atMs: 1_000_000 + seconds * 1000 },
        heldRecords: 0,
        heldBytes: 0,
        commits: 12,
        commitFailures: 0,
        uncommittedRecords: 512,
        limitUncommitted: 100_000,
        reason: 'credit',
        states: { FETCH: 0, COMMIT: 0, BLOCKED: seconds, NO_INPUT: 0 },
        byPartition: [],
      },
    ],
    stages: [
      stage({ name: 'positive', kind: 'filter' }),
      stage({
        name: 'fraud',
        kind: 'call',
        first: times(333),
        attempts: times(340),
        ok: times(333),
        rejected429: times(7),
        inFlight: 64,
        limit: 64,
        reason: 'rate',
        states: states({ AWAIT: 45 * seconds, RATE: 14 * seconds, BACKOFF: seconds, IDLE: 4 * seconds }),
      }),
      stage({ name: 'batch', kind: 'batch' }),
      stage({
        name: 'enriched',
        kind: 'sink',
        first: times(7),
        attempts: times(7),
        ok: times(7),
        inFlight: 1,
        limit: 4,
        states: states({ AWAIT: 0.3 * seconds, LINGER: 0.4 * seconds, IDLE: 3.3 * seconds }),
      }),
    ],
    group: { members: 2, mostMembers: 12 },
    checks: { statesError: 0.001, littleError: 0.02 },
    process: {
      loopActiveMs: 120 * seconds,
      loopMs: 1000 * seconds,
      gcMs: 8 * seconds,
      turnsMs: 90 * seconds,
      cpuMs: 118 * seconds,
      heapUsedBytes: 52e6,
      heapLimitBytes: 4_345e6,
      rssBytes: 142e6,
    },
    lastFailures: [],
    hotKeys: [],
    memory: { rssStartBytes: 98e6, rssMaxBytes: 151e6, rssEndBytes: 142e6, heapMaxBytes: 61e6 },
    verdict:
      'Throttling: fraud sustains 333/s and is used at 98%; the backlog waits in payments, memory is flat. ' +
      'More slots would not help.',
    ...given,
  }
}
