/**
 * The partitions that are ours, and what their coming and going means: where they begin, draining before they are given
 * up, forgetting those that are lost. The group membership tells it, it tells the runtime. Invariants: each assignment
 * has an epoch of its own, and is announced before its first record; a partition is given up only when the runtime has
 * let it go, or the time for that is over.
 */
import type { Assignment, SourceContext } from '../../model/connector.ts'
import { describe } from '../../model/errors.ts'
import type { Committer } from './commit/committer.ts'
import { nameOfPartition, type TopicPartition } from './group/assignment.ts'
import type { SourceSettings } from './option.ts'
import { Partition } from './partition.ts'
import { type Start, startOf } from './start.ts'
import type { Cluster } from './wire/cluster.ts'
import { sleep } from './wire/wait.ts'

export class Holdings {
  /** By name, as the runtime knows it. */
  readonly partitions = new Map<string, Partition>()
  readonly #cluster: Cluster
  readonly #settings: SourceSettings
  readonly #context: SourceContext
  readonly #changed: () => void
  #epoch = 0
  /** Ends what is being taken up when everything is lost meanwhile. */
  #life = new AbortController()

  /** `changed` is called after every coming and going. */
  constructor(cluster: Cluster, settings: SourceSettings, context: SourceContext, changed: () => void) {
    this.#cluster = cluster
    this.#settings = settings
    this.#context = context
    this.#changed = changed
  }

  owned(): TopicPartition[] {
    return Array.from(this.partitions.values(), ({ topic, index }) => ({ topic, partition: index }))
  }

  /** Begins to read these. Does nothing more when everything was lost while it asked where to begin. */
  async assign(committer: Committer, assigned: readonly TopicPartition[]): Promise<void> {
    const { signal } = this.#life
    try {
      const starts = await this.#startOf(committer, assigned, signal)
      if (signal.aborted) return
      this.#announce(assigned.map((partition) => [partition, starts.get(nameOfPartition(partition)) as Start] as const))
    } catch (error) {
      if (!signal.aborted) throw error
    }
  }

  async #startOf(
    committer: Committer,
    assigned: readonly TopicPartition[],
    signal: AbortSignal,
  ): Promise<Map<string, Start>> {
    const isKnown = ({ topic, partition }: TopicPartition): boolean =>
      this.#cluster.topics.get(topic)?.leaders[partition] !== undefined
    if (!assigned.every(isKnown)) await this.#cluster.refresh()
    const starts = await startOf(this.#cluster, this.#settings, committer, assigned, signal)
    const fresh = assigned.flatMap((partition) => {
      const start = starts.get(nameOfPartition(partition))
      return start?.isFresh ? [{ ...partition, nextOffset: start.nextOffset }] : []
    })
    if (signal.aborted) return starts
    await committer.anchor(fresh).catch((error: unknown) => {
      this.#cluster.log.warn({ error: describe(error) }, 'where the group begins could not be stored')
    })
    return starts
  }

  /** Resolves when these are given up: drained and committed, or when `graceMs` or the source's life is over. */
  async revoke(partitions: readonly TopicPartition[], graceMs: number): Promise<void> {
    const going = this.#ours(partitions)
    if (going.length === 0) return
    for (const partition of going) {
      partition.revoking = true
      partition.drop()
    }
    const names = going.map(({ name }) => name)
    this.#cluster.log.info({ partitions: names }, 'partitions are taken away: finishing what was begun')
    const over = new AbortController()
    const signal = AbortSignal.any([over.signal, this.#cluster.signal, this.#life.signal])
    try {
      await Promise.race([this.#context.onRevoked(names, graceMs), sleep(graceMs, signal)])
    } finally {
      over.abort()
    }
    for (const partition of going) this.#remove(partition)
    this.#changed()
  }

  /** These are gone: whatever is still in flight of them must not be committed. */
  lose(partitions: readonly TopicPartition[]): void {
    this.#life.abort()
    this.#life = new AbortController()
    const gone = this.#ours(partitions)
    if (gone.length === 0) return
    for (const partition of gone) this.#remove(partition)
    this.#context.onLost(gone.map(({ name }) => name))
    this.#changed()
  }

  /** The group's offset of a partition was wrong: it begins anew, under a new epoch. Returns what it is then. */
  restart(partition: Partition, nextOffset: number): Partition | null {
    if (partition.ended || this.partitions.get(partition.name) !== partition) return null
    this.#remove(partition)
    this.#context.onLost([partition.name])
    const start = { nextOffset, doneAhead: null, leaderEpoch: -1, isFresh: false }
    this.#announce([[{ topic: partition.topic, partition: partition.index }, start]])
    return this.partitions.get(partition.name) ?? null
  }

  #announce(starts: readonly (readonly [TopicPartition, Start])[]): void {
    const assignments: Assignment[] = []
    for (const [{ topic, partition: index }, { nextOffset, doneAhead, leaderEpoch }] of starts) {
      const name = this.#nameOf({ topic, partition: index })
      this.#epoch += 1
      const partition = new Partition(topic, index, name, this.#epoch, nextOffset)
      partition.topicId = this.#cluster.topics.get(topic)?.id ?? ''
      partition.epochs.note(leaderEpoch, nextOffset - 1)
      this.partitions.set(name, partition)
      assignments.push({ partition: name, epoch: this.#epoch, nextOffset, doneAhead })
    }
    const names = assignments.map(({ partition, nextOffset }) => `${partition}@${nextOffset}`)
    this.#cluster.log.info({ partitions: names }, 'partitions are ours')
    this.#context.onAssigned(assignments)
    this.#changed()
  }

  #ours(partitions: readonly TopicPartition[]): Partition[] {
    return partitions.flatMap((partition) => this.partitions.get(this.#nameOf(partition)) ?? [])
  }

  #remove(partition: Partition): void {
    partition.end()
    if (this.partitions.get(partition.name) === partition) this.partitions.delete(partition.name)
  }

  #nameOf(partition: TopicPartition): string {
    return this.#settings.partitionPrefix + nameOfPartition(partition)
  }
}
