/**
 * What happens when the record that is next is not there: trimmed by retention, cut off because brokers lost it, or not
 * written yet because the topic was made anew. The fetch loop finds out, this decides where to go on, by `outOfRange`.
 * Invariant: what is skipped or lost is said, as an error in the log or as the error that stops the source, with the
 * offsets it is about; and a partition that goes back is stored there at once, under a new epoch.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { Committer } from './commit/committer.ts'
import { EARLIEST, LATEST, offsetsOf } from './fetch/offsets.ts'
import { nameOfPartition } from './group/assignment.ts'
import type { Holdings } from './holdings.ts'
import type { SourceSettings } from './option.ts'
import { isRemade, type Partition } from './partition.ts'
import type { FetchedPartition } from './wire/calls.ts'
import type { Cluster } from './wire/cluster.ts'

export class OutOfRange {
  readonly #cluster: Cluster
  readonly #settings: SourceSettings
  readonly #holdings: Holdings
  readonly #committer: Committer
  readonly #fail: (error: HeadgateError) => void
  readonly #asking = new Set<Partition>()

  constructor(
    cluster: Cluster,
    settings: SourceSettings,
    holdings: Holdings,
    committer: Committer,
    fail: (error: HeadgateError) => void,
  ) {
    this.#cluster = cluster
    this.#settings = settings
    this.#holdings = holdings
    this.#committer = committer
    this.#fail = fail
  }

  /** Finds out what the partition has, and goes on. Until then it is fetched again now and then, to no effect. */
  find(partition: Partition, isAnother = false): void {
    if (this.#asking.has(partition)) return
    this.#asking.add(partition)
    void this.#ask(partition, isAnother).finally(() => this.#asking.delete(partition))
  }

  /**
   * The leader's log has not got what was read from it: of the epochs up to that of the last record that was fetched,
   * `epoch` is the newest that it knows, and ends before `endOffset`.
   */
  diverged(partition: Partition, { epoch, endOffset }: NonNullable<FetchedPartition['diverging']>): void {
    const { name, topic, index, position, firstHeld } = partition
    if (partition.replica >= 0) {
      // A follower that lags behind looks the same: the leader knows.
      partition.replica = -1
      return
    }
    const leaderEpoch = this.#cluster.topics.get(topic)?.leaders[index]?.epoch ?? -1
    if (leaderEpoch >= 0 && leaderEpoch <= partition.epochs.last) {
      // No newer leader: an earlier topic of the same name, or a broker that lost its disk's last writes and goes on under
      // the same epoch (before Kafka 4). From where on the records are others, nobody can tell.
      this.find(partition, true)
      return
    }
    const next = partition.epochs.agreement(epoch, endOffset)
    if (next >= firstHeld) {
      this.#cluster.log.info(
        { partition: name, position, next },
        'the brokers have lost records that were fetched and not handed out yet: reading what stands in their place',
      )
      partition.drop()
      return
    }
    const what =
      `the brokers have lost records ${next} to ${firstHeld - 1} of ${name}, which the group '${this.#settings.group}' had read: ` +
      'a leader without them has taken over (see unclean.leader.election.enable, min.insync.replicas, and the disks of the brokers)'
    const { epochs } = partition
    const anew = this.#goOn(partition, next, what)
    if (anew === null) return
    // Where more than one election lost something, the next answer tells of what lies further back.
    epochs.cut(next)
    anew.epochs = epochs
  }

  async #ask(partition: Partition, isAnother: boolean): Promise<void> {
    const { topic, index } = partition
    const place = { topic, partition: index }
    const { requestTimeoutMs } = this.#settings
    const ask = async (timestamp: bigint): Promise<number> => {
      const { signal } = this.#cluster
      const found = await offsetsOf(this.#cluster, [{ ...place, timestamp }], false, requestTimeoutMs, signal)
      return found.get(nameOfPartition(place)) as number
    }
    try {
      const [start, end] = await Promise.all([ask(EARLIEST), ask(LATEST)])
      if (!partition.ended && !partition.revoking) this.#decide(partition, start, end, isAnother)
    } catch (error) {
      if (error instanceof HeadgateError && error.code !== 'HG_CONNECTION_LOST') this.#fail(error)
    }
  }

  #decide(partition: Partition, start: number, end: number, isAnother: boolean): void {
    const { outOfRange, group } = this.#settings
    const { name, position, topic } = partition
    const next = outOfRange === 'latest' ? end : start
    if (isRemade(partition, this.#cluster.topics.get(topic))) {
      const text = `the topic '${topic}' was deleted and made anew: offset ${position}, where the group '${group}' stands in ${name}, was another one's`
      this.#goOn(partition, next, text)
      return
    }
    if (isAnother) {
      const text = `the records of ${name} before offset ${position} are not those that the group '${group}' had read (the topic was made anew, or its broker lost what it had)`
      this.#goOn(partition, next, text)
      return
    }
    if (position >= start && position <= end) {
      // A leader that is new may not have known how far the log goes, or not know the epochs that it has.
      partition.epochs.clear()
      return
    }
    const what =
      position < start
        ? `records ${position} to ${start - 1} of ${name} were deleted before the group '${group}' had read them ` +
          '(its lag is longer than retention.ms or retention.bytes allow, or the topic was trimmed)'
        : `the group '${group}' stands at offset ${position} of ${name}, which ends at ${end} ` +
          '(the topic was made anew, or the brokers lost what they had)'
    // A jump ahead is a gap like any other; a jump back must not look like a commit that goes backward.
    this.#goOn(partition, next, what, next >= position)
  }

  /** Returns what the partition has become; null where it stays what it is, or ends. */
  #goOn(partition: Partition, next: number, what: string, isGap = false): Partition | null {
    const { name, position } = partition
    if (this.#settings.outOfRange === 'fail') {
      const text = `${what}. Set the group's offset, or let \`outOfRange\` say where to go on`
      this.#fail(new HeadgateError('HG_STORAGE', text))
      return null
    }
    this.#cluster.log.error({ partition: name, position, next }, `${what}; going on at ${next}`)
    if (isGap) {
      partition.drop(next)
      return null
    }
    const anew = this.#holdings.restart(partition, next)
    if (anew !== null) this.#committer.rewind({ partition: name, epoch: anew.epoch, nextOffset: next, doneAhead: null })
    return anew
  }
}
