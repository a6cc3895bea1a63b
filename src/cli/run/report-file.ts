/**
 * The report: the final status as a JSON file. Written in one step (a file beside it, then a rename), so that a reader
 * finds the old report or the new one and never half of one. Synchronous, because a second signal leaves no time.
 */
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { describe } from '../../model/errors.ts'
import type { Status } from '../../model/status.ts'
import { CliFailure, EXIT } from '../failure.ts'

/** Makes the folder before the run starts: a report that cannot be written should not be learned of at the end. */
export function prepareReport(file: string): string {
  const path = resolve(file)
  try {
    mkdirSync(dirname(path), { recursive: true })
    closeSync(openSync(partial(path), 'w'))
    rmSync(partial(path))
  } catch (error) {
    throw new CliFailure(`the report cannot be written to ${file}: ${describe(error)}`, {
      advice: 'Name a file in a folder that this user may write to.',
      cause: error,
    })
  }
  return path
}

export function writeReport(path: string, status: Status): void {
  try {
    const file = openSync(partial(path), 'w')
    try {
      writeSync(file, `${JSON.stringify(status, null, 2)}\n`)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(partial(path), path)
  } catch (error) {
    rmSync(partial(path), { force: true })
    throw new CliFailure(`the report could not be written to ${path}: ${describe(error)}`, {
      exitCode: EXIT.failed,
      cause: error,
    })
  }
}

function partial(path: string): string {
  return `${path}.${process.pid}.partial`
}

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
    queueAgeMs: 0,
    admission: { records: 0, limitRecords: 0, bytes: 0, limitBytes: 0, reason: 'not started' },
    places: [],
    sources: [],
    stages: [],
    checks: { statesError: 0, littleError: 0 },
    memory: { rssStartBytes: rss, rssMaxBytes: rss, rssEndBytes: rss, heapMaxBytes: heapUsed },
    verdict: 'The pipeline could not start.',
  }
}
