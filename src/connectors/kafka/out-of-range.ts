/**
 * What happens when the record that is next is not there: trimmed by retention, or not written yet because the topic was
 * made anew. The fetch loop finds out, this decides where to go on, by `outOfRange`. Invariant: what is skipped is said,
 * as an error in the log or as the error that stops the source, with the offsets it is about.
 */
import { HeadgateError } from '../../model/errors.ts'
import { EARLIEST, LATEST, offsetsOf } from './fetch/offsets.ts'
import { nameOfPartition } from './group/assignment.ts'
import type { Holdings } from './holdings.ts'
import type { SourceSettings } from './option.ts'
import type { Partition } from './partition.ts'
import type { Cluster } from './wire/cluster.ts'

export class OutOfRange {
  readonly #cluster: Cluster
  readonly #settings: SourceSettings
  readonly #holdings: Holdings
  readonly #fail: (error: HeadgateError) => void
  readonly #asking = new Set<Partition>()

  constructor(cluster: Cluster, settings: SourceSettings, holdings: Holdings, fail: (error: HeadgateError) => void) {
    this.#cluster = cluster
    this.#settings = settings
    this.#holdings = holdings
    this.#fail = fail
  }

  /** Finds out what the partition has, and goes on. Until then it is fetched again now and then, to no effect. */
  find(partition: Partition): void {
    if (this.#asking.has(partition)) return
    this.#asking.add(partition)
    void this.#ask(partition).finally(() => this.#asking.delete(partition))
  }

  async #ask(partition: Partition): Promise<void> {
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
      if (!partition.ended && !partition.revoking) this.#decide(partition, start, end)
    } catch (error) {
      if (error instanceof HeadgateError && error.code !== 'HG_CONNECTION_LOST') this.#fail(error)
    }
  }

  #decide(partition: Partition, start: number, end: number): void {
    const { outOfRange, group } = this.#settings
    const { name, position } = partition
    // What was out of range a moment ago: a leader that is new may not have known how far the log goes.
    if (position >= start && position <= end) return
    const what =
      position < start
        ? `records ${position} to ${start - 1} of ${name} were deleted before the group '${group}' had read them ` +
          '(its lag is longer than retention.ms or retention.bytes allow, or the topic was trimmed)'
        : `the group '${group}' stands at offset ${position} of ${name}, which ends at ${end} ` +
          '(the topic was made anew, or the brokers lost what they had)'
    if (outOfRange === 'fail') {
      const text = `${what}. Set the group's offset, or let \`outOfRange\` say where to go on`
      this.#fail(new HeadgateError('HG_STORAGE', text))
      return
    }
    const next = outOfRange === 'latest' ? end : start
    this.#cluster.log.error({ partition: name, position, start, end, next }, `${what}; going on at ${next}`)
    // A jump ahead is a gap like any other; a jump back must not look like a commit that goes backward.
    if (next >= position) partition.drop(next)
    else this.#holdings.restart(partition, next)
  }
}
