/**
 * A finite source over values in memory: an array, or any iterable, which is read lazily. Tests, examples and
 * benchmarks use it. This file holds what both layouts share (assignment, commits, waiting, closing); `take` is where
 * records are made. Invariant: nothing is read from the values beyond the credit, except what `held()` counts.
 */
import type {
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
import type { RecordHeaders } from '../../model/record.ts'
import { Doorbell } from './doorbell.ts'
import { Progress } from './progress.ts'

export interface MemorySourceOptions<V = unknown, T = V> {
  /** Shown in status and messages; default `memory`. */
  readonly name?: string
  /** Default 1, range 1–10,000. Values go to a partition by the hash of their key, or in turn when they have none. */
  readonly partitions?: number
  /** The ordering key of a value; default null for all. */
  readonly key?: (value: V, index: number) => string | null
  /** When the value was produced, epoch milliseconds; default: when it is pulled. */
  readonly timestampMs?: (value: V, index: number) => number
  /** What the value is charged to the memory budget, in bytes; default 64. */
  readonly bytes?: (value: V) => number
  /** Headers of a value; default none. */
  readonly headers?: (value: V, index: number) => RecordHeaders
  /** Turns a value into what the pipeline sees; default: the value itself. */
  readonly decode?: Decoder<T>
}

const NOTHING: Pulled = { batches: [], ended: false }

export abstract class ValuesSource<V, T> implements Source<T> {
  readonly name: string
  readonly capabilities: SourceCapabilities
  readonly decode: Decoder<T> | undefined
  protected readonly partitions: readonly string[]
  protected readonly values: Iterable<V>
  protected readonly options: MemorySourceOptions<V, T>
  protected readonly progress = new Progress()
  readonly #bell = new Doorbell()
  #state: 'new' | 'open' | 'quiet' | 'closed' = 'new'

  constructor(values: Iterable<V>, options: MemorySourceOptions<V, T>, partitions: number) {
    this.name = options.name ?? 'memory'
    this.values = values
    this.options = options
    this.decode = options.decode
    this.partitions = Array.from({ length: partitions }, (_, index) => `${this.name}/${index}`)
    this.capabilities = {
      backlog: !Array.isArray(values) ? 'none' : partitions === 1 ? 'exact' : 'estimated',
      metadataBytes: Number.POSITIVE_INFINITY,
      // An iterator is its own iterable and can be read only once.
      replayable: (values as { next?: unknown }).next === undefined,
    }
  }

  /** Starts reading at the committed positions (again). */
  protected abstract rewind(): void
  /** Makes records out of values, as far as the credit goes. */
  protected abstract take(request: PullRequest): RecordBatch[]
  /** True when every value was returned. */
  protected abstract exhausted(): boolean
  /** Forgets what is held and stops reading the values. */
  protected abstract drop(): void
  /** The offset after the last one delivered in this partition. */
  protected abstract deliveredTo(partition: string): number
  abstract held(): { records: number; bytes: number }
  abstract backlog(): Promise<readonly PartitionBacklog[]>

  /** May be opened again after `close`: a replayable source then starts over from what was committed. */
  async open(context: SourceContext, _signal: AbortSignal): Promise<void> {
    if (this.#state === 'open') throw new HeadgateError('HG_INVARIANT', `source ${this.name} is open already`)
    if (this.capabilities.replayable || this.#state === 'new') this.rewind()
    this.#state = 'open'
    context.onAssigned(
      this.partitions.map((partition) => {
        const epoch = this.progress.raiseEpoch(partition)
        const { nextOffset, doneAhead } = this.progress.of(partition)
        return { partition, epoch, nextOffset, doneAhead }
      }),
    )
  }

  async pull(request: PullRequest): Promise<Pulled> {
    if (this.#state === 'new') throw new HeadgateError('HG_INVARIANT', `source ${this.name} is not open`)
    if (request.signal.aborted || this.#state === 'closed') return NOTHING
    if (this.#state === 'open') {
      const batches = this.take(request)
      const ended = this.exhausted()
      if (batches.length > 0 || ended) return { batches, ended }
    }
    await this.#bell.wait(request.waitMs, request.signal)
    return NOTHING
  }

  async commit(positions: readonly Position[]): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'quiet') {
      throw new HeadgateError('HG_FENCED', `source ${this.name} is not open`)
    }
    this.progress.commit(positions, (partition) => this.deliveredTo(partition))
  }

  /** What was committed so far, one position a partition. */
  committed(): readonly Position[] {
    return this.partitions.map((partition) => ({ partition, ...this.progress.of(partition) }))
  }

  async quiesce(): Promise<void> {
    if (this.#state !== 'open') return
    this.#state = 'quiet'
    this.drop()
  }

  async close(): Promise<void> {
    if (this.#state !== 'open' && this.#state !== 'quiet') return
    this.#state = 'closed'
    this.drop()
    this.#bell.ring()
  }
}
