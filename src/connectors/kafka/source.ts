/**
 * A source that reads topics of Kafka as a member of a consumer group. The runtime drives it through the contract of
 * `model/connector.ts`; cluster, membership, fetch loop and committer each do their part. Invariant: nothing is fetched
 * beyond what the latest pull had credit for, except what a broker cannot divide, and that is shown by `held`.
 */
import type {
  Credit,
  Decoder,
  PartitionBacklog,
  Position,
  Pulled,
  PullRequest,
  Source,
  SourceContext,
  SourceGroup,
  TransactionalSource,
} from '../../model/connector.ts'
import { HeadgateError } from '../../model/errors.ts'
import { Backlog } from './backlog.ts'
import { Committer } from './commit/committer.ts'
import { usableBytes } from './commit/metadata.ts'
import { Doorbell } from './fetch/doorbell.ts'
import { Fetcher } from './fetch/fetcher.ts'
import { ClassicMembership } from './group/classic.ts'
import { Kip848Membership } from './group/kip848.ts'
import type { Membership } from './group/membership.ts'
import { groupSize } from './group/size.ts'
import { Holdings } from './holdings.ts'
import { type KafkaSourceOptions, type SourceSettings, shownSourceOptions, sourceSettings } from './option.ts'
import { OutOfRange } from './out-of-range.ts'
import type { Partition } from './partition.ts'
import { Subscription } from './subscription.ts'
import { Taker } from './take.ts'
import { Cluster } from './wire/cluster.ts'

/** Reads topics for a group. Throws `HG_OPTION_INVALID` at once when an option is wrong. */
export function source<T = Uint8Array | null>(options: KafkaSourceOptions<T>): Source<T> {
  return new KafkaSource<T>(sourceSettings(options))
}

const NOTHING: Pulled = { batches: [], ended: false }
/** A batch that cannot be read is fetched again this often before it counts as damaged. */
const READ_ATTEMPTS = 3

interface Opened {
  readonly cluster: Cluster
  readonly subscription: Subscription
  readonly holdings: Holdings
  readonly membership: Membership
  readonly committer: Committer
  readonly fetcher: Fetcher
  readonly backlog: Backlog
  readonly looking: NodeJS.Timeout
}

class KafkaSource<T> implements Source<T> {
  readonly name: string
  readonly decode: Decoder<T> | undefined
  readonly shownOptions: Source['shownOptions']
  readonly transactional: TransactionalSource
  readonly #settings: SourceSettings
  readonly #doorbell = new Doorbell()
  readonly #taker: Taker
  #opened: Opened | null = null
  #failure: HeadgateError | null = null
  /** The batch that could not be read, and how often. */
  #unreadable: { readonly place: string; readonly attempts: number } | null = null
  #stopped = false
  #looking: Promise<void> | null = null
  #closing: Promise<void> | null = null

  constructor(settings: SourceSettings) {
    this.#settings = settings
    const { keyEncoding, decode } = settings
    this.#taker = new Taker({ keyEncoding, readsText: decode?.readsText === true })
    this.name = `kafka:${settings.topics.map(String).join(',')}`
    this.decode = settings.decode as Decoder<T> | undefined
    this.shownOptions = shownSourceOptions(settings)
    this.transactional = {
      scope: `kafka:${[...settings.brokers].sort().join(',')}`,
      progress: (positions) => this.#present().committer.progress(positions),
      committed: (positions) => this.#opened?.committer.committed(positions),
    }
  }

  get capabilities(): Source['capabilities'] {
    const metadataBytes = this.#opened?.committer.metadataBytes ?? usableBytes(this.#settings.metadataBytes)
    return { backlog: 'estimated', metadataBytes, replayable: true }
  }

  async open(context: SourceContext, signal: AbortSignal): Promise<void> {
    const settings = this.#settings
    const cluster = await Cluster.connect(settings, context.log, signal)
    try {
      const subscription = new Subscription(cluster, settings)
      await subscription.look(signal)
      this.#opened = this.#assemble(cluster, subscription, context)
    } catch (error) {
      cluster.close()
      throw error
    }
    this.#opened.membership.start()
  }

