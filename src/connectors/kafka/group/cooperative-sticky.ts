/**
 * The cooperative-sticky assignor: as even as subscriptions allow, with as few moves as that takes; and a partition
 * that moves is given to nobody until its owner has let it go, in a second round. The leader of a classic group calls
 * it. Invariant: no partition is ever assigned to two members, nor taken from one in the same round in which another
 * gets it (KIP-429).
 */
import { comparePartitions, nameOfPartition, type Subscriber, type TopicPartition } from './assignment.ts'

/** `counts`: partitions by topic; a topic that is missing does not exist. Gives every member's partitions by its id. */
export function assignCooperativeSticky(
  members: readonly Subscriber[],
  counts: ReadonlyMap<string, number>,
): Map<string, TopicPartition[]> {
  const owners = ownersOf(members, counts)
  const balanced = new Balance(members, counts, owners).settle()
  const assigned = new Map<string, TopicPartition[]>(members.map(({ memberId }) => [memberId, []]))
  for (const [memberId, partitions] of balanced) {
    for (const partition of partitions) {
      const owner = owners.get(nameOfPartition(partition))
      if (owner === undefined || owner === memberId) assigned.get(memberId)?.push(partition)
    }
  }
  for (const partitions of assigned.values()) partitions.sort(comparePartitions)
  return assigned
}

/**
 * Who owns what, by name of the partition. Of two that claim the same the later generation is right, and where that is
 * the same neither is: it cannot be told whether one of them still works on it, so nobody keeps it.
 */
function ownersOf(members: readonly Subscriber[], counts: ReadonlyMap<string, number>): Map<string, string> {
  const claims = new Map<string, { memberId: string; generation: number; contested: boolean }>()
  for (const { memberId, topics, owned, generation } of members) {
    const subscribed = new Set(topics)
    for (const partition of owned) {
      if (!subscribed.has(partition.topic) || partition.partition >= (counts.get(partition.topic) ?? 0)) continue
      const name = nameOfPartition(partition)
      const claim = claims.get(name)
      if (claim === undefined || generation > claim.generation) {
        claims.set(name, { memberId, generation, contested: false })
      } else if (generation === claim.generation && memberId !== claim.memberId) claim.contested = true
    }
  }
  const owners = new Map<string, string>()
  for (const [name, { memberId, contested }] of claims) if (!contested) owners.set(name, memberId)
  return owners
}

class Balance {
  readonly #members: readonly Subscriber[]
  readonly #assigned = new Map<string, TopicPartition[]>()
  readonly #subscribed = new Map<string, ReadonlySet<string>>()
  readonly #free: TopicPartition[] = []

  constructor(
    members: readonly Subscriber[],
    counts: ReadonlyMap<string, number>,
    owners: ReadonlyMap<string, string>,
  ) {
    this.#members = [...members].sort((a, b) => (a.memberId < b.memberId ? -1 : 1))
    for (const { memberId, topics } of this.#members) {
      this.#assigned.set(memberId, [])
      this.#subscribed.set(memberId, new Set(topics))
    }
    for (const [topic, count] of [...counts].sort(([a], [b]) => (a < b ? -1 : 1))) {
      for (let partition = 0; partition < count; partition += 1) {
        const owner = owners.get(nameOfPartition({ topic, partition }))
        const target = owner === undefined ? this.#free : this.#assigned.get(owner)
        target?.push({ topic, partition })
      }
    }
  }

  settle(): ReadonlyMap<string, TopicPartition[]> {
    for (const partition of this.#free) {
      const taker = this.#lightest(partition.topic)
      if (taker !== null) this.#assigned.get(taker)?.push(partition)
    }
    while (this.#move()) {}
    return this.#assigned
  }

  /** Moves one partition from a member to another that has at least two fewer; false when there is none such. */
  #move(): boolean {
    const heaviest = [...this.#members].sort((a, b) => this.#load(b.memberId) - this.#load(a.memberId))
    for (const { memberId } of heaviest) {
      const partitions = this.#assigned.get(memberId) as TopicPartition[]
      let best: { index: number; taker: string } | null = null
      for (let index = partitions.length - 1; index >= 0; index -= 1) {
        const taker = this.#lightest((partitions[index] as TopicPartition).topic)
        if (taker === null || this.#load(taker) > partitions.length - 2) continue
        if (best === null || this.#load(taker) < this.#load(best.taker)) best = { index, taker }
      }
      if (best === null) continue
      const [moved] = partitions.splice(best.index, 1)
      this.#assigned.get(best.taker)?.push(moved as TopicPartition)
      return true
    }
    return false
  }

  #load(memberId: string): number {
    return this.#assigned.get(memberId)?.length ?? 0
  }

  #lightest(topic: string): string | null {
    let lightest: string | null = null
    for (const { memberId } of this.#members) {
      if (this.#subscribed.get(memberId)?.has(topic) !== true) continue
      if (lightest === null || this.#load(memberId) < this.#load(lightest)) lightest = memberId
    }
    return lightest
  }
}
