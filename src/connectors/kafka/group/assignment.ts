/**
 * Partitions as the group protocols speak of them, and the text forms of subscriptions and assignments: the embedded
 * protocol `consumer` of classic groups, versions 0 to 3. Both memberships and the assignors use it. Invariant: whatever
 * another client wrote is read as far as it is understood, or refused as a whole; it never misleads.
 */

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A member as the leader of a classic group sees it. */
export interface Subscriber {
  readonly memberId: string
  readonly instanceId: string | null
  readonly topics: readonly string[]
  /** What it owned when it joined. */
  readonly owned: readonly TopicPartition[]
  /** In which generation it owned that; −1 when it does not say. */
  readonly generation: number
}

export function nameOfPartition({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

/** By topic, then by number. */
export function comparePartitions(a: TopicPartition, b: TopicPartition): number {
  if (a.topic === b.topic) return a.partition - b.partition
  return a.topic < b.topic ? -1 : 1
}

export function byTopic(partitions: readonly TopicPartition[]): Map<string, number[]> {
  const topics = new Map<string, number[]>()
  for (const { topic, partition } of partitions) {
    const numbers = topics.get(topic)
    if (numbers) numbers.push(partition)
    else topics.set(topic, [partition])
  }
  return topics
}

export function encodeSubscription(
  topics: readonly string[],
  owned: readonly TopicPartition[],
  generation: number,
  rackId: string,
): Buffer {
  const userData = Buffer.alloc(4)
  userData.writeInt32BE(generation)
  return Buffer.concat([
    int16(3),
    int32(topics.length),
    ...topics.map(text),
    // Where leaders of before Kafka 3.5 look for the generation.
    int32(userData.length),
    userData,
    ...encodePartitions(owned),
    int32(generation),
    rackId === '' ? int16(-1) : text(rackId),
  ])
}

/** Null when the bytes are no subscription. */
export function decodeSubscription(
  memberId: string,
  instanceId: string | null,
  metadata: Buffer | null,
): Subscriber | null {
  const none = { memberId, instanceId, topics: [], owned: [], generation: -1 }
  if (metadata === null || metadata.length === 0) return none
  try {
    const cursor = new Cursor(metadata)
    const version = cursor.int16()
    const topics = cursor.array(() => cursor.text())
    const userData = cursor.bytes()
    const owned = version >= 1 ? cursor.partitions() : []
    let generation = version >= 2 && cursor.left >= 4 ? cursor.int32() : -1
    if (version < 2 && userData !== null && userData.length === 4) generation = userData.readInt32BE()
    return { memberId, instanceId, topics, owned, generation }
  } catch {
    return null
  }
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  return Buffer.concat([int16(0), ...encodePartitions(partitions), int32(-1)])
}

/** Throws a RangeError when the bytes are no assignment. */
export function decodeAssignment(bytes: Buffer): TopicPartition[] {
  if (bytes.length === 0) return []
  const cursor = new Cursor(bytes)
  cursor.int16()
  return cursor.partitions()
}

function encodePartitions(partitions: readonly TopicPartition[]): Buffer[] {
  const topics = byTopic(partitions)
  const parts = [int32(topics.size)]
  for (const [topic, numbers] of topics) parts.push(text(topic), int32(numbers.length), ...numbers.map(int32))
  return parts
}

class Cursor {
  readonly #bytes: Buffer
  #at = 0

  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  int16(): number {
    const value = this.#bytes.readInt16BE(this.#at)
    this.#at += 2
    return value
  }

  int32(): number {
    const value = this.#bytes.readInt32BE(this.#at)
    this.#at += 4
    return value
  }

  text(): string {
    return this.#take(this.int16()).toString('utf8')
  }

  bytes(): Buffer | null {
    const length = this.int32()
    return length < 0 ? null : this.#take(length)
  }

  array<T>(entry: () => T): T[] {
    const count = this.int32()
    // Every entry takes two bytes at the least: a count that is a lie is found before memory is taken for it.
    if (count < -1 || count * 2 > this.left) throw new RangeError(`an array of ${count} entries`)
    return Array.from({ length: Math.max(0, count) }, entry)
  }

  partitions(): TopicPartition[] {
    return this.array(() => {
      const topic = this.text()
      return this.array(() => ({ topic, partition: this.int32() }))
    }).flat()
  }

  #take(length: number): Buffer {
    if (length < 0 || length > this.left) throw new RangeError(`${length} bytes of ${this.left}`)
    this.#at += length
    return this.#bytes.subarray(this.#at - length, this.#at)
  }
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value)
  return Buffer.concat([int16(bytes.length), bytes])
}
