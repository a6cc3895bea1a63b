import type { Status } from '../../model/status.ts'

/** The report of a pipeline that never started: everything at zero, and the reason. */
export function neverStarted(pipeline: string, startedAtMs: number, error: { code: string; message: string }): Status {
  const { rss, heapUsed } = process.memoryUsage()
  return {
    schema: 1,
    pipeline,
    state: 'failed',
    error,
    startedAtMs,
    nowMs: Date.now(),
    records: { in: 0, out: 0, filtered: 0, deadLettered: 0, skipped: 0, returned: 0, inFlight: 0 },
    completionPerSecond: 0,
    latencyMs: { p50: 0, p95: 0, p99: 0, max: 0 },
    latencyTotalMs: 0,
    queueAgeMs: 0,
    admission: { records: 0, items: 0, limitRecords: 0, bytes: 0, limitBytes: 0, reason: 'not started' },
    places: [],
    sources: [],
    stages: [],
    group: { members: null, mostMembers: null },
    checks: { statesError: 0, littleError: 0 },
    process: {
      loopActiveMs: 0,
      loopMs: 0,
      gcMs: 0,
      turnsMs: 0,
      cpuMs: 0,
      heapUsedBytes: heapUsed,
      heapLimitBytes: 0,
      rssBytes: rss,
    },
    lastFailures: [],
    hotKeys: [],
    memory: { rssStartBytes: rss, rssMaxBytes: rss, rssEndBytes: rss, heapMaxBytes: heapUsed },
    verdict: 'The pipeline could not start.',
  }
}
