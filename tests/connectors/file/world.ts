/** What the file connectors' tests share: a directory of their own, a context that remembers, and pulls. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Assignment, Pulled, PullRequest, Source, SourceContext } from '../../../src/model/connector.ts'
import { type Logger, SILENT_LOGGER } from '../../../src/model/logger.ts'
import { NO_HEADERS, type RecordInfo, type SourceRecord } from '../../../src/model/record.ts'

export async function makeDirectory(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'headgate-file-'))
}

/** A path in a directory that goes away with the test. */
export async function temporaryPath(name = 'input.ndjson'): Promise<string> {
  const directory = await makeDirectory()
  onTestFinished(() => rm(directory, { recursive: true, force: true }))
  return join(directory, name)
}

export const live = (): AbortSignal => new AbortController().signal

export async function openSource(source: Source<unknown>): Promise<Assignment> {
  const assignments: Assignment[] = []
  const context: SourceContext = {
    onAssigned: (assigned) => assignments.push(...assigned),
    onRevoked: async () => {},
    onLost() {},
    log: SILENT_LOGGER,
  }
  await source.open(context, live())
  return assignments[0] as Assignment
}

export function pull(
  source: Source<unknown>,
  request: Partial<PullRequest> & { records?: number } = {},
): Promise<Pulled> {
  const { records = 1_000, ...rest } = request
  return source.pull({ credit: { records, bytes: 1e9 }, paused: new Set(), waitMs: 1_000, signal: live(), ...rest })
}

export async function readAll(source: Source<unknown>): Promise<SourceRecord[]> {
  const records: SourceRecord[] = []
  for (let ended = false; !ended; ) {
    const pulled = await pull(source)
    records.push(...pulled.batches.flatMap((batch) => batch.records))
    ended = pulled.ended
  }
  return records
}

export const text = (record: SourceRecord | undefined): string => Buffer.from(record?.value as Uint8Array).toString()

/** Everything that was warned of. */
export function listen(): { log: Logger; warnings: string[] } {
  const warnings: string[] = []
  return { warnings, log: { ...SILENT_LOGGER, warn: (_fields, message) => warnings.push(message) } }
}

export function origins(count: number): RecordInfo[] {
  return Array.from({ length: count }, (_, offset) => ({
    key: null,
    partition: 'p',
    offset,
    timestampMs: 0,
    headers: NO_HEADERS,
    bytes: 1,
  }))
}
