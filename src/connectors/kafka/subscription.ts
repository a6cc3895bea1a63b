/**
 * Which topics are read: names and patterns against what the cluster has. `source.ts` asks at the opening and after
 * each look at the metadata. Invariant: a topic that is named must exist; one that only matches a pattern may come and
 * go.
 */
import { HeadgateError } from '../../model/errors.ts'
import type { SourceSettings } from './option.ts'
import type { Cluster } from './wire/cluster.ts'
import { brokerError, NONE, TOPIC_AUTHORIZATION_FAILED, UNKNOWN_TOPIC_OR_PARTITION } from './wire/errors.ts'
import { backoffMs, sleep } from './wire/wait.ts'

/** A topic that was just made is not known to every broker at once. */
const APPEARS_WITHIN_MS = 3_000
const MOST_SHOWN = 5

export class Subscription {
  readonly #cluster: Cluster
  readonly #names: readonly string[]
  readonly #patterns: readonly RegExp[]
  /** Named topics that the last look did not find, and since when. */
  readonly #missing = new Map<string, number>()

  constructor(cluster: Cluster, { topics }: SourceSettings) {
    this.#cluster = cluster
    this.#names = topics.filter((topic) => typeof topic === 'string')
    // A pattern with the flag g would remember where it stopped.
    this.#patterns = topics
      .filter((topic) => topic instanceof RegExp)
      .map(({ source, flags }) => new RegExp(source, flags.replace(/[gy]/g, '')))
    cluster.watch(this.#patterns.length > 0 ? null : this.#names)
  }

  /** Sorted, each once. */
  topics(): string[] {
    const names = new Set(this.#names)
    if (this.#patterns.length > 0) {
      for (const name of this.#cluster.topics.names()) {
        const isInternal = this.#cluster.topics.get(name)?.isInternal === true
        if (!isInternal && this.#patterns.some((pattern) => pattern.test(name))) names.add(name)
      }
    }
    return [...names].sort()
  }

  /** Looks until all named topics are there. Rejects with `HG_OPTION_INVALID` and what to do. */
  async look(signal: AbortSignal): Promise<void> {
    const deadline = performance.now() + APPEARS_WITHIN_MS
    for (let attempt = 0; ; attempt += 1) {
      await this.#cluster.refresh()
      const absent = this.#names.filter((name) => this.#cluster.topics.get(name) === undefined)
      if (absent.length === 0) {
        if (this.topics().length === 0) this.#warnOfNoMatch()
        return
      }
      const refused = absent.find((name) => this.#cluster.topics.codeOf(name) === TOPIC_AUTHORIZATION_FAILED)
      if (refused !== undefined) throw brokerError(TOPIC_AUTHORIZATION_FAILED, `looking up the topic '${refused}'`)
      signal.throwIfAborted()
      if (performance.now() > deadline) throw await this.#notFound(absent)
      await sleep(backoffMs(attempt), signal)
    }
  }

  /** The error for a named topic that is gone for good; null while there is none. Called after each look. */
  deleted(nowMs: number): HeadgateError | null {
    for (const name of this.#names) {
      const { topics } = this.#cluster
      const isGone = topics.get(name) === undefined && topics.codeOf(name) === UNKNOWN_TOPIC_OR_PARTITION
      if (!isGone) this.#missing.delete(name)
      else if (nowMs - (this.#missing.get(name) ?? nowMs) >= APPEARS_WITHIN_MS) {
        const text = `The topic '${name}' was deleted while it was being read: make it again and start anew, or take it out of \`topics\``
        return new HeadgateError('HG_STORAGE', text)
      } else if (!this.#missing.has(name)) this.#missing.set(name, nowMs)
    }
    return null
  }

  #warnOfNoMatch(): void {
    const patterns = this.#patterns.map(String)
    this.#cluster.log.warn({ patterns }, 'no topic matches yet; topics that come later are found by themselves')
  }

  async #notFound(absent: readonly string[]): Promise<HeadgateError> {
    const first = absent[0] as string
    const code = this.#cluster.topics.codeOf(first)
    if (code !== UNKNOWN_TOPIC_OR_PARTITION && code !== NONE) {
      return brokerError(code, `looking up the topic '${first}'`)
    }
    const others = await this.#allNames()
    const near = others.filter((name) => likeness(name, first) > 0.5).slice(0, MOST_SHOWN)
    const hint = near.length === 0 ? '' : ` Topics with a similar name: ${near.join(', ')}.`
    const text =
      `The ${absent.length === 1 ? 'topic' : 'topics'} ${absent.map((name) => `'${name}'`).join(', ')} ` +
      `cannot be found on ${this.#cluster.options.brokers.join(', ')}: create ${absent.length === 1 ? 'it' : 'them'}, ` +
      `correct \`topics\`, or grant this user DESCRIBE.${hint}`
    return new HeadgateError('HG_OPTION_INVALID', text)
  }

  async #allNames(): Promise<string[]> {
    try {
      const connection = await this.#cluster.any()
      const { topics } = await connection.call('metadata', null)
      return topics.flatMap(({ name, isInternal }) => (name === null || isInternal ? [] : [name]))
    } catch {
      return []
    }
  }
}

/** Of two names, the part of their pairs of letters that they share (Dice's coefficient). */
function likeness(a: string, b: string): number {
  const pairs = (text: string): Set<string> => {
    const lower = text.toLowerCase()
    return new Set(Array.from({ length: Math.max(0, lower.length - 1) }, (_, at) => lower.slice(at, at + 2)))
  }
  const [left, right] = [pairs(a), pairs(b)]
  const shared = [...left].filter((pair) => right.has(pair)).length
  return left.size + right.size === 0 ? 0 : (2 * shared) / (left.size + right.size)
}
