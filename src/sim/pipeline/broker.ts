/**
 * The broker of a simulated pipeline: records arrive at random, by partition and key, and wait until they are pulled.
 * Arrivals are made up to the time that somebody looks. When they arrive depends on the seed and the rates alone, so
 * that a pipeline with a hot key or partition and the one without have the same arrivals.
 */
import { SeededRandom } from '../../control/random.ts'
import type { Credit, PartitionBacklog, RecordBatch, Source } from '../../model/connector.ts'
import { NO_HEADERS, type SourceRecord } from '../../model/record.ts'
import { unitExponential } from '../service-time.ts'
import type { PipelineSpec } from './spec.ts'

const RECORD_BYTES = 400

interface Line {
  readonly name: string
  epoch: number
  offset: number
  owned: boolean
  records: SourceRecord[]
}

export class Broker {
  readonly source: Source
  #spec: PipelineSpec
  readonly #wallMs: number
  readonly #times: SeededRandom
  readonly #contents: SeededRandom
  readonly #lines: Line[]
  #nextMs: number

  constructor(spec: PipelineSpec, seed: number, wallMs: number) {
    this.#spec = spec
    this.#wallMs = wallMs
    this.#times = new SeededRandom(seed ^ 0xb70ce5)
    this.#contents = new SeededRandom(seed ^ 0xc0437e)
    this.#lines = Array.from({ length: spec.source.partitions }, (_, index) => ({
      name: `orders/${index}`,
      epoch: 1,
      offset: 0,
      owned: true,
      records: [],
    }))
    this.source = modelledSource('orders')
    this.#nextMs = this.#gap(0)
  }

  get partitions(): readonly Line[] {
    return this.#lines
  }

  /** Arrivals and pulls are as the spec has them from now on. */
  change(spec: PipelineSpec, nowMs: number): void {
    this.advance(nowMs)
    this.#spec = spec
  }

  /** When the next record arrives. */
  get nextMs(): number {
    return this.#nextMs
  }

  waiting(paused: ReadonlySet<string>): number {
    return this.#lines.reduce((sum, line) => sum + (line.owned && !paused.has(line.name) ? line.records.length : 0), 0)
  }

  advance(nowMs: number): void {
    while (this.#nextMs <= nowMs) {
      this.#arrive(this.#nextMs)
      this.#nextMs += this.#gap(this.#nextMs)
    }
  }

  #gap(atMs: number): number {
    const { source, burst } = this.#spec
    const bursts = burst !== undefined && atMs >= burst.fromMs && atMs < burst.fromMs + burst.forMs
    const perSecond = source.perSecond * (bursts ? burst.factor : 1)
    return perSecond > 0 ? (1000 / perSecond) * unitExponential(this.#times) : Number.POSITIVE_INFINITY
  }

  #arrive(atMs: number): void {
    const { largestPartition, partitions, hottestKey, keys } = this.#spec.source
    // As many draws for each, so that what is not hot is the same record with and without what is.
    const first = this.#contents.next()
    const other = this.#contents.next()
    const hot = this.#contents.next()
    const one = this.#contents.next()
    const at = first < largestPartition || partitions === 1 ? 0 : 1 + Math.floor(other * (partitions - 1))
    const line = this.#lines[at] as Line
    const key = hot < hottestKey ? 'hot' : `k${Math.floor(one * keys)}`
    line.records.push({
      key,
      partition: line.name,
      offset: line.offset++,
      timestampMs: atMs + this.#wallMs,
      headers: NO_HEADERS,
      bytes: RECORD_BYTES,
      value: key,
    })
  }

  /** Fair over the partitions. */
  take(credit: Credit, paused: ReadonlySet<string>): RecordBatch[] {
    const open = this.#lines.filter(({ name, owned, records }) => owned && !paused.has(name) && records.length > 0)
    let left = Math.min(
      credit.records,
      Math.max(1, Math.floor(credit.bytes / RECORD_BYTES)),
      this.#spec.source.fetchRecords,
    )
    const batches: RecordBatch[] = []
    open.sort((one, other) => one.records.length - other.records.length)
    for (const [at, line] of open.entries()) {
      const records = line.records.splice(0, Math.ceil(left / (open.length - at)))
      left -= records.length
      if (records.length > 0) batches.push({ partition: line.name, epoch: line.epoch, records })
    }
    return batches
  }

  backlog(): PartitionBacklog[] {
    return this.#lines
      .filter(({ owned }) => owned)
      .map(({ name, records: [oldest, ...rest] }) => ({
        partition: name,
        records: oldest === undefined ? 0 : rest.length + 1,
        oldestTimestampMs: oldest?.timestampMs ?? null,
      }))
  }
}

function modelledSource(name: string): Source {
  const never = (): never => {
    throw new Error('the engine calls no connector')
  }
  return {
    name,
    capabilities: { backlog: 'exact', metadataBytes: Number.POSITIVE_INFINITY, replayable: true },
    open: never,
    pull: never,
    held: never,
    commit: never,
    backlog: never,
    quiesce: never,
    close: never,
  }
}
