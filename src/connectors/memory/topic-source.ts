/**
 * One member of a topic's consumer group. It reads its partitions in rotation, so that none starves, and may take
 * records ahead of the credit, as a client's prefetch does. Invariant: for each partition, `returned ≤ taken`, and
 * what lies between is exactly what `held()` counts.
 */
import type {
  Assignment,
  Decoder,
  PartitionBacklog,
  Position,
  Pulled,
  PullRequest,
  RecordBatch,
  Source,
  SourceCapabilities,
  SourceContext,
} from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { OptionCheck } from '../../model/option.ts'
import type { Group, Member } from './group.ts'
import type { MemoryRecord } from './record.ts'
import type { TopicLog } from './topic-log.ts'

export interface TopicSourceOptions<T = unknown> {
  /** Members of one group share the partitions and the committed progress. */
  readonly group: string
  /** Default: the topic's name. */
  readonly name?: string
  /** Records taken ahead of the credit; default 0, range 0–1,000,000. They count in `held()`. */
  readonly prefetchRecords?: number
  /** How long a revoked partition may take to finish, in milliseconds; default 5,000, range 0–600,000. */
  readonly graceMs?: number
  readonly decode?: Decoder<T>
}

interface Lane<V> {
  readonly partition: string
  readonly epoch: number
  readonly log: readonly MemoryRecord<V>[]
  /** Index in the log of the next record that `pull` returns. */
  returned: number
  /** Index of the next record to take from the topic. */
  taken: number
  deliveredTo: number
  revoking: boolean
}

const NOTHING: Pulled = { batches: [], ended: false }

export class TopicSource<V, T> implements Source<T>, Member {
  readonly name: string
  readonly capabilities: SourceCapabilities = {
    backlog: 'exact',
    metadataBytes: Number.POSITIVE_INFINITY,
    replayable: true,
  }
  readonly decode: Decoder<T> | undefined
  readonly #topic: TopicLog<V>
  readonly #group: Group
  readonly #prefetch: number
  readonly #graceMs: number
  readonly #lanes = new Map<string, Lane<V>>()
  #context: SourceContext | null = null
  #state: 'new' | 'open' | 'quiet' | 'closed' = 'new'
  #rotation = 0

  constructor(topic: TopicLog<V>, group: Group, options: TopicSourceOptions<T>) {
    const check = new OptionCheck('topic.source', options, {
      group: true,
      name: true,
      prefetchRecords: true,
      graceMs: true,
      decode: true,
    })
    check.texts('group', 'name')
    check.functions('decode')
    this.name = options.name ?? topic.name
    this.decode = options.decode
    this.#topic = topic
    this.#group = group
    this.#prefetch = check.integer('prefetchRecords', 0, { min: 0, max: 1_000_000, unit: 'records' })
    this.#graceMs = check.integer('graceMs', 5_000, { min: 0, max: 600_000, unit: 'milliseconds' })
  }

