/** What the tests of the log share: directories that are removed again, sources opened as a runtime opens them. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Chunk, type Log, openLog } from 'headgate/log'
import { onTestFinished } from 'vitest'
import type { Assignment, Pulled, PullRequest, Source } from '../../../src/model/connector.ts'
import { HeadgateError } from '../../../src/model/errors.ts'
import type { Logger } from '../../../src/model/logger.ts'
import type { SourceRecord } from '../../../src/model/record.ts'

/** Of one test: a hook at the top of this module would be that of the first file only which loads it in a worker. */
export const afterThis = (cleanup: () => unknown): void =>
  onTestFinished(async () => {
    await cleanup()
  })

export function freshDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), 'headgate-log-'))
  afterThis(() => rmSync(directory, { recursive: true, force: true }))
  return directory
}

/** A log with topic `t`, closed when the test ends. */
export async function freshLog(partitions = 1, directory = freshDirectory()): Promise<Log> {
  const log = await openLog(directory)
  afterThis(() => log.close())
  await log.createTopic('t', { partitions })
  return log
}

export interface Heard {
  readonly assigned: Assignment[][]
  readonly lost: string[][]
  readonly warnings: string[]
}

export interface Opened<T> extends Heard {
  readonly source: Source<T>
  pull(request?: Partial<PullRequest>): Promise<Pulled>
  records(request?: Partial<PullRequest>): Promise<SourceRecord<Uint8Array>[]>
  /** The epoch of the last assignment. */
  epoch(): number
}

export const never = new AbortController().signal

export async function opened<T>(source: Source<T>): Promise<Opened<T>> {
  const assigned: Assignment[][] = []
  const lost: string[][] = []
  const { log, warnings } = listening()
  const context = {
    onAssigned: (assignments: readonly Assignment[]) => void assigned.push([...assignments]),
    onRevoked: async () => {},
    onLost: (partitions: readonly string[]) => void lost.push([...partitions]),
    log,
  }
  afterThis(() => source.close(never))
  await source.open(context, never)
  const pull = (request: Partial<PullRequest> = {}): Promise<Pulled> =>
    source.pull({ credit: { records: 1_000, bytes: 1e9 }, paused: new Set(), waitMs: 0, signal: never, ...request })
  return {
    source,
    assigned,
    lost,
    warnings,
    pull,
    records: async (request) =>
      (await pull(request)).batches.flatMap((batch) => batch.records as SourceRecord<Uint8Array>[]),
    epoch: () => assigned.at(-1)?.[0]?.epoch ?? -1,
  }
}

export function listening(): { log: Logger; warnings: string[] } {
  const warnings: string[] = []
  const silent = (): void => {}
  const log = {
    debug: silent,
    info: silent,
    warn: (_: object, text: string) => void warnings.push(text),
    error: silent,
  }
  return { log, warnings }
}

export function text(record: { readonly value: Uint8Array }): string {
  return Buffer.from(record.value).toString()
}

/** All records of a partition, as text. */
export function contents(log: Log, topic = 't', partition = 0): string[] {
  const values: string[] = []
  let at = log.bounds(topic, partition).firstOffset
  for (
    let chunk: Chunk = log.read(topic, partition, at);
    chunk.nextOffset > at;
    chunk = log.read(topic, partition, at)
  ) {
    values.push(...chunk.records.map(text))
    at = chunk.nextOffset
  }
  return values
}

/** What a promise was rejected with; a HeadgateError, or the test fails. */
export async function refusal(promise: Promise<unknown>): Promise<HeadgateError> {
  const thrown = await promise.then(
    () => new Error('it was not refused'),
    (error: unknown) => error,
  )
  if (thrown instanceof HeadgateError) return thrown
  throw thrown
}
