/**
 * What the cluster's metadata says about topics: ids, partitions, leaders. `cluster.ts` puts in each answer of a broker,
 * everyone else reads. Invariant: a leader is never replaced by one of an older epoch, however late an answer comes.
 */
import type { MetadataTopic } from './calls.ts'

export interface Leader {
  /** −1 while there is none. */
  readonly nodeId: number
  readonly epoch: number
}

export interface Topic {
  readonly name: string
  /** All zeros where brokers give topics no ids (before 3.1). */
  readonly id: string
  readonly isInternal: boolean
  /** By partition, 0 to count − 1. */
  readonly leaders: readonly Leader[]
}

const NO_LEADER: Leader = { nodeId: -1, epoch: -1 }

export class Topics {
  readonly #byName = new Map<string, Topic>()
  readonly #namesById = new Map<string, string>()
  /** Why a topic that was asked for is not among the others: the broker's error code. */
  readonly #refused = new Map<string, number>()

  get(name: string): Topic | undefined {
    return this.#byName.get(name)
  }

  nameOf(id: string): string | undefined {
    return this.#namesById.get(id)
  }

  /** The broker's error code for a topic that was asked for; 0 when it is there or was not asked for. */
  codeOf(name: string): number {
    return this.#refused.get(name) ?? 0
  }

  names(): string[] {
    return [...this.#byName.keys()]
  }

  /** Takes in an answer. `whole`: it is about all topics, so that those it does not name are gone. */
  put(answered: readonly MetadataTopic[], whole: boolean): void {
    if (whole) {
      const named = new Set(answered.map(({ name }) => name))
      for (const name of this.#byName.keys()) if (!named.has(name)) this.#remove(name)
      this.#refused.clear()
    }
    for (const topic of answered) {
      const { name, errorCode } = topic
      if (name === null) continue
      this.#refused.delete(name)
      // LEADER_NOT_AVAILABLE comes for a topic that is just being made: it has its partitions all the same.
      if (errorCode !== 0 && topic.partitions.length === 0) {
        this.#refused.set(name, errorCode)
        this.#remove(name)
      } else this.#set(name, topic)
    }
  }

  #set(name: string, { topicId, isInternal, partitions }: MetadataTopic): void {
    const before = this.#byName.get(name)
    const known = before?.id === topicId ? before.leaders : []
    if (before !== undefined && before.id !== topicId) this.#remove(name)
    const leaders: Leader[] = new Array<Leader>(Math.max(partitions.length, known.length)).fill(NO_LEADER)
    for (const [index, leader] of known.entries()) leaders[index] = leader
    for (const { partitionIndex, leaderId, leaderEpoch } of partitions) {
      const present = leaders[partitionIndex] ?? NO_LEADER
      if (leaderEpoch >= present.epoch) leaders[partitionIndex] = { nodeId: leaderId, epoch: leaderEpoch }
    }
    this.#byName.set(name, { name, id: topicId, isInternal, leaders })
    this.#namesById.set(topicId, name)
  }

  #remove(name: string): void {
    const topic = this.#byName.get(name)
    if (topic !== undefined && this.#namesById.get(topic.id) === name) this.#namesById.delete(topic.id)
    this.#byName.delete(name)
  }
}
