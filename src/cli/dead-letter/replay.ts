/**
 * `headgate dead-letter replay`: sends the records of dead letters back to the topics that they came from, or to another
 * one, with the key, value and headers that they had. What the topic holds when the command begins is replayed once, a
 * write after the other, so that records of a key keep their order; dead letters stay where they are. Invariant: what
 * is reported as replayed is stored.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { count, duration, rate as perSecond } from '../../console/terminal/figures.ts'
import type { RecordHeaders } from '../../model/record.ts'
import { formatCount } from '../../model/units.ts'
import { CliFailure, EXIT } from '../failure.ts'
import { OUTPUT } from '../output.ts'
import { type ProgressLine, progressLine } from '../progress.ts'
import type { FilterOptions } from './filter.ts'
import { type Letter, topicOf } from './letter.ts'
import { type StoreOptions, withStore } from './open-store.ts'
import { type DeadLetterStore, letters, type Replay } from './store.ts'

const WRITE_RECORDS = 500
const WRITES_A_SECOND = 10
/** Named in full; the others are only counted. */
const MOST_SHOWN = 5

/** Where a replayed record's dead letter lies, and how often it has been replayed by now. */
const FROM_HEADER = 'headgate-replayed-from'
const COUNT_HEADER = 'headgate-replays'

export interface ReplayOptions extends StoreOptions, FilterOptions {
  readonly to?: string
  /** Records a second; as fast as they are stored when absent. */
  readonly rate?: number
  readonly dryRun?: boolean
  readonly json?: boolean
}

export function replay(options: ReplayOptions): Promise<number> {
  if (options.to === options.topic) {
    throw new CliFailure('the records would go back to the dead letters', { advice: 'Name another topic with --to.' })
  }
  return withStore(options, (store) => new Replaying(store, options).run())
}

class Replaying {
  readonly #store: DeadLetterStore
  readonly #options: ReplayOptions
  readonly #interrupted = new AbortController()
  readonly #progress: ProgressLine = progressLine()
  readonly #sent = new Map<string, number>()
  readonly #checked = new Set<string>()
  readonly #refused: string[] = []
  readonly #beganMs = performance.now()
  #refusals = 0
  #total = 0
  #lastPlace = ''

  constructor(store: DeadLetterStore, options: ReplayOptions) {
    this.#store = store
    this.#options = options
  }

  /** Resolves with the exit code. */
  async run(): Promise<number> {
    const stop = (): void => this.#interrupted.abort()
    process.once('SIGINT', stop).once('SIGTERM', stop)
    try {
      await this.#all()
    } catch (error) {
      this.#progress.clear()
      if (this.#total > 0) OUTPUT.say(`${this.#done()} The last one was that of ${this.#lastPlace}.`)
      throw error
    } finally {
      process.off('SIGINT', stop).off('SIGTERM', stop)
      this.#progress.clear()
    }
    this.#report()
    return this.#interrupted.signal.aborted || this.#refusals > 0 ? EXIT.failed : EXIT.done
  }

  async #all(): Promise<void> {
    const { rate } = this.#options
    const most = rate === undefined ? WRITE_RECORDS : Math.max(1, Math.min(WRITE_RECORDS, rate / WRITES_A_SECOND))
    let batch: Letter[] = []
    for await (const letter of letters(this.#store, this.#options)) {
      if (this.#interrupted.signal.aborted) return
      batch.push(letter)
      if (batch.length < most) continue
      await this.#send(batch)
      batch = []
    }
    if (!this.#interrupted.signal.aborted) await this.#send(batch)
  }

  async #send(batch: readonly Letter[]): Promise<void> {
    const byTopic = new Map<string, Replay[]>()
    let last = this.#lastPlace
    for (const letter of batch) {
      const topic = this.#options.to ?? (letter.origin && topicOf(letter.origin.partition))
      const refusal = refusalOf(letter, topic, this.#store.topic)
      if (refusal !== null || !topic || letter.payload.kind !== 'bytes') {
        this.#refuse(letter, refusal ?? '')
        continue
      }
      const { value, key = letter.key } = letter.payload
      const replays = byTopic.get(topic)
      const one = { key, value, headers: headersOf(letter) }
      if (replays === undefined) byTopic.set(topic, [one])
      else replays.push(one)
      last = letter.place
    }
    for (const [topic, replays] of byTopic) {
      if (!this.#checked.has(topic)) await this.#store.checkTarget(topic)
      this.#checked.add(topic)
      if (!this.#options.dryRun) {
        await this.#pace()
        if (this.#interrupted.signal.aborted) return
        await this.#store.send(topic, replays)
      }
      this.#sent.set(topic, (this.#sent.get(topic) ?? 0) + replays.length)
      this.#total += replays.length
    }
    this.#lastPlace = last
    this.#progress.show(() => this.#done())
  }

  /** Waits until what was sent so far is due; the next write may then begin. */
  async #pace(): Promise<void> {
    const { rate } = this.#options
    if (rate === undefined) return
    const dueMs = (this.#total * 1_000) / rate - (performance.now() - this.#beganMs)
    if (dueMs > 0) await sleep(dueMs, undefined, { signal: this.#interrupted.signal }).catch(() => {})
  }

  #refuse({ place }: Letter, why: string): void {
    this.#refusals += 1
    if (this.#refused.length < MOST_SHOWN) this.#refused.push(`${place}: ${why}`)
  }

  #done(): string {
    const to = [...this.#sent].map(([topic, records]) => `${count(records)} to ${topic}`).join(', ')
    const verb = this.#options.dryRun ? 'Would replay' : 'Replayed'
    return `${verb} ${formatCount(this.#total, 'record')}${to ? ` (${to})` : ''}.`
  }

  #report(): void {
    const { dryRun = false, json } = this.#options
    const ms = performance.now() - this.#beganMs
    const interrupted = this.#interrupted.signal.aborted
    if (json) {
      const to = Object.fromEntries(this.#sent)
      OUTPUT.data(JSON.stringify({ replayed: this.#total, to, notReplayable: this.#refusals, dryRun, interrupted }))
    }
    const speed = dryRun || this.#total === 0 ? '' : ` ${duration(ms)}, ${perSecond((this.#total * 1_000) / ms)}.`
    OUTPUT.say(`${this.#done()}${speed}`)
    if (this.#refusals > 0) {
      const more = this.#refusals - this.#refused.length
      const rest = more > 0 ? [`and ${count(more)} more`] : []
      OUTPUT.say(`${count(this.#refusals)} cannot be replayed:\n  ${[...this.#refused, ...rest].join('\n  ')}`)
    }
    if (interrupted && this.#lastPlace) OUTPUT.say(`Interrupted after the letter ${this.#lastPlace}.`)
    else if (interrupted) OUTPUT.say('Interrupted.')
  }
}

function refusalOf({ payload }: Letter, topic: string | null, deadLetters: string): string | null {
  if (payload.kind === 'lost') return payload.why
  if (!topic) return 'it does not say which topic it came from; name one with --to'
  return topic === deadLetters ? 'it came from the dead letters themselves; name a topic with --to' : null
}

function headersOf({ headers, place }: Letter): RecordHeaders {
  const before = headers[COUNT_HEADER]
  const replays = before === undefined ? 0 : Number(Buffer.from(before as string).toString()) || 0
  return { ...headers, [FROM_HEADER]: place, [COUNT_HEADER]: String(replays + 1) }
}
