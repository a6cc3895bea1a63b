/**
 * A cluster as one client sees it: its brokers, topics and coordinators, and the connections to them. Source and sink
 * have one each. A broker answers a connection's requests one after the other, so each role has a connection of its
 * own: a long poll must not hold up a heartbeat. Invariant: after `close` nothing of it keeps the process alive.
 */
import { describe, HeadgateError } from '../../../model/errors.ts'
import type { Logger } from '../../../model/logger.ts'
import type { BatchCodec } from '../batch/codec.ts'
import { loadWire, type Wire, type WireConnection } from './adapter.ts'
import type { BrokerInfo } from './calls.ts'
import { brokerError, COORDINATOR_LOAD_IN_PROGRESS, remedyOf } from './errors.ts'
import { type Connecting, splitAddress } from './options.ts'
import { Topics } from './topics.ts'
import { backoffMs, sleep } from './wait.ts'

/** What a connection is for. `query`: metadata, offsets and other short questions; `commit`: see `commit/committer.ts`. */
export type Role = 'query' | 'coordinator' | 'commit' | 'join' | 'fetch0' | 'fetch1' | 'produce'

/** 0 and 1 as the protocol has it. */
export const GROUP = 0
export const TRANSACTION = 1
export type CoordinatorKind = typeof GROUP | typeof TRANSACTION

interface Link {
  readonly made: Promise<WireConnection>
  connection: WireConnection | null
}

interface Node {
  readonly host: string
  readonly port: number
  readonly links: Map<Role, Link>
}

/** How long the next bootstrap address waits for the one before it to answer. */
const STAGGER_MS = 300

export class Cluster {
  readonly options: Connecting
  readonly topics = new Topics()
  readonly #wire: Wire
  readonly #log: Logger
  readonly #nodes = new Map<number, Node>()
  readonly #coordinators = new Map<string, number>()
  readonly #closing = new AbortController()
  /** The topics that are looked up; null for all. */
  #watched: ReadonlySet<string> | null = new Set()
  #bootstrap: WireConnection | null = null
  #refreshing: Promise<void> | null = null

  private constructor(wire: Wire, options: Connecting, log: Logger) {
    this.#wire = wire
    this.options = options
    this.#log = log
  }

  /**
   * Loads the library and finds the cluster. Rejects with `HG_CONNECTION_LOST` when no broker answers, and with
   * `HG_OPTION_INVALID` when credentials, certificates or the missing library are the reason.
   */
  static async connect(options: Connecting, log: Logger, signal: AbortSignal): Promise<Cluster> {
    const wire = await loadWire()
    signal.throwIfAborted()
    const cluster = new Cluster(wire, options, log)
    const end = (): void => cluster.close()
    signal.addEventListener('abort', end, { once: true })
    try {
      await cluster.refresh()
      signal.throwIfAborted()
      return cluster
    } catch (error) {
      cluster.close()
      throw error
    } finally {
      signal.removeEventListener('abort', end)
    }
  }

  get codec(): BatchCodec {
    return this.#wire.codec
  }

  get closed(): boolean {
    return this.#closing.signal.aborted
  }

  /** Aborted by `close`. */
  get signal(): AbortSignal {
    return this.#closing.signal
  }

  get log(): Logger {
    return this.#log
  }

