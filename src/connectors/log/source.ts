/**
 * A source that reads a topic of the embedded log for a consumer group. The runtime drives it through the contract of
 * `model/connector.ts`. It holds nothing back: a record is read from the log when a pull has credit for it. Invariant:
 * a position moves on only when its records are returned, and only the group's present owner delivers and commits.
 */

import { z } from 'zod'
import type {
  Assignment,
  Credit,
  Decoder,
  PartitionBacklog,
  Position,
  Pulled,
  PullRequest,
  RecordBatch,
  Source,
  SourceContext,
  SourceGroup,
} from '../../model/connector.ts'
import { describe, HeadgateError } from '../../model/errors.ts'
import { checked } from '../../model/schema-check.ts'
import { shownOptions } from '../../model/shown-options.ts'
import type { LogRecord } from './batch.ts'
import { fenced, type GroupPosition } from './groups.ts'
import { Log } from './log.ts'
import { directory, fn, name, partitions } from './option.ts'
import { type Claim, giveUp, HEARTBEAT_MS, holds, newOwnerId, ownerOf, renew, take } from './ownership.ts'
import { PartitionReader } from './reader.ts'
import { openShared, type Shared } from './shared.ts'
import { isDiskFull } from './storage-error.ts'
import type { Partition, Topic } from './topics.ts'
import { Watch } from './watch.ts'

export interface LogSourceOptions<T = Uint8Array> {
  /** Directory of the log, made when it is missing. Either this or `log`. */
  readonly path?: string
  /** A log that is open already. It may be closed before the source is. */
  readonly log?: Log
  readonly topic: string
  /** Progress is kept under this name. Two sources of the same group and topic exclude each other. */
  readonly group: string
  /** Where a group without progress starts; default `'earliest'`. */
  readonly from?: 'earliest' | 'latest'
  /** Makes values of the stored bytes; default the bytes themselves, as a `Uint8Array`. */
  readonly decode?: Decoder<T>
  /** Creates the topic with so many partitions when it is missing; default: a missing topic is an error. Range 1–256. */
  readonly partitions?: number
  /** Put before partition names, to tell apart two logs with the same topic; default nothing. */
  readonly partitionPrefix?: string
}

const schema = z
  .strictObject({
    path: directory.optional(),
    log: z.instanceof(Log, { error: 'what openLog resolved with' }).optional(),
    topic: name,
    group: name,
    from: z.enum(['earliest', 'latest'], { error: "'earliest' or 'latest'" }).default('earliest'),
    decode: fn<Decoder<unknown>>().optional(),
    partitions: partitions.optional(),
    partitionPrefix: z.string({ error: 'text' }).default(''),
  })
  .refine((options) => (options.path === undefined) !== (options.log === undefined), {
    error: 'given either `path` or `log`',
  })

/** Reads `topic` for `group`. Throws `HG_OPTION_INVALID` at once when an option is wrong. */
export function source<T = Uint8Array>(options: LogSourceOptions<T>): Source<T> {
  return new LogSource<T>(checked('log.source', schema, options))
}

interface Place {
  readonly partition: Partition
  /** As the runtime knows it. */
  readonly name: string
  readonly reader: PartitionReader
  position: number
}

interface Opened {
  readonly shared: Shared
  readonly topic: Topic
  readonly context: SourceContext
  readonly places: readonly Place[]
  readonly heartbeat: NodeJS.Timeout
  readonly stopListening: () => void
}

const NOTHING: Pulled = { batches: [], ended: false }

class LogSource<T> implements Source<T> {
  readonly name: string
  readonly capabilities = {
    backlog: 'exact',
    metadataBytes: Number.POSITIVE_INFINITY,
    replayable: true,
  } as const
  readonly decode: Decoder<T> | undefined
  readonly shownOptions: Source['shownOptions']
  readonly #options: z.output<typeof schema>
  readonly #ownerId = newOwnerId()
  readonly #watch = new Watch()
  #opened: Opened | null = null
  /** Null while the group is not ours. */
  #claim: Claim | null = null
  #retaking: Promise<void> | null = null
  #turn = 0
  #stopped = false
  #closing: Promise<void> | null = null

  constructor(options: z.output<typeof schema>) {
    this.#options = options
    this.shownOptions = shownOptions(options, schema)
    this.name = `log:${options.topic}`
    this.decode = options.decode as Decoder<T> | undefined
  }

