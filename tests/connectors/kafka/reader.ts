/**
 * A stand-in for the runtime that a test can look into: opens a source, keeps what it is told, pulls and commits.
 * Suites of the source use it where the runtime's own decisions would be in the way. Invariant: it gives up revoked
 * partitions at once unless the test says otherwise.
 */
import { type Assignment, HeadgateError, type Source, type SourceContext, type SourceRecord } from 'headgate'
import { type KafkaSourceOptions, kafka } from 'headgate/kafka'

export interface Said {
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly fields: object
  readonly text: string
}

const PATIENCE_MS = 60_000

/** Times of a group in which what happens is noticed within seconds. */
export const QUICK = { sessionTimeoutMs: 6_000, heartbeatIntervalMs: 200, metadataIntervalMs: 300 }

export const never = (): AbortSignal => new AbortController().signal

export class Reader {
  readonly source: Source<Uint8Array | null>
  readonly assignments = new Map<string, Assignment>()
  readonly revoked: string[] = []
  readonly lost: string[] = []
  readonly said: Said[] = []
  /** What happens before revoked partitions are given up. */
  letGo: (partitions: readonly string[]) => Promise<void> = async () => {}

  constructor(options: KafkaSourceOptions) {
    this.source = kafka.source(options)
  }

  static async open(options: KafkaSourceOptions): Promise<Reader> {
    const reader = new Reader(options)
    await reader.source.open(reader.#context(), never())
    return reader
  }

  async open(): Promise<void> {
    await this.source.open(this.#context(), never())
  }

  async pull(records = 10_000, paused: readonly string[] = []): Promise<SourceRecord[]> {
    const request = { credit: { records, bytes: 1e8 }, paused: new Set(paused), waitMs: 100, signal: never() }
    return (await this.source.pull(request)).batches.flatMap((batch) => batch.records)
  }

  /** Pulls until `count` records have come. */
  async read(count: number, records = 10_000): Promise<SourceRecord[]> {
    const read: SourceRecord[] = []
    await this.until(async () => {
      read.push(...(await this.pull(Math.min(records, count - read.length))))
      return read.length >= count
    }, `${count} records`)
    return read
  }

  /** As `read`, while brokers come and go: a pull that finds none is made again. */
  async readThrough(count: number): Promise<SourceRecord[]> {
    const read: SourceRecord[] = []
    await this.until(async () => {
      try {
        read.push(...(await this.pull(count - read.length)))
      } catch (error) {
        if (!(error instanceof HeadgateError) || error.code !== 'HG_CONNECTION_LOST') throw error
      }
      return read.length >= count
    }, `${count} records`)
    return read
  }

  async assigned(...names: string[]): Promise<void> {
    await this.until(() => names.every((name) => this.assignments.has(name)), `the assignment of ${names.join(', ')}`)
  }

  commit(partition: string, nextOffset: number, doneAhead: Uint8Array | null = null): Promise<void> {
    const epoch = this.assignments.get(partition)?.epoch ?? -1
    return this.source.commit([{ partition, epoch, nextOffset, doneAhead }])
  }

  /** What a pull rejects with, once it does. */
  async failure(): Promise<HeadgateError> {
    let failure: HeadgateError | null = null
    await this.until(async () => {
      try {
        await this.pull()
      } catch (thrown) {
        if (!(thrown instanceof HeadgateError)) throw thrown
        failure = thrown
      }
      return failure !== null
    }, 'a failure')
    return failure as unknown as HeadgateError
  }

  texts(level: Said['level']): string {
    return this.said.flatMap((each) => (each.level === level ? [each.text] : [])).join('\n')
  }

  async until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }

  close(): Promise<void> {
    return this.source.close(never())
  }

  #context(): SourceContext {
    const say = (level: Said['level']) => (fields: object, text: string) => {
      this.said.push({ level, fields, text })
    }
    return {
      onAssigned: (assignments) => {
        for (const assignment of assignments) this.assignments.set(assignment.partition, assignment)
      },
      onRevoked: async (partitions) => {
        this.revoked.push(...partitions)
        await this.letGo(partitions)
        for (const partition of partitions) this.assignments.delete(partition)
      },
      onLost: (partitions) => {
        this.lost.push(...partitions)
        for (const partition of partitions) this.assignments.delete(partition)
      },
      log: { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') },
    }
  }
}
