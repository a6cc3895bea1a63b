/**
 * Consumer groups: how far each has come in each partition, and which consumer owns the group on a topic now. Sources
 * go through it, and so do `log.groups` and `log.seek`. Invariant: progress is stored only under the owner's present
 * epoch and never moves backward within one; every take-over and every seek begins a new epoch.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Claim } from './ownership.ts'
import { type Owner, ownerOf, setOwner } from './ownership.ts'
import type { Store } from './store.ts'
import type { Partition, Topic, Topics } from './topics.ts'

export interface Progress {
  readonly nextOffset: number
  readonly doneAhead: Uint8Array | null
  readonly epoch: number
  readonly updatedAtMs: number
}

export type Start = 'earliest' | 'latest' | number

const PROGRESS_BYTES = 32

export class Groups {
  readonly #store: Store
  readonly #topics: Topics

  constructor(store: Store, topics: Topics) {
    this.#store = store
    this.#topics = topics
  }

  progress(group: string, partition: Partition): Progress | null {
    const bytes = this.#store.progress.get(keyOf(group, partition))
    return bytes ? decode(bytes) : null
  }

  /**
   * Where `group` starts in each partition. A group that has no progress yet gets it here, so that what is appended
   * from now on belongs to it even if it never commits. Only inside a write step.
   */
  start(group: string, topic: Topic, from: Start, epoch: number): (Progress & { readonly trimmed: number })[] {
    return topic.partitions.map((partition) => {
      const { firstOffset } = this.#topics.mark(partition)
      const stored = this.progress(group, partition)
      const place = stored ?? { nextOffset: this.#place(partition, from), doneAhead: null }
      const trimmed = Math.max(0, firstOffset - place.nextOffset)
      const now: Progress = {
        nextOffset: place.nextOffset + trimmed,
        doneAhead: trimmed > 0 ? null : place.doneAhead,
        epoch,
        updatedAtMs: Date.now(),
      }
      this.#put(group, partition, now)
      return { ...now, trimmed }
    })
  }

  /** Stores the owner's progress, or nothing at all. Durable when it resolves. */
  commit(claim: Claim, topic: Topic, positions: readonly GroupPosition[]): Promise<void> {
    return this.#store.writer.write(() => {
      const owner = ownerOf(this.#store, claim.group, topic.name)
      for (const position of positions) {
        if (owner?.ownerId !== claim.ownerId || owner.epoch !== claim.epoch || position.epoch !== claim.epoch) {
          throw fenced(claim, topic.name, position.epoch, owner)
        }
        this.#checkPosition(claim.group, position)
      }
      for (const { partition, nextOffset, doneAhead, epoch } of positions) {
        this.#put(claim.group, partition, { nextOffset, doneAhead, epoch, updatedAtMs: Date.now() })
        this.#store.writer.point('put')
      }
    })
  }

  /** Moves the group, and fences whoever owns it: the owner finds out and goes on from the new place. */
  seek(group: string, topic: Topic, partitions: readonly Partition[], to: Start): Promise<void> {
    return this.#store.writer.write(() => {
      const owner = ownerOf(this.#store, group, topic.name)
      const epoch = (owner?.epoch ?? 0) + 1
      setOwner(this.#store, group, topic.name, { ...owner, ownerId: null, epoch })
      for (const partition of partitions) {
        const nextOffset = this.#place(partition, to)
        this.#put(group, partition, { nextOffset, doneAhead: null, epoch, updatedAtMs: Date.now() })
        this.#store.writer.point('put')
      }
    })
  }

  /** Every group and topic with progress. */
  list(): { group: string; topic: string }[] {
    const found = new Map<string, { group: string; topic: string }>()
    for (const key of this.#store.progress.getKeys()) {
      const [group, topic] = key as [string, string, number]
      found.set(`${group}/${topic}`, { group, topic })
    }
    return [...found.values()]
  }

  #place(partition: Partition, to: Start): number {
    const { firstOffset, nextOffset } = this.#topics.mark(partition)
    if (to === 'earliest') return firstOffset
    if (to === 'latest') return nextOffset
    return Math.min(Math.max(to, firstOffset), nextOffset)
  }

  #checkPosition(group: string, { partition, nextOffset }: GroupPosition): void {
    const stored = this.progress(group, partition)
    if (stored && nextOffset < stored.nextOffset) {
      throw new HeadgateError(
        'HG_COMMIT_FAILED',
        `${partition.name}: group '${group}' is at offset ${stored.nextOffset} and a commit never moves it back to ${nextOffset}; an operator can, with log.seek`,
      )
    }
    const end = this.#topics.mark(partition).nextOffset
    if (nextOffset > end) {
      throw new HeadgateError(
        'HG_COMMIT_FAILED',
        `${partition.name} ends at offset ${end}, offset ${nextOffset} cannot be committed`,
      )
    }
  }

  #put(group: string, partition: Partition, progress: Progress): void {
    this.#store.progress.putSync(keyOf(group, partition), encode(progress))
  }
}

export interface GroupPosition {
  readonly partition: Partition
  readonly epoch: number
  readonly nextOffset: number
  readonly doneAhead: Uint8Array | null
}

export function fenced(claim: Claim, topic: string, epoch: number, owner: Owner | null): HeadgateError {
  const why =
    owner?.ownerId === claim.ownerId && owner.epoch === claim.epoch
      ? `epoch ${epoch} is not the present one, ${claim.epoch}`
      : owner?.ownerId
        ? `pid ${owner.pid} on ${owner.hostname} took it over`
        : 'it was moved by an operator or given up'
  return new HeadgateError('HG_FENCED', `group '${claim.group}' on topic '${topic}' is no longer consumed here: ${why}`)
}

function keyOf(group: string, partition: Partition): (string | number)[] {
  return [group, partition.name.slice(0, partition.name.lastIndexOf('/')), partition.index]
}

/** Version u8, "has done-ahead" u8, 6 reserved, next offset f64, epoch f64, updated f64, done-ahead bytes. */
function encode(progress: Progress): Buffer {
  const ahead = progress.doneAhead
  const bytes = Buffer.alloc(PROGRESS_BYTES + (ahead?.length ?? 0))
  bytes[0] = 1
  bytes[1] = ahead ? 1 : 0
  bytes.writeDoubleLE(progress.nextOffset, 8)
  bytes.writeDoubleLE(progress.epoch, 16)
  bytes.writeDoubleLE(progress.updatedAtMs, 24)
  if (ahead) bytes.set(ahead, PROGRESS_BYTES)
  return bytes
}

function decode(stored: Uint8Array): Progress {
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength)
  return {
    nextOffset: bytes.readDoubleLE(8),
    epoch: bytes.readDoubleLE(16),
    updatedAtMs: bytes.readDoubleLE(24),
    doneAhead: bytes[1] === 1 ? bytes.subarray(PROGRESS_BYTES) : null,
  }
}