  async open(context: SourceContext, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const shared = await this.#openShared(context)
    try {
      const topic = await this.#topic(shared)
      const places = topic.partitions.map((partition): Place => {
        const reader = new PartitionReader(partition, this.#options.partitionPrefix)
        return { partition, name: this.#options.partitionPrefix + partition.name, reader, position: 0 }
      })
      await this.#take(shared, topic, places, context)
      const heartbeat = setInterval(() => void this.#beat(), HEARTBEAT_MS).unref()
      const stopListening = shared.store.onAppend(topic.name, () => this.#watch.ring())
      this.#opened = { shared, topic, context, places, heartbeat, stopListening }
    } catch (error) {
      await shared.store.release()
      throw error
    }
  }

  async pull({ credit, paused, waitMs, signal }: PullRequest): Promise<Pulled> {
    const until = Date.now() + waitMs
    for (;;) {
      if (this.#stopped || signal.aborted) return NOTHING
      const opened = this.#present()
      await this.#checkOwnership(opened)
      const batches = this.#read(opened, credit, paused)
      const leftMs = until - Date.now()
      if (batches.length > 0 || leftMs <= 0) return { batches, ended: false }
      await this.#watch.wait(() => this.#hasNews(opened, paused), leftMs, signal)
    }
  }

  held(): Credit {
    return { records: 0, bytes: 0 }
  }

  async commit(positions: readonly Position[]): Promise<void> {
    if (positions.length === 0) return
    const { shared, topic, places } = this.#present()
    const claim = this.#claim
    if (!claim) throw this.#fenced(this.#present(), positions[0]?.epoch ?? 0)
    const checkedPositions = positions.map((position): GroupPosition => {
      const place = places.find((each) => each.name === position.partition)
      if (!place) {
        throw new HeadgateError('HG_COMMIT_FAILED', `${this.name} has no partition '${position.partition}' to commit`)
      }
      const { epoch, nextOffset, doneAhead } = position
      return { partition: place.partition, epoch, nextOffset, doneAhead }
    })
    try {
      await shared.groups.commit(claim, topic, checkedPositions)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      throw new HeadgateError('HG_COMMIT_FAILED', `progress was not stored: ${describe(error)}`, { cause: error })
    }
  }

  async backlog(): Promise<readonly PartitionBacklog[]> {
    const { shared, places } = this.#present()
    shared.store.refresh()
    return places.map(({ partition, name, reader, position }): PartitionBacklog => {
      const mark = shared.topics.mark(partition)
      const records = Math.max(0, mark.nextOffset - Math.max(position, mark.firstOffset))
      return { partition: name, records, oldestTimestampMs: reader.timestampAt(position, mark) }
    })
  }

  /** Whoever owns the group reads all of the topic: a second process would only wait for it. */
  async group(): Promise<SourceGroup> {
    return { members: 1, mostMembers: 1 }
  }

  async quiesce(): Promise<void> {
    this.#stopped = true
    this.#watch.ring()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stopped = true
    this.#watch.ring()
    if (!this.#opened) return
    const { shared, topic, heartbeat, stopListening, context } = this.#opened
    clearInterval(heartbeat)
    stopListening()
    await this.#retaking?.catch(() => {})
    const claim = this.#claim
    this.#claim = null
    try {
      if (claim) await shared.store.writer.write(() => giveUp(shared.store, topic.name, claim))
    } catch (error) {
      context.log.warn({ error: describe(error) }, `${this.name}: the group stays taken until its lease runs out`)
    } finally {
      this.#opened = null
      await shared.store.release()
    }
  }

  async #openShared(context: SourceContext): Promise<Shared> {
    const { log, path } = this.#options
    if (!log) return openShared(path as string, { logger: context.log })
    log.shared.store.refresh()
    log.shared.store.retain()
    return log.shared
  }

  async #topic({ topics }: Shared): Promise<Topic> {
    const { topic, partitions } = this.#options
    return partitions === undefined ? topics.get(topic) : topics.create(topic, partitions, undefined)
  }

  async #take(
    { store, groups }: Shared,
    topic: Topic,
    places: readonly Place[],
    context: SourceContext,
  ): Promise<void> {
    const { group, from } = this.#options
    const { claim, starts } = await store.writer.write(() => {
      const claim = take(store, group, topic.name, this.#ownerId)
      return { claim, starts: groups.start(group, topic, from, claim.epoch) }
    })
    this.#claim = claim
    const assignments = places.map((place, index): Assignment => {
      const { nextOffset, doneAhead, trimmed } = starts[index] as (typeof starts)[number]
      if (trimmed > 0) {
        const text = `${place.name}: ${trimmed} records were trimmed before group '${group}' had read them`
        context.log.warn({ partition: place.name, trimmed, nextOffset }, text)
      }
      place.position = nextOffset
      return { partition: place.name, epoch: claim.epoch, nextOffset, doneAhead }
    })
    context.onAssigned(assignments)
  }

  #read({ shared, places }: Opened, credit: Credit, paused: ReadonlySet<string>): RecordBatch[] {
    const epoch = this.#claim?.epoch as number
    const ready: { place: Place; mark: ReturnType<Shared['topics']['mark']>; records: LogRecord[]; next: number }[] = []
    for (let at = 0; at < places.length; at += 1) {
      const place = places[(this.#turn + at) % places.length] as Place
      if (paused.has(place.name)) continue
      const mark = shared.topics.mark(place.partition)
      if (place.position < mark.nextOffset) ready.push({ place, mark, records: [], next: place.position })
    }
    this.#turn = (this.#turn + 1) % places.length
    const allowance = { records: credit.records, bytes: credit.bytes, first: true }
    // An equal share each, then whoever has more takes what the others left.
    const share = Math.max(1, Math.floor(credit.records / Math.max(1, ready.length)))
    for (const most of [share, credit.records]) {
      for (const each of ready) {
        if (allowance.records > 0)
          each.next = each.place.reader.read(each.next, each.mark, most, allowance, each.records)
      }
    }
    const batches: RecordBatch[] = []
    for (const { place, records, next } of ready) {
      place.position = next
      if (records.length > 0) batches.push({ partition: place.name, epoch, records })
    }
    return batches
  }

  #hasNews(opened: Opened, paused: ReadonlySet<string>): boolean {
    const { shared, topic, places } = opened
    if (this.#stopped) return true
    shared.store.refresh()
    if (!this.#claim || !holds(shared.store, topic.name, this.#claim)) return true
    return places.some(
      ({ partition, name, position }) => !paused.has(name) && position < shared.topics.mark(partition).nextOffset,
    )
  }

  /** Resolves when the group is ours, taking it again after an operator moved it; else throws `HG_FENCED`. */
  async #checkOwnership(opened: Opened): Promise<void> {
    const { shared, topic } = opened
    shared.store.refresh()
    if (this.#claim && holds(shared.store, topic.name, this.#claim)) return
    this.#lose(opened)
    if (ownerOf(shared.store, this.#options.group, topic.name)?.ownerId) throw this.#fenced(opened, 0)
    await this.#retake(opened)
  }

  #retake({ shared, topic, places, context }: Opened): Promise<void> {
    this.#retaking ??= this.#take(shared, topic, places, context).finally(() => {
      this.#retaking = null
    })
    return this.#retaking
  }

  #lose({ places, context }: Opened): void {
    if (!this.#claim) return
    this.#claim = null
    context.onLost(places.map((place) => place.name))
  }

  /** Keeps the lease, whether or not anyone pulls, and finds out when it was lost. */
  async #beat(): Promise<void> {
    const opened = this.#opened
    const claim = this.#claim
    if (!opened || !claim) return
    const { shared, topic, context } = opened
    try {
      if (await shared.store.writer.write(() => renew(shared.store, topic.name, claim))) return
      if (this.#claim !== claim || this.#closing) return
      this.#lose(opened)
      this.#watch.ring()
    } catch (error) {
      context.log.warn({ error: describe(error) }, `${this.name}: the heartbeat could not be stored`)
    }
  }

  #present(): Opened {
    if (this.#opened && !this.#closing) return this.#opened
    throw new HeadgateError('HG_FENCED', `${this.name} is not open`)
  }

  #fenced({ shared, topic }: Opened, epoch: number): HeadgateError {
    const owner = ownerOf(shared.store, this.#options.group, topic.name)
    return fenced({ group: this.#options.group, ownerId: this.#ownerId, epoch: -1 }, topic.name, epoch, owner)
  }
}
