/**
 * A sink that appends to a topic of the embedded log. The runtime writes batches through it, and dead letters use the
 * same sink. A batch is one transaction. Invariant: `'written'` is said only after the disk has it, and a write stores all of
 * its records or none: when one cannot be encoded, it is rejected and the others are to be written again.
 */

import { z } from 'zod'
import type { Sink, SinkBatch, SinkContext, WriteOutcome, WriteResult } from '../../model/connector.ts'
import { isDeadLetter } from '../../model/dead-letter.ts'
import { describe, HeadgateError, overloaded, reject } from '../../model/errors.ts'
import type { RecordHeaders, RecordInfo } from '../../model/record.ts'
import { checked } from '../../model/schema-check.ts'
import { shownOptions } from '../../model/shown-options.ts'
import { append, draft, MAX_RECORD_BYTES } from './append.ts'
import { deadLetterEncoder } from './dead-letter.ts'
import type { Draft } from './encode.ts'
import { Log } from './log.ts'
import { directory, fn, integer, name, partitions, retention } from './option.ts'
import { openShared, type Shared } from './shared.ts'
import { isDiskFull } from './storage-error.ts'
import type { Retention, Topic } from './topics.ts'

export interface LogSinkOptions<T = unknown> {
  /** Directory of the log, made when it is missing. Either this or `log`. */
  readonly path?: string
  /** A log that is open already. It may be closed before the sink is. */
  readonly log?: Log
  /** Created when it is missing. */
  readonly topic: string
  /** Partitions of a topic that is created: default 8, range 1–256. One that exists must have as many. */
  readonly partitions?: number
  /** Of a topic that is created; for one that exists it replaces what was stored. Default: records stay for ever. */
  readonly retention?: Retention
  /** The ordering key of a record; default the key of the record it came from. */
  readonly key?: (value: T, origin: RecordInfo) => string | null
  /** Default: bytes as they are, dead letters by `deadLetterEncoder`, all else as JSON. */
  readonly encode?: (value: T) => Uint8Array | string
  /** Default: none, but for dead letters. */
  readonly headers?: (value: T, origin: RecordInfo) => RecordHeaders
  /** Records in one write; default 1,000, range 1–10,000. Raise for more throughput, lower for smaller transactions. */
  readonly maxBatchRecords?: number
  /** Writes at once, which share disk flushes; default 4, range 1–64. Raise on disks that flush slowly. */
  readonly maxInFlightWrites?: number
}

const schema = z
  .strictObject({
    path: directory.optional(),
    log: z.instanceof(Log, { error: 'what openLog resolved with' }).optional(),
    topic: name,
    partitions: partitions.optional(),
    retention: retention.optional(),
    key: fn<(value: unknown, origin: RecordInfo) => string | null>().optional(),
    encode: fn<(value: unknown) => Uint8Array | string>().optional(),
    headers: fn<(value: unknown, origin: RecordInfo) => RecordHeaders>().optional(),
    maxBatchRecords: integer(1, 10_000).default(1_000),
    maxInFlightWrites: integer(1, 64).default(4),
  })
  .refine((options) => (options.path === undefined) !== (options.log === undefined), {
    error: 'given either `path` or `log`',
  })

/** How long a full disk is left alone before the next try. */
const DISK_FULL_RETRY_MS = 1_000

/** Appends to `topic`. Throws `HG_OPTION_INVALID` at once when an option is wrong. */
export function sink<T = unknown>(options: LogSinkOptions<T>): Sink<T> {
  return new LogSink<T>(checked('log.sink', schema, options))
}

class LogSink<T> implements Sink<T> {
  readonly name: string
  readonly capabilities
  readonly shownOptions: Sink<T>['shownOptions']
  readonly #options: z.output<typeof schema>
  #opened: { readonly shared: Shared; readonly topic: Topic } | null = null
  #closing: Promise<void> | null = null

  constructor(options: z.output<typeof schema>) {
    this.#options = options
    this.shownOptions = shownOptions(options, schema)
    this.name = `log:${options.topic}`
    const { maxBatchRecords, maxInFlightWrites } = options
    this.capabilities = { maxBatchRecords, maxInFlightWrites, idempotent: false, atomic: true }
  }

  async open(context: SinkContext, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { log, path, topic, partitions, retention } = this.#options
    if (log) log.shared.store.refresh()
    const shared = log ? log.shared : await openShared(path as string, { logger: context.log })
    if (log) shared.store.retain()
    try {
      this.#opened = { shared, topic: await shared.topics.create(topic, partitions, retention) }
    } catch (error) {
      await shared.store.release()
      throw error
    }
  }

  async write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted()
    if (!this.#opened || this.#closing) throw new HeadgateError('HG_STORAGE', `${this.name} is not open`)
    const { shared, topic } = this.#opened
    const { drafts, rejected } = this.#drafts(batch)
    if (rejected.size > 0) return withoutThese(batch.values.length, rejected)
    try {
      await append(shared, topic, drafts, signal)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      throw overloaded(describe(error), { cause: error, retryAfterMs: DISK_FULL_RETRY_MS })
    }
    return 'written'
  }

  close(): Promise<void> {
    this.#closing ??= (async () => {
      const opened = this.#opened
      this.#opened = null
      await opened?.shared.store.release()
    })()
    return this.#closing
  }

  #drafts({ values, origins }: SinkBatch<T>): { drafts: Draft[]; rejected: Map<number, unknown> } {
    const drafts: Draft[] = []
    const rejected = new Map<number, unknown>()
    const now = Date.now()
    for (let index = 0; index < values.length; index += 1) {
      try {
        drafts.push(this.#draft(values[index], origins[index] as RecordInfo, now))
      } catch (error) {
        const text = `${this.name} cannot store this record: ${describe(error)}`
        rejected.set(index, error instanceof HeadgateError ? error : reject(text, { cause: error }))
      }
    }
    return { drafts, rejected }
  }

  #draft(value: unknown, origin: RecordInfo, now: number): Draft {
    const { key, encode, headers } = this.#options
    const letter = !encode && isDeadLetter(value) ? deadLetterEncoder(value) : null
    const stored = encode ? encode(value) : (letter?.value ?? toBytes(value))
    if (typeof stored !== 'string' && !(stored instanceof Uint8Array)) {
      throw reject(`encode must return text or bytes, it returned ${typeof stored}`)
    }
    const own = headers ? headers(value, origin) : null
    return draft(
      key ? key(value, origin) : origin.key,
      stored,
      letter ? { ...letter.headers, ...own } : own,
      now,
      null,
      letter ? Number.POSITIVE_INFINITY : MAX_RECORD_BYTES,
    )
  }
}

/** All or nothing: nothing was written, and all but the rejected may be tried again at once. */
function withoutThese(count: number, rejected: ReadonlyMap<number, unknown>): WriteOutcome[] {
  const again = overloaded(`not written, because ${rejected.size} other records of the write were rejected`)
  return Array.from({ length: count }, (_, index): WriteOutcome => {
    return rejected.has(index) ? { kind: 'rejected', error: rejected.get(index) } : { kind: 'failed', error: again }
  })
}

function toBytes(value: unknown): Uint8Array | string {
  if (value instanceof Uint8Array) return value
  const text = JSON.stringify(value) as string | undefined
  if (text === undefined) throw reject(`${typeof value} has no JSON form: set encode`)
  return text
}