  async open(context: SourceContext): Promise<void> {
    if (this.#state === 'open') throw new HeadgateError('HG_INVARIANT', `source ${this.name} is open already`)
    this.#topic.assertConnected()
    this.#context = context
    this.#state = 'open'
    this.#group.join(this)
  }

  async pull(request: PullRequest): Promise<Pulled> {
    const { waitMs, signal } = request
    if (this.#state === 'new') throw new HeadgateError('HG_INVARIANT', `source ${this.name} is not open`)
    const deadline = performance.now() + waitMs
    for (;;) {
      if (signal.aborted || this.#isClosed()) return NOTHING
      this.#topic.assertConnected()
      if (this.#state === 'open') {
        const batches = this.#take(request)
        const ended = this.#exhausted()
        this.#takeAhead()
        if (batches.length > 0 || ended) return { batches, ended }
      }
      const left = deadline - performance.now()
      if (left <= 0) return NOTHING
      await this.#topic.bell.wait(left, signal)
    }
  }

  #isClosed(): boolean {
    return this.#state === 'closed'
  }

  #take({ credit, paused }: PullRequest): RecordBatch[] {
    const lanes = [...this.#lanes.values()].filter((lane) => !lane.revoking && !paused.has(lane.partition))
    const batches: RecordBatch[] = []
    let records = credit.records
    let bytes = credit.bytes
    this.#rotation += 1
    for (let at = 0; at < lanes.length && records > 0; at += 1) {
      const lane = lanes[(this.#rotation + at) % lanes.length] as Lane<V>
      const share = Math.min(Math.ceil(records / (lanes.length - at)), lane.log.length - lane.returned)
      let count = 0
      while (count < share) {
        const size = (lane.log[lane.returned + count] as MemoryRecord<V>).bytes
        if (size > bytes && (batches.length > 0 || count > 0)) break
        bytes -= size
        count += 1
      }
      if (count === 0) continue
      batches.push({
        partition: lane.partition,
        epoch: lane.epoch,
        records: lane.log.slice(lane.returned, lane.returned + count),
      })
      records -= count
      lane.returned += count
      lane.taken = Math.max(lane.taken, lane.returned)
      lane.deliveredTo = (lane.log[lane.returned - 1] as MemoryRecord<V>).offset + 1
    }
    return batches
  }

  #takeAhead(): void {
    let room = this.#prefetch - this.held().records
    for (const lane of this.#lanes.values()) {
      if (lane.revoking || room <= 0) continue
      const count = Math.min(room, lane.log.length - lane.taken)
      lane.taken += count
      room -= count
    }
  }

  /** Everything that this member can ever deliver was delivered: also what nobody owns might still become ours. */
  #exhausted(): boolean {
    if (!this.#topic.ended) return false
    for (const lane of this.#lanes.values()) if (lane.returned < lane.log.length) return false
    return this.#group.unowned().every((partition) => {
      const last = this.#topic.records(partition).at(-1)
      return !last || last.offset < this.#group.progress.of(partition).nextOffset
    })
  }

  assigned(assignments: readonly Assignment[]): void {
    for (const { partition, epoch, nextOffset } of assignments) {
      const log = this.#topic.records(partition)
      const start = firstAtOrAfter(log, nextOffset)
      const lane = { partition, epoch, log, returned: start, taken: start, deliveredTo: nextOffset, revoking: false }
      this.#lanes.set(partition, lane)
    }
    this.#context?.onAssigned(assignments)
    this.#topic.bell.ring()
  }

  async revoking(partitions: readonly string[]): Promise<void> {
    for (const partition of partitions) {
      const lane = this.#lanes.get(partition)
      if (!lane) continue
      lane.revoking = true
      lane.taken = lane.returned
    }
    try {
      await this.#context?.onRevoked(partitions, this.#graceMs)
    } finally {
      for (const partition of partitions) if (this.#lanes.get(partition)?.revoking) this.#lanes.delete(partition)
    }
  }

  lost(partitions: readonly string[]): void {
    for (const partition of partitions) this.#lanes.delete(partition)
    this.#context?.onLost(partitions)
  }

  deliveredTo(partition: string): number {
    return this.#lanes.get(partition)?.deliveredTo ?? 0
  }

  held(): { records: number; bytes: number } {
    let records = 0
    let bytes = 0
    for (const { log, returned, taken } of this.#lanes.values()) {
      records += taken - returned
      for (let at = returned; at < taken; at += 1) bytes += (log[at] as MemoryRecord<V>).bytes
    }
    return { records, bytes }
  }

  /** Records that the topic has handed to this member under its present assignments, returned by `pull` or held. */
  handedOut(): number {
    let records = 0
    for (const { partition, log, taken } of this.#lanes.values()) {
      records += taken - firstAtOrAfter(log, this.#group.progress.of(partition).nextOffset)
    }
    return records
  }

  async commit(positions: readonly Position[]): Promise<void> {
    this.#topic.assertConnected()
    this.#group.commit(this, positions)
  }

  async backlog(): Promise<readonly PartitionBacklog[]> {
    this.#topic.assertConnected()
    return [...this.#lanes.values()].map(({ partition, log, taken }) => ({
      partition,
      records: log.length - taken,
      oldestTimestampMs: log[taken]?.timestampMs ?? null,
    }))
  }

  async quiesce(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'quiet'
    for (const lane of this.#lanes.values()) lane.taken = lane.returned
  }

  async close(): Promise<void> {
    if (this.#state === 'closed') return
    this.#state = 'closed'
    this.#lanes.clear()
    this.#group.leave(this)
    this.#topic.bell.ring()
  }
}

/** Index of the first record whose offset is at least `offset`. */
function firstAtOrAfter(log: readonly MemoryRecord<unknown>[], offset: number): number {
  let low = 0
  let high = log.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((log[middle] as MemoryRecord<unknown>).offset < offset) low = middle + 1
    else high = middle
  }
  return low
}
