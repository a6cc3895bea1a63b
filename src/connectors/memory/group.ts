/**
 * A consumer group of a memory topic: which member owns which partition, and what was committed. Members join and
 * leave; partitions are taken from those that have too many, and given to those that have too few. Invariant: a
 * partition has one owner at most, and changes it only after the owner let go or was told that it is lost.
 */
import type { Assignment, Position } from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { Progress } from './progress.ts'

export interface Member {
  assigned(assignments: readonly Assignment[]): void
  /** Resolves when the member has let go. */
  revoking(partitions: readonly string[]): Promise<void>
  lost(partitions: readonly string[]): void
  deliveredTo(partition: string): number
}

export class Group {
  /** Every position that was stored, in order: tests ask for it. */
  readonly commits: Position[] = []
  readonly progress = new Progress((position) => this.commits.push(position))
  readonly #partitions: readonly string[]
  readonly #members: Member[] = []
  readonly #owners = new Map<string, Member>()
  /** Partitions that a fault took away: nobody gets them until `assign`. */
  readonly #withheld = new Set<string>()
  #rebalancing: Promise<void> = Promise.resolve()
  #failing = 0
  #failingAfterStore = false

  constructor(partitions: readonly string[]) {
    this.#partitions = partitions
  }

  join(member: Member): void {
    this.#members.push(member)
    this.#handOut()
    this.#rebalancing = this.#rebalancing.then(() => this.#rebalance())
  }

  leave(member: Member): void {
    const at = this.#members.indexOf(member)
    if (at < 0) return
    this.#members.splice(at, 1)
    this.#free(this.#owned(member))
    this.#handOut()
  }

  /** Takes partitions from their owners, politely, and withholds them. */
  async revoke(partitions: readonly string[]): Promise<void> {
    for (const partition of partitions) this.#withheld.add(partition)
    await Promise.all(this.#members.map((member) => this.#take(member, this.#owned(member, partitions))))
  }

  /** Takes partitions from their owners at once, and withholds them. */
  lose(partitions: readonly string[]): void {
    for (const partition of partitions) this.#withheld.add(partition)
    for (const member of [...this.#members]) {
      const gone = this.#owned(member, partitions)
      if (gone.length === 0) continue
      this.#free(gone)
      member.lost(gone)
    }
  }

  /** Ends the withholding: the partitions go to the members that have the fewest. */
  assign(partitions: readonly string[]): void {
    for (const partition of partitions) this.#withheld.delete(partition)
    this.#handOut()
  }

  failCommits(count: number, afterStore: boolean): void {
    this.#failing = count
    this.#failingAfterStore = afterStore
  }

  commit(member: Member, positions: readonly Position[]): void {
    const fails = this.#failing > 0
    if (fails) this.#failing -= 1
    if (fails && !this.#failingAfterStore) throw new HeadgateError('HG_COMMIT_FAILED', 'the commit was refused')
    const stranger = positions.find(({ partition }) => this.#owners.get(partition) !== member)
    if (stranger) throw new HeadgateError('HG_FENCED', `commit of ${stranger.partition}, which is no longer owned`)
    this.progress.commit(positions, (partition) => member.deliveredTo(partition))
    if (fails) throw new HeadgateError('HG_COMMIT_FAILED', 'the reply to the commit was lost')
  }

  owns(member: Member, partition: string): boolean {
    return this.#owners.get(partition) === member
  }

  unowned(): readonly string[] {
    return this.#partitions.filter((partition) => !this.#owners.has(partition))
  }

  #owned(member: Member, among: readonly string[] = this.#partitions): string[] {
    return among.filter((partition) => this.#owners.get(partition) === member)
  }

  async #rebalance(): Promise<void> {
    for (const member of [...this.#members]) {
      const share = Math.ceil(this.#partitions.length / this.#members.length)
      await this.#take(member, this.#owned(member).slice(share))
    }
    this.#handOut()
  }

  async #take(member: Member, partitions: readonly string[]): Promise<void> {
    if (partitions.length === 0) return
    const epochs = partitions.map((partition) => this.progress.of(partition).epoch)
    try {
      await member.revoking(partitions)
    } finally {
      this.#free(partitions.filter((partition, at) => this.progress.of(partition).epoch === epochs[at]))
    }
  }

  /** Nobody owns them now, and a commit that is still under way is stale. */
  #free(partitions: readonly string[]): void {
    for (const partition of partitions) {
      this.#owners.delete(partition)
      this.progress.raiseEpoch(partition)
    }
  }

  #handOut(): void {
    const given = new Map<Member, Assignment[]>()
    for (const partition of this.unowned()) {
      const poorest = [...this.#members].sort((a, b) => this.#owned(a).length - this.#owned(b).length)[0]
      if (!poorest || this.#withheld.has(partition)) continue
      this.#owners.set(partition, poorest)
      const epoch = this.progress.raiseEpoch(partition)
      const { nextOffset, doneAhead } = this.progress.of(partition)
      given.set(poorest, [...(given.get(poorest) ?? []), { partition, epoch, nextOffset, doneAhead }])
    }
    for (const [member, assignments] of given) member.assigned(assignments)
  }
}
