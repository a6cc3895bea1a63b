/**
 * Looks at the process and the sources while a pipeline runs: the heap four times a second, the memory of the process and
 * the sources' backlog once a second, the size of their groups every five. What it sees goes to the engine (heap, clock)
 * and into the status.
 */
import { getHeapStatistics } from 'node:v8'
import type { PartitionBacklog, Source, SourceGroup } from '../model/connector.ts'
import type { ProcessStatus, Status } from '../model/status.ts'
import { ProcessClock } from './process-clock.ts'
import type { Surroundings } from './status.ts'

const SAMPLE_MS = 250
/** The kernel is asked, which takes longer than all else that is sampled. */
const RSS_EVERY = 4
const BACKLOG_EVERY = 4
const GROUP_EVERY = 20
/** The heap guard looks at the smallest of so many samples: garbage that a collection frees is no pressure. */
const HEAP_SAMPLES = 4

export interface SourceBacklog {
  readonly records: number | null
  readonly oldestMs: number | null
  readonly partitions: readonly PartitionBacklog[]
  /** Delivered or in the broker, at the time of this answer. */
  readonly arrived: { readonly records: number; readonly atMs: number } | null
}

export class Meter implements Surroundings {
  readonly #sources: readonly Source[]
  readonly #delivered: (source: number) => number
  readonly #onSample: (heap: { usedBytes: number; limitBytes: number }) => void
  readonly #abort = new AbortController()
  readonly #heapSamples: number[] = []
  readonly #clock = new ProcessClock()
  #heapLimitBytes = 0
  readonly #backlogs: SourceBacklog[]
  readonly #asking: boolean[]
  readonly #groups = new Map<Source, SourceGroup>()
  readonly #askingGroup = new Set<Source>()
  readonly #rssStartBytes = process.memoryUsage.rss()
  #rssMaxBytes = 0
  #rssBytes = 0
  #heapMaxBytes = 0
  #samples = 0
  #timer: NodeJS.Timeout | undefined

  /** `delivered`: how many records the engine has had of a source. */
  constructor(
    sources: readonly Source[],
    delivered: (source: number) => number,
    onSample: (heap: { usedBytes: number; limitBytes: number }) => void,
  ) {
    this.#sources = sources
    this.#delivered = delivered
    this.#onSample = onSample
    this.#backlogs = sources.map(() => ({ records: null, oldestMs: null, partitions: [], arrived: null }))
    this.#asking = sources.map(() => false)
  }

  start(): void {
    this.#clock.start()
    this.#sample()
    this.#timer = setInterval(() => this.#sample(), SAMPLE_MS)
  }

  /** Takes a last look, then stops. */
  stop(): void {
    clearInterval(this.#timer)
    this.#abort.abort()
    this.#readHeap()
    this.#readRss()
    this.#clock.stop()
  }

  backlog(source: number): SourceBacklog {
    return this.#backlogs[source]!
  }

  memory(): Status['memory'] {
    return {
      rssStartBytes: this.#rssStartBytes,
      rssMaxBytes: this.#rssMaxBytes,
      rssEndBytes: this.#rssBytes,
      heapMaxBytes: this.#heapMaxBytes,
    }
  }

  /** Of several sources the largest group, and the one that can be shared least. */
  group(): Status['group'] {
    const known = (of: keyof SourceGroup): number[] =>
      [...this.#groups.values()].map((group) => group[of]).filter((count) => count !== null)
    const [members, most] = [known('members'), known('mostMembers')]
    return {
      members: members.length > 0 ? Math.max(...members) : null,
      mostMembers: most.length > 0 ? Math.min(...most) : null,
    }
  }

  process(): Omit<ProcessStatus, 'turnsMs'> {
    return {
      ...this.#clock.read(),
      heapUsedBytes: this.#heapSamples.length === 0 ? 0 : Math.min(...this.#heapSamples),
      heapLimitBytes: this.#heapLimitBytes,
      rssBytes: this.#rssBytes,
    }
  }

  #sample(): void {
    this.#clock.sampled()
    const { used_heap_size: usedBytes, heap_size_limit: limitBytes } = this.#readHeap()
    if (this.#samples % RSS_EVERY === 0) this.#readRss()
    this.#heapSamples.push(usedBytes)
    if (this.#heapSamples.length > HEAP_SAMPLES) this.#heapSamples.shift()
    this.#onSample({ usedBytes: Math.min(...this.#heapSamples), limitBytes })
    if (this.#samples % BACKLOG_EVERY === 0)
      for (let index = 0; index < this.#sources.length; index += 1) void this.#askBacklog(index)
    if (this.#samples % GROUP_EVERY === 0) for (const source of this.#sources) void this.#askGroup(source)
    this.#samples += 1
  }

  #readHeap(): { used_heap_size: number; heap_size_limit: number } {
    const heap = getHeapStatistics()
    this.#heapLimitBytes = heap.heap_size_limit
    this.#heapMaxBytes = Math.max(this.#heapMaxBytes, heap.used_heap_size)
    return heap
  }

  #readRss(): void {
    this.#rssBytes = process.memoryUsage.rss()
    this.#rssMaxBytes = Math.max(this.#rssMaxBytes, this.#rssBytes)
  }

  async #askBacklog(index: number): Promise<void> {
    const source = this.#sources[index]!
    if (this.#asking[index] || source.capabilities.backlog === 'none') return
    this.#asking[index] = true
    try {
      const backlog = sum(await source.backlog(this.#abort.signal))
      const { records } = backlog
      const arrived = records === null ? null : { records: records + this.#delivered(index), atMs: Date.now() }
      this.#backlogs[index] = { ...backlog, arrived }
    } catch {
      // The last figure stands; a source that is in trouble says so through its pulls.
    } finally {
      this.#asking[index] = false
    }
  }

  async #askGroup(source: Source): Promise<void> {
    if (source.group === undefined || this.#askingGroup.has(source)) return
    this.#askingGroup.add(source)
    try {
      this.#groups.set(source, await source.group(this.#abort.signal))
    } catch {
      // The last figure stands.
    } finally {
      this.#askingGroup.delete(source)
    }
  }
}

function sum(partitions: readonly PartitionBacklog[]): Omit<SourceBacklog, 'arrived'> {
  let records: number | null = 0
  let oldestMs: number | null = null
  for (const partition of partitions) {
    records = records === null || partition.records === null ? null : records + partition.records
    const { oldestTimestampMs } = partition
    if (oldestTimestampMs !== null)
      oldestMs = oldestMs === null ? oldestTimestampMs : Math.min(oldestMs, oldestTimestampMs)
  }
  return { records, oldestMs, partitions }
}