  /** Which topics `refresh` looks up, in addition to those before; null for all there are. */
  watch(names: readonly string[] | null): void {
    if (names === null || this.#watched === null) this.#watched = null
    else this.#watched = new Set([...this.#watched, ...names])
  }

  /** Asks a broker for brokers, topics and leaders. Calls at the same time share one request. */
  refresh(): Promise<void> {
    this.#refreshing ??= this.#refresh().finally(() => {
      this.#refreshing = null
    })
    return this.#refreshing
  }

  /**
   * The connection of a role to a broker, made when it is needed. Rejects with `HG_CONNECTION_LOST`. `answerMs`: how
   * long its answers may take; what the first who needs the connection says holds for it.
   */
  async connection(nodeId: number, role: Role, answerMs = this.options.requestTimeoutMs): Promise<WireConnection> {
    const node = this.#nodes.get(nodeId)
    if (node === undefined) throw lost(`The broker ${nodeId} is not among those that the cluster names`)
    const link = node.links.get(role)
    if (link !== undefined && (link.connection === null || link.connection.usable)) return link.made
    const made = this.#wire.connect(node.host, node.port, this.options, answerMs)
    const fresh: Link = { made, connection: null }
    node.links.set(role, fresh)
    try {
      fresh.connection = await made
    } catch (error) {
      if (node.links.get(role) === fresh) node.links.delete(role)
      if (!(error instanceof HeadgateError) || error.code !== 'HG_CONNECTION_LOST') throw error
      const text = `${error.message}. The cluster names it as broker ${nodeId} (advertised.listeners)`
      throw new HeadgateError('HG_CONNECTION_LOST', text, { cause: error })
    }
    if (this.closed || this.#nodes.get(nodeId) !== node) {
      fresh.connection.close()
      throw lost(this.closed ? 'The connection to Kafka is closed' : `The broker ${nodeId} has moved`)
    }
    return fresh.connection
  }

  /** A connection to any broker, for questions that all of them can answer. */
  async any(): Promise<WireConnection> {
    if (this.#bootstrap?.usable) return this.#bootstrap
    const addresses = [...this.#nodes.values(), ...this.options.brokers.map(addressOf)]
    this.#bootstrap = await this.#firstOf(addresses)
    return this.#bootstrap
  }

  /** The broker that coordinates a group or a transactional id, remembered until `forgetCoordinator`. */
  async coordinator(kind: CoordinatorKind, key: string): Promise<number> {
    const id = `${kind} ${key}`
    const known = this.#coordinators.get(id)
    if (known !== undefined && this.#nodes.has(known)) return known
    const connection = await this.any()
    const { coordinators } = await connection.call('findCoordinator', kind, [key])
    const found = coordinators[0]
    const what = `looking up the coordinator of the ${kind === GROUP ? 'group' : 'transactional id'} '${key}'`
    if (found === undefined) throw lost(`${what} brought nothing`)
    if (found.errorCode !== 0) throw brokerError(found.errorCode, what, found.errorMessage)
    if (!this.#nodes.has(found.nodeId)) this.#put([found])
    this.#coordinators.set(id, found.nodeId)
    return found.nodeId
  }

  forgetCoordinator(kind: CoordinatorKind, key: string): void {
    this.#coordinators.delete(`${kind} ${key}`)
  }

  /**
   * Makes a request of a coordinator, and makes it again while the coordinator moves, loads or cannot be reached, for
   * `withinMs`. Resolves with the first answer whose `codeOf` is something else, a refusal included. Rejects with what
   * went wrong last.
   */
  async onCoordinator<R>(
    kind: CoordinatorKind,
    key: string,
    call: (connection: WireConnection) => Promise<R>,
    codeOf: (answer: R) => number,
    withinMs: number,
    { role = 'coordinator', answerMs, signal = this.signal, failing }: CoordinatorCall = {},
  ): Promise<R> {
    const deadline = performance.now() + withinMs
    for (let attempt = 0; ; attempt += 1) {
      let failure: HeadgateError
      try {
        const nodeId = await this.coordinator(kind, key)
        const answer = await call(await this.connection(nodeId, role, answerMs))
        const code = codeOf(answer)
        if (code !== COORDINATOR_LOAD_IN_PROGRESS && remedyOf(code) !== 'coordinator') return answer
        failure = brokerError(code, `asking the coordinator of '${key}'`)
        if (code !== COORDINATOR_LOAD_IN_PROGRESS) this.forgetCoordinator(kind, key)
      } catch (error) {
        if (!(error instanceof HeadgateError) || error.code !== 'HG_CONNECTION_LOST') throw error
        failure = error
        this.forgetCoordinator(kind, key)
      }
      const pauseMs = backoffMs(attempt)
      if (signal.aborted || this.closed || performance.now() + pauseMs > deadline) throw failure
      failing?.(failure)
      this.#log.debug({ error: failure.message, attempt }, `asking the coordinator of '${key}' again`)
      await sleep(pauseMs, signal)
      if (signal.aborted || this.closed) throw failure
      // A broker that died is still the one that others name, until the metadata says otherwise.
      if (attempt > 0) await this.refresh().catch(() => {})
    }
  }

  /** Ends all connections at once. */
  close(): void {
    this.#closing.abort()
    this.#bootstrap?.close()
    for (const node of this.#nodes.values()) closeNode(node)
    this.#nodes.clear()
  }

  async #refresh(): Promise<void> {
    const watched = this.#watched
    const connection = await this.any()
    const { brokers, topics } = await connection.call('metadata', watched === null ? null : [...watched])
    if (this.closed) throw lost('The connection to Kafka is closed')
    const named = new Set(brokers.map(({ nodeId }) => nodeId))
    for (const [nodeId, node] of this.#nodes) {
      if (named.has(nodeId)) continue
      // A broker that is down is not named; its connections are dead, and it comes back under the same number.
      closeNode(node)
      this.#nodes.delete(nodeId)
    }
    this.#put(brokers)
    this.topics.put(topics, watched === null)
  }

  #put(brokers: readonly Pick<BrokerInfo, 'nodeId' | 'host' | 'port'>[]): void {
    for (const { nodeId, host, port } of brokers) {
      const before = this.#nodes.get(nodeId)
      if (before?.host === host && before.port === port) continue
      if (before !== undefined) closeNode(before)
      this.#nodes.set(nodeId, { host, port, links: new Map() })
    }
  }

  /** Tries the addresses one shortly after the other; the first that answers wins, the others are let go. */
  async #firstOf(addresses: readonly { host: string; port: number }[]): Promise<WireConnection> {
    const unique = new Map(addresses.map((address) => [`${address.host}:${address.port}`, address]))
    const done = new AbortController()
    const signal = AbortSignal.any([done.signal, this.signal])
    const failures: HeadgateError[] = []
    let winner: WireConnection | null = null
    let wake = new AbortController()
    const tries = [...unique.values()].map(async ({ host, port }, index) => {
      for (let turn = 0; turn < index && failures.length < index; turn += 1) {
        await sleep(STAGGER_MS, AbortSignal.any([signal, wake.signal]))
      }
      if (signal.aborted) throw lost('not tried')
      try {
        const connection = await this.#wire.connect(host, port, this.options, this.options.requestTimeoutMs)
        if (signal.aborted || winner !== null) connection.close()
        else winner = connection
        return connection
      } catch (error) {
        failures.push(error as HeadgateError)
        wake.abort()
        wake = new AbortController()
        throw error
      }
    })
    try {
      const connection = await Promise.any(tries)
      if (this.closed) throw lost('The connection to Kafka is closed')
      return connection
    } catch (error) {
      if (this.closed) throw lost('The connection to Kafka is closed')
      const fatal = failures.find(({ code }) => code !== 'HG_CONNECTION_LOST')
      if (fatal !== undefined) throw fatal
      const why = failures.map(describe).join('; ')
      const text = `None of ${this.options.brokers.join(', ')} could be reached: is \`brokers\` right, and is the cluster up? ${why}`
      // Not the AggregateError: its text, that all promises were rejected, would be shown as the reason.
      throw new HeadgateError('HG_CONNECTION_LOST', text, { cause: failures[0] ?? error })
    } finally {
      done.abort()
    }
  }
}

export interface CoordinatorCall {
  readonly role?: Role
  /** How long the answer may take, milliseconds; default `requestTimeoutMs`. */
  readonly answerMs?: number
  readonly signal?: AbortSignal
  /** Hears of each attempt that failed and is made again. */
  readonly failing?: ((failure: HeadgateError) => void) | undefined
}

function addressOf(address: string): { host: string; port: number } {
  const split = splitAddress(address)
  if (split === null) throw new HeadgateError('HG_OPTION_INVALID', `'${address}' is no 'host:port'`)
  return split
}

function closeNode({ links }: Node): void {
  for (const { made } of links.values()) {
    made.then(
      (connection) => connection.close(),
      () => {},
    )
  }
  links.clear()
}

function lost(text: string): HeadgateError {
  return new HeadgateError('HG_CONNECTION_LOST', text)
}
