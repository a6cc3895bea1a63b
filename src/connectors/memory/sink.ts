/**
 * A sink that keeps what it is handed in memory, for tests, examples and benchmarks. It can be slow, refuse records
 * and bound its writes, as a real sink does. Invariant: `values` holds exactly what was answered `'written'`, in the
 * order in which the writes finished.
 */
import type { Sink, SinkBatch, SinkCapabilities, WriteOutcome, WriteResult } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { OptionCheck } from '../../model/option.ts'
import type { RecordInfo } from '../../model/record.ts'
import { MAX_TIMER_MS } from '../../model/units.ts'
import { Doorbell } from './doorbell.ts'

export interface MemorySinkOptions<T> {
  /** Default `memory`. */
  readonly name?: string
  /** The most records of one write; default 10,000, range 1–1,000,000. */
  readonly maxBatchRecords?: number
  /** The most writes at once; default 1, range 1–10,000. One more throws `HG_INVARIANT`. */
  readonly maxInFlightWrites?: number
  /** Default false. True: when one record of a write fails, none is stored, and the others fail with it. */
  readonly atomic?: boolean
  /** What it promises about repeated writes; default false. */
  readonly idempotent?: boolean
  /** How long each write takes, in milliseconds; default 0. */
  readonly latencyMs?: number
  /** The outcome of a value; undefined means written. `index` counts all values since the sink was made. */
  readonly fail?: (value: T, index: number) => WriteOutcome | undefined
  /** Default true. False: values are only counted. */
  readonly keep?: boolean
}

const WRITTEN: Promise<WriteResult> = Promise.resolve('written')
const WRITTEN_RECORD: WriteOutcome = { kind: 'written' }

export class MemorySink<T = unknown> implements Sink<T> {
  readonly name: string
  readonly capabilities: SinkCapabilities
  /** What was written; empty with `keep: false`. */
  readonly values: T[] = []
  /** Where each of `values` came from, index by index. */
  readonly origins: RecordInfo[] = []
  /** How many values were written. */
  count = 0
  /** How many writes were begun. */
  writes = 0
  /** The most writes that were in progress at once. */
  maxInFlightSeen = 0
  readonly #options: MemorySinkOptions<T>
  readonly #keep: boolean
  readonly #closing = new Doorbell()
  #inFlight = 0
  #seen = 0
  #open = false

  constructor(options: MemorySinkOptions<T> = {}) {
    const check = new OptionCheck('memory.sink', options, {
      name: true,
      maxBatchRecords: true,
      maxInFlightWrites: true,
      atomic: true,
      idempotent: true,
      latencyMs: true,
      fail: true,
      keep: true,
    })
    check.texts('name')
    check.functions('fail')
    check.booleans('atomic', 'idempotent', 'keep')
    check.integer('latencyMs', 0, { min: 0, max: MAX_TIMER_MS, unit: 'milliseconds' })
    this.name = options.name ?? 'memory'
    this.#options = options
    this.#keep = options.keep ?? true
    this.capabilities = {
      maxBatchRecords: check.integer('maxBatchRecords', 10_000, { min: 1, max: 1_000_000, unit: 'records' }),
      maxInFlightWrites: check.integer('maxInFlightWrites', 1, { min: 1, max: 10_000, unit: 'writes' }),
      idempotent: options.idempotent ?? false,
      atomic: options.atomic ?? false,
    }
  }

  async open(): Promise<void> {
    this.#open = true
  }

  write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    const { latencyMs, fail } = this.#options
    if (fail || latencyMs || this.#keep || signal.aborted || !this.#open) return this.#write(batch, signal)
    this.writes += 1
    this.count += batch.values.length
    return WRITTEN
  }

  async #write(batch: SinkBatch<T>, signal: AbortSignal): Promise<WriteResult> {
    signal.throwIfAborted()
    if (!this.#open) throw new HeadgateError('HG_INVARIANT', `sink ${this.name} is not open`)
    if (batch.values.length > this.capabilities.maxBatchRecords) {
      throw new HeadgateError('HG_INVARIANT', `${batch.values.length} records in a write of sink ${this.name}`)
    }
    if (this.#inFlight >= this.capabilities.maxInFlightWrites) {
      throw new HeadgateError('HG_INVARIANT', `sink ${this.name} has ${this.#inFlight} writes in flight already`)
    }
    this.writes += 1
    this.#inFlight += 1
    this.maxInFlightSeen = Math.max(this.maxInFlightSeen, this.#inFlight)
    try {
      if (this.#options.latencyMs) await this.#closing.wait(this.#options.latencyMs, signal)
      signal.throwIfAborted()
      if (!this.#open) throw new HeadgateError('HG_CONNECTION_LOST', `sink ${this.name} was closed during the write`)
      return this.#store(batch)
    } finally {
      this.#inFlight -= 1
    }
  }

  #store(batch: SinkBatch<T>): WriteResult {
    const { fail } = this.#options
    const outcomes = fail ? batch.values.map((value) => fail(value, this.#seen++) ?? WRITTEN_RECORD) : null
    const culprit = outcomes?.find((outcome) => outcome.kind !== 'written')
    if (!outcomes || !culprit) {
      for (let at = 0; at < batch.values.length; at += 1) this.#add(batch, at)
      return 'written'
    }
    if (this.capabilities.atomic) {
      const error = new HeadgateError('HG_HANDLER_FAILED', 'nothing was written: another record of the batch failed')
      return outcomes.map((outcome) => (outcome.kind === 'written' ? { kind: 'failed', error } : outcome))
    }
    for (const [at, outcome] of outcomes.entries()) if (outcome.kind === 'written') this.#add(batch, at)
    return outcomes
  }

  #add(batch: SinkBatch<T>, at: number): void {
    this.count += 1
    if (!this.#keep) return
    this.values.push(batch.values[at] as T)
    this.origins.push(batch.origins[at] as RecordInfo)
  }

  /** A write that is waiting fails with `HG_CONNECTION_LOST`; `values` can still be read. */
  async close(): Promise<void> {
    this.#open = false
    this.#closing.ring()
  }
}
