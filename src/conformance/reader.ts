/**
 * The suite's stand-in for the runtime: opens a source, remembers what it is told, and pulls. It checks nothing by
 * itself, so that each rule is broken by its own case only.
 */
import type { Assignment, Credit, Position, Pulled, Source, SourceContext } from '../model/connector.ts'
import { SILENT_LOGGER } from '../model/logger.ts'
import type { SourceRecord } from '../model/record.ts'
import { check, until } from './case.ts'

/** More than any case appends. */
export const PLENTY: Credit = { records: 10_000, bytes: 1_000_000_000 }

export interface PullOptions {
  readonly credit?: Credit
  readonly paused?: readonly string[]
  readonly waitMs?: number
  readonly signal?: AbortSignal
}

export class Reader {
  readonly source: Source
  readonly patienceMs: number
  /** The latest assignment of each partition that is ours. */
  readonly assignments = new Map<string, Assignment>()
  readonly lost: string[] = []
  readonly revoked: string[] = []
  closed = false
  /** What the reader does before it lets a revoked partition go. */
  letGo: (partitions: readonly string[]) => Promise<void> = async () => {}

  constructor(source: Source, patienceMs: number) {
    this.source = source
    this.patienceMs = patienceMs
  }

  /** Opens the source and waits until these partitions are assigned. */
  async open(partitions: readonly string[]): Promise<void> {
    const context: SourceContext = {
      onAssigned: (assignments) => {
        for (const assignment of assignments) this.assignments.set(assignment.partition, assignment)
      },
      onRevoked: async (revoked) => {
        this.revoked.push(...revoked)
        await this.letGo(revoked)
        for (const partition of revoked) this.assignments.delete(partition)
      },
      onLost: (lost) => {
        this.lost.push(...lost)
        for (const partition of lost) this.assignments.delete(partition)
      },
      log: SILENT_LOGGER,
    }
    await this.source.open(context, new AbortController().signal)
    await this.assigned(partitions)
  }

  async assigned(partitions: readonly string[]): Promise<void> {
    const complete = (): boolean => partitions.every((partition) => this.assignments.has(partition))
    await until(complete, this.patienceMs, `not all of ${partitions.join(', ')} were assigned`)
  }

  pull(options: PullOptions = {}): Promise<Pulled> {
    return this.source.pull({
      credit: options.credit ?? PLENTY,
      paused: new Set(options.paused),
      waitMs: options.waitMs ?? 20,
      signal: options.signal ?? new AbortController().signal,
    })
  }

  /** Pulls until `count` records have come; `onPull` sees each pull. */
  async read(count: number, options: PullOptions = {}, onPull?: (pulled: Pulled) => void): Promise<SourceRecord[]> {
    const records: SourceRecord[] = []
    const deadline = performance.now() + this.patienceMs
    while (records.length < count) {
      const pulled = await this.pull(options)
      onPull?.(pulled)
      records.push(...recordsOf(pulled))
      const over = pulled.ended || performance.now() > deadline
      check(records.length >= count || !over, `delivered ${records.length} of ${count} records`)
    }
    return records
  }

  assignment(partition: string): Assignment {
    const assignment = this.assignments.get(partition)
    check(assignment !== undefined, `${partition} is not assigned`)
    return assignment
  }

  /** Progress in a partition under its present assignment. */
  position(partition: string, nextOffset: number, doneAhead: Uint8Array | null = null): Position {
    return { partition, epoch: this.assignment(partition).epoch, nextOffset, doneAhead }
  }

  async close(): Promise<void> {
    this.closed = true
    await this.source.close(new AbortController().signal)
  }
}

export function recordsOf(pulled: Pulled): SourceRecord[] {
  return pulled.batches.flatMap((batch) => batch.records)
}

/** The offset after this record: where a commit of everything up to it stands. */
export function after(record: SourceRecord | undefined): number {
  check(record !== undefined, 'there is no record to commit')
  return record.offset + 1
}
