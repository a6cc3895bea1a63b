/** What the doctor says of the throttled pipeline of `sample-status.ts`, and of one that is overloaded; tests share them. */
import type { Diagnosis, Knob, StageDiagnosis } from '../../src/model/diagnosis.ts'
import { SLOT_STATES, type SlotState, type WaitStatus } from '../../src/model/status.ts'

export function shares(given: Partial<Record<SlotState, number>>): Record<SlotState, number> {
  return Object.fromEntries(SLOT_STATES.map((state) => [state, given[state] ?? 0])) as Record<SlotState, number>
}

export function stageDiagnosis(given: Partial<StageDiagnosis> & Pick<StageDiagnosis, 'name' | 'kind'>): StageDiagnosis {
  return {
    states: shares({}),
    slots: null,
    inPerSecond: 333,
    outPerSecond: 320,
    attemptsPerSecond: 0,
    latencyMs: null,
    bestLatencyMs: null,
    cpuMsPerRecord: 0.02,
    reasons: { running: 1 },
    mark: null,
    ...given,
  }
}

function knob(given: Partial<Knob> & Pick<Knob, 'knob' | 'setting' | 'advice'>): Knob {
  return {
    stage: 'fraud',
    from: null,
    to: null,
    predicted: { completionPerSecond: 333, latencyMs: null },
    gainRatio: 1,
    nextBottleneck: { stage: 'fraud', kind: 'local-limit' },
    live: false,
    sentence: '',
    ...given,
  }
}

function place(name: string, kind: WaitStatus['kind'], owner: string, given: Partial<WaitStatus>): WaitStatus {
  return { name, kind, owner, records: 0, bytes: 0, seconds: 0, limitRecords: null, ...given }
}