  async pull({ credit, paused, waitMs, signal }: PullRequest): Promise<Pulled> {
    const deadline = performance.now() + waitMs
    for (;;) {
      if (this.#stopped || signal.aborted) return NOTHING
      const { holdings, membership, fetcher } = this.#present()
      membership.checkSession()
      const { partitions } = holdings
      for (const partition of partitions.values()) partition.paused = paused.has(partition.name)
      const batches = this.#taker.take(partitions.values(), credit, (partition, error) =>
        this.#broken(partition, error),
      )
      if (this.#failure !== null && batches.length === 0) throw this.#failure
      fetcher.want(credit)
      const leftMs = deadline - performance.now()
      if (batches.length > 0) return { batches, ended: false }
      if (leftMs <= 0) {
        const failure = fetcher.failure ?? membership.failure
        if (failure?.code === 'HG_CONNECTION_LOST') throw failure
        return NOTHING
      }
      await this.#doorbell.wait(leftMs, signal)
    }
  }

  held(): Credit {
    let records = 0
    let bytes = 0
    for (const partition of this.#opened?.holdings.partitions.values() ?? []) {
      records += partition.heldRecords
      bytes += partition.heldBytes
    }
    return { records, bytes }
  }

  commit(positions: readonly Position[]): Promise<void> {
    return this.#present().committer.commit(positions)
  }

  backlog(signal: AbortSignal): Promise<readonly PartitionBacklog[]> {
    return this.#present().backlog.count(signal)
  }

  group(signal: AbortSignal): Promise<SourceGroup> {
    const { cluster, subscription } = this.#present()
    return groupSize(cluster, this.#settings, subscription.topics(), signal)
  }

  async quiesce(): Promise<void> {
    this.#stopped = true
    this.#doorbell.ring()
    if (this.#opened === null) return
    this.#opened.fetcher.stop()
    for (const partition of this.#opened.holdings.partitions.values()) partition.drop()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#stopped = true
    this.#doorbell.ring()
    const opened = this.#opened
    if (opened === null) return
    clearInterval(opened.looking)
    opened.fetcher.stop()
    await opened.membership.leave()
    opened.cluster.close()
    this.#opened = null
  }

  #assemble(cluster: Cluster, subscription: Subscription, context: SourceContext): Opened {
    const settings = this.#settings
    const holdings = new Holdings(cluster, settings, context, () => {
      this.#opened?.fetcher.pump()
      this.#doorbell.ring()
    })
    const { partitions } = holdings
    const fail = (error: HeadgateError): void => this.#fail(error)
    const groupContext = {
      cluster,
      settings,
      events: {
        owned: () => holdings.owned(),
        assign: (assigned: Parameters<Holdings['assign']>[1]) => holdings.assign(committer, assigned),
        revoke: (going: Parameters<Holdings['revoke']>[0], graceMs: number) => holdings.revoke(going, graceMs),
        lose: (gone: Parameters<Holdings['lose']>[0]) => holdings.lose(gone),
        topics: () => subscription.topics(),
        fail,
      },
    }
    const membership: Membership =
      settings.groupProtocol === 'consumer' ? new Kip848Membership(groupContext) : new ClassicMembership(groupContext)
    const committer = new Committer(cluster, settings, membership, partitions)
    const range = new OutOfRange(cluster, settings, holdings, committer, fail)
    const fetcher = new Fetcher(cluster, settings, partitions, {
      ring: () => this.#doorbell.ring(),
      outOfRange: (partition) => range.find(partition),
      diverged: (partition, where) => range.diverged(partition, where),
      topicUnknown: () => void this.#look(),
      fail,
    })
    const backlog = new Backlog(cluster, partitions, settings.isolation === 'committed')
    const looking = setInterval(() => void this.#look(), settings.metadataIntervalMs)
    return { cluster, subscription, holdings, membership, committer, fetcher, backlog, looking }
  }

  /** Looks whether topics have come, gone or grown. */
  #look(): Promise<void> {
    this.#looking ??= this.#lookOnce().finally(() => {
      this.#looking = null
    })
    return this.#looking
  }

  async #lookOnce(): Promise<void> {
    const opened = this.#opened
    if (opened === null || this.#stopped) return
    const { cluster, subscription, membership } = opened
    try {
      await cluster.refresh()
      const deleted = subscription.deleted(performance.now())
      if (deleted !== null) this.#fail(deleted)
      membership.topicsChanged()
      opened.fetcher.pump()
    } catch (error) {
      if (error instanceof HeadgateError && error.code !== 'HG_CONNECTION_LOST') this.#fail(error)
    }
  }

  #broken(partition: Partition, error: unknown): void {
    const failure =
      error instanceof HeadgateError ? error : new HeadgateError('HG_INVARIANT', String(error), { cause: error })
    partition.drop()
    const place = `${partition.name}@${partition.position}`
    const attempts = this.#unreadable?.place === place ? this.#unreadable.attempts + 1 : 1
    this.#unreadable = { place, attempts }
    if (attempts >= READ_ATTEMPTS) this.#fail(failure)
    else
      this.#present().cluster.log.warn(
        { attempts, error: failure.message },
        'a batch cannot be read: fetching it again',
      )
  }

  #fail(error: HeadgateError): void {
    this.#failure ??= error
    this.#doorbell.ring()
  }

  #present(): Opened {
    if (this.#opened !== null && this.#closing === null) return this.#opened
    throw new HeadgateError('HG_FENCED', `${this.name} is not open`)
  }
}