export function sampleDiagnosis(given: Partial<Diagnosis> = {}): Diagnosis {
  const sentence = "'fraud' runs at its own rate limit of 333/s, and everything below keeps up."
  return {
    schema: 1,
    pipeline: 'payment-enrichment',
    state: 'running',
    atMs: 1_070_000,
    window: { ms: 5000, completions: 1665 },
    health: {
      kind: 'throttling',
      fallingBehind: true,
      etaMs: null,
      breachMs: null,
      metastable: false,
      sentence:
        'Throttling as told, and falling behind: 1,667/s arrive, 333/s are let through; the rest waits in payments.',
    },
    verdict: {
      bottleneck: 'fraud',
      kind: 'local-limit',
      confidence: 0.94,
      sentence,
      evidence: [
        { name: 'RATE of fraud', value: 0.62, unit: 'share', meaning: 'of slot time spent held by the rate limit' },
        { name: 'completion rate', value: 333.2, unit: '/s', meaning: 'the limit is 333.3/s' },
        { name: 'one call', value: 52.4, unit: 'ms', meaning: 'against 48 ms when the downstream has nothing to do' },
        { name: 'refused', value: 0, unit: 'share', meaning: 'of the attempts were answered with 429' },
      ],
      second: null,
      sinceMs: 1_012_000,
    },
    flow: {
      completionPerSecond: 333,
      latencyMs: 1210,
      latencySinceStartMs: { p50: 1200, p95: 3000, p99: 3400, max: 9000 },
      queueAgeMs: 190_000,
      arrivalsPerSecond: 1667,
      pulledPerSecond: 335,
      backlogRecords: 318_204,
      backlogSlope: 1332,
      capacityPerSecond: 333.3,
    },
    knobs: [
      knob({
        knob: "rate of 'fraud'",
        setting: 'rate',
        from: 333,
        to: 500,
        advice: 'turn',
        gainRatio: 1.5,
        predicted: { completionPerSecond: 500, latencyMs: 56 },
        nextBottleneck: { stage: 'fraud', kind: 'downstream-latency' },
        live: true,
        sentence: 'If the contract allows it, 500/s instead of 333/s give half as much again.',
      }),
      knob({
        knob: "slots of 'fraud'",
        setting: 'concurrency',
        from: 64,
        to: 24,
        advice: 'safe',
        predicted: { completionPerSecond: 333, latencyMs: 49 },
        live: true,
        sentence: 'Fewer slots cost nothing here and keep fewer records in memory.',
      }),
      knob({
        knob: 'processes',
        setting: 'replicas',
        stage: null,
        from: 1,
        to: 4,
        advice: 'hurts',
        predicted: { completionPerSecond: 333, latencyMs: 210 },
        sentence: 'Each process would keep to the same limit, and the downstream would refuse the rest.',
      }),
    ],
    stages: [
      stageDiagnosis({ name: 'positive', kind: 'filter', mark: 'pushed-back' }),
      stageDiagnosis({
        name: 'fraud',
        kind: 'call',
        slots: 64,
        states: shares({ RATE: 0.62, AWAIT: 0.27, BACKOFF: 0.02, IDLE: 0.09 }),
        attemptsPerSecond: 340,
        latencyMs: 52.4,
        bestLatencyMs: 48,
        reasons: { rate: 0.93, running: 0.07 },
        mark: 'bottleneck',
      }),
      stageDiagnosis({ name: 'batch', kind: 'batch' }),
      stageDiagnosis({
        name: 'enriched',
        kind: 'sink',
        slots: 4,
        states: shares({ AWAIT: 0.08, LINGER: 0.1, IDLE: 0.82 }),
        attemptsPerSecond: 7,
        latencyMs: 11,
        bestLatencyMs: 9,
        mark: 'starved',
      }),
    ],
    sources: [
      {
        name: 'payments',
        states: { FETCH: 0.02, COMMIT: 0, BLOCKED: 0.98, NO_INPUT: 0 },
        inPerSecond: 335,
        arrivalsPerSecond: 1667,
        backlogRecords: 318_204,
      },
    ],
    process: {
      loopUtilisation: 0.12,
      gcShare: 0.008,
      unattributedShare: 0.03,
      cpuPerBusy: 0.98,
      heapUsedBytes: 52e6,
      heapLimitBytes: 4_345e6,
      rssBytes: 142e6,
    },
    places: [
      place('payments backlog', 'backlog', 'payments', { records: 318_204, bytes: null, seconds: 955 }),
      place('prefetch', 'prefetch', 'payments', {}),
      place('fraud queue', 'queue', 'fraud', { records: 1020, bytes: 1_050_000, seconds: 3.1, limitRecords: 2000 }),
      place('fraud calls', 'in-call', 'fraud', { records: 64, bytes: 66_000, seconds: 0.2, limitRecords: 64 }),
      place('fraud backoff', 'backoff', 'fraud', { limitRecords: 2000 }),
      place('batch', 'batch', 'batch', { records: 120, bytes: 122_000, seconds: 0.3, limitRecords: 500 }),
    ],
    placesCheck: { records: 1204, items: 1204, admitted: 1204, holds: true },
    hotKeys: [
      { source: 'payments', key: 'account-1', share: 0.031 },
      { source: 'payments', key: 'account-7', share: 0.012 },
    ],
    partitions: Array.from({ length: 4 }, (_, index) => ({
      source: 'payments',
      partition: `payments-${index}`,
      share: 0.25,
      lagRecords: 79_551,
      lagMs: 190_000 - 1_000 * index,
      queuedRecords: 300 + index,
      uncommittedRecords: 120 + index,
      watermark: 5_600 + index,
      oldestMs: 3_600 - 100 * index,
    })),
    lastFailures: [
      {
        source: 'payments',
        partition: 'payments-3',
        offset: 4711,
        stage: 'fraud',
        code: 'HG_TIMEOUT',
        message: 'no answer within 2,000 ms',
        atMs: 1_061_000,
      },
    ],
    selfChecks: { statesError: 0.001, littleError: 0.02, holds: true },
    autoscale: {
      desired: 1,
      current: 1,
      action: 'hold',
      reason: 'its own rate limit: more processes would not help',
      need: 6,
      cap: 1,
      perReplicaPerSecond: 333,
      sentence: 'Hold at 1: its own rate limit: more processes would not help.',
    },
    mistakes: [],
    profile: null,
    ...given,
  }
}

/** The orders of a saturated downstream: more slots and more processes only make each call slower. */
export function overloadedDiagnosis(): Diagnosis {
  const sample = sampleDiagnosis()
  const sentence =
    "'fraud': its downstream is saturated (92 %). Halving the slots from 32 to 16 left the completion rate at 250/s; a call takes 128 ms against 12 ms when it is idle."
  return {
    ...sample,
    health: {
      kind: 'overload',
      fallingBehind: false,
      etaMs: null,
      breachMs: 240_000,
      metastable: false,
      sentence: 'Overload: 412/s arrive and 250/s are completed.',
    },
    verdict: { ...sample.verdict, kind: 'downstream-saturated', confidence: 0.92, sentence },
    stages: sample.stages.map((stage) =>
      stage.name === 'fraud' ? { ...stage, states: shares({ AWAIT: 0.99, IDLE: 0.01 }), latencyMs: 128 } : stage,
    ),
  }
}
