/**
 * What may start next in a call stage: a line of records for each limiter, new ones fair over partitions, due retries
 * ahead of them. A line whose limiter is closed is passed over, so one tenant's 429 holds up nobody else. `next` finds
 * the line whose turn it is, or says why there is none; a line that was told when to ask again is not asked before.
 */
import type { GateReason } from '../control/limiter.ts'
import type { CallPlan } from '../model/plan.ts'
import type { LimiterStatus } from '../model/status.ts'
import { CallLine, type LineReason, type Retry } from './call-line.ts'
import type { Chunk } from './chunk.ts'
import type { FairQueue, RowRun } from './fair-queue.ts'
import type { Item } from './item.ts'
import type { LimiterPool } from './limiter-pool.ts'
import type { Partition } from './partition.ts'
import type { Retries } from './retries.ts'
import { Ring } from './ring.ts'

/** Starts in a row before it is another line's turn. */
const TURN_STARTS = 16
/** Lines without a record that are kept with what their limiters know; beyond it the longest idle one goes. */
const IDLE_LINES = 1000
const MOST_SHOWN = 8

export class CallLines {
  /** Why nothing may start and when to ask again, once `next` gave null. */
  reason: LineReason = 'concurrency'
  wakeMs = Number.POSITIVE_INFINITY
  /** The line that `next` gave starts with a retry. */
  startsRetry = false
  /** What the retry that `shift` gave last took from the budget. */
  paid = 0
  readonly #pool: LimiterPool
  readonly #keyOf: ((item: Item) => string) | null
  readonly #retries: Retries
  readonly #lines = new Map<string | null, CallLine>()
  /** The one line of a stage without keys. */
  readonly #only: CallLine | null
  /** Lines without a record, the one that has been so for longest first. */
  readonly #idle = new Set<CallLine>()
  /** Lines with something to start; the one whose turn it is first. */
  readonly #ready = new Ring<CallLine>()
  #turnsLeft = TURN_STARTS
  #limit = 0
  #queued = 0
  #queuedBytes = 0
  #due = 0
  #dueBytes = 0

  /** `keyOf`: what a record's call is limited by; null for one line. */
  constructor(pool: LimiterPool, keyOf: ((item: Item) => string) | null, retries: Retries, nowMs: number) {
    this.#pool = pool
    this.#keyOf = keyOf
    this.#retries = retries
    this.#only = keyOf === null ? this.#make(null, nowMs) : null
  }

  /** New records that wait. */
  get queued(): number {
    return this.#queued
  }

  get queuedBytes(): number {
    return this.#queuedBytes
  }

  /** Retries that are due. */
  get due(): number {
    return this.#due
  }

  get dueBytes(): number {
    return this.#dueBytes
  }

  push(item: Item, nowMs: number): void {
    this.#queueFor(item, nowMs).push(item)
  }

  /** An item that waited for its key. */
  rejoin(item: Item, nowMs: number): void {
    this.#queueFor(item, nowMs).rejoin(item)
  }

  /** Counts the item, and gives the queue of its line for the caller to put it into. */
  #queueFor(item: Item, nowMs: number): FairQueue {
    const line = this.#keyOf === null ? (this.#only as CallLine) : this.#line(this.#keyOf(item), nowMs)
    this.#list(line)
    line.records += 1
    if (line.records === 1) this.#countLimit(line)
    this.#queued += 1
    this.#queuedBytes += item.bytes
    return line.queue
  }

  /** A chunk, all of it of one partition. */
  pushChunk(chunk: Chunk, partition: Partition, nowMs: number): void {
    const line = this.#only
    if (line === null) {
      for (const item of chunk.toItems()) this.push(item, nowMs)
    } else if (chunk.length > 0) {
      this.#list(line)
      line.queue.pushChunk(chunk, partition)
      line.records += chunk.length
      this.#queued += chunk.length
      this.#queuedBytes += chunk.bytes
    }
  }

  /** A retry is due; its record was counted in its line all the while. */
  pushDue(retry: Retry): void {
    this.#list(retry.line)
    retry.line.retries.push(retry)
    this.#due += 1
    this.#dueBytes += retry.item.bytes
  }

  /** The line that may start its next record now; null when none may, see `reason` and `wakeMs`. */
  next(nowMs: number): CallLine | null {
    this.wakeMs = Number.POSITIVE_INFINITY
    for (let left = this.#ready.size; left > 0; left -= 1) {
      const line = this.#ready.peek() as CallLine
      if (this.#mayStart(line, nowMs)) return line
      if (this.wakeMs === Number.POSITIVE_INFINITY || line.askMs < this.wakeMs) this.reason = line.reason
      this.wakeMs = Math.min(this.wakeMs, line.askMs)
      this.#passTurn()
    }
    return null
  }

  #mayStart(line: CallLine, nowMs: number): boolean {
    const { pooled } = line
    const { version } = pooled
    if (line.answeredVersion === version && nowMs < line.askMs) return false
    line.answeredVersion = -1
    const retry = line.retries.peek()
    const fits = retry !== undefined && line.retryFits
    const budgetMs = fits ? this.#retries.budgetWaitMs(retry, nowMs) : 0
    this.startsRetry = fits && budgetMs === 0
    if (!this.startsRetry && line.queue.size === 0) {
      line.reason = fits ? 'retry-budget' : 'retry-share'
      line.askMs = fits ? nowMs + budgetMs : Number.POSITIVE_INFINITY
      return false
    }
    const askMs = pooled.admit(nowMs)
    this.#countLimit(line)
    if (askMs === 0) return true
    line.reason = pooled.limiter.reason as GateReason
    line.askMs = askMs
    line.answeredVersion = version
    return false
  }

  /** How many records of the line that `next` gave may start in a row, at least one, with nothing asked again. */
  inARow({ queue, retries, pooled }: CallLine): number {
    if (retries.size > 0) return 1
    const most = Math.min(queue.size, this.#ready.size > 1 ? this.#turnsLeft : queue.size, pooled.room)
    return Math.max(1, most)
  }

  /**
   * Takes what the line that `next` gave starts with; it stays counted in the line until `left`. A row becomes the
   * `spare` item, if there is one.
   */
  shift(line: CallLine, spare: Item | null): Item {
    const item = this.startsRetry ? this.#shiftRetry(line) : this.#shiftQueued(line, spare)
    this.#shifted(line, 1)
    return item
  }

  /** What `shift` would give, up to `most` of them counted at once; null when the line starts with anything but a row. */
  shiftRows(line: CallLine, most: number): RowRun | null {
    const run = this.startsRetry ? null : line.queue.shiftRows(most)
    if (run === null) return null
    const records = run.end - run.start
    this.#queued -= records
    this.#queuedBytes -= run.bytes
    this.#shifted(line, records)
    return run
  }

  #shifted(line: CallLine, records: number): void {
    this.#turnsLeft -= records
    if (line.waiting === 0) {
      this.#ready.shift()
      this.#turnsLeft = TURN_STARTS
    } else if (this.#turnsLeft <= 0) {
      this.#passTurn()
    }
  }

  #shiftRetry(line: CallLine): Item {
    const retry = line.retries.shift() as Retry
    this.#retries.pay(retry)
    this.paid = retry.cost
    this.#due -= 1
    this.#dueBytes -= retry.item.bytes
    return retry.item
  }

  #shiftQueued(line: CallLine, spare: Item | null): Item {
    const item = line.queue.shift(spare) as Item
    this.#queued -= 1
    this.#queuedBytes -= item.bytes
    return item
  }

  #passTurn(): void {
    this.#turnsLeft = TURN_STARTS
    if (this.#ready.size > 1) this.#ready.push(this.#ready.shift() as CallLine)
  }

  /** A record of the line is done with its limiter, for good. */
  left(line: CallLine): void {
    line.records -= 1
    this.#countLimit(line)
    if (line.records > 0 || line === this.#only) return
    this.#idle.add(line)
    if (this.#idle.size <= IDLE_LINES) return
    const oldest = this.#idle.values().next().value as CallLine
    this.#idle.delete(oldest)
    this.#lines.delete(oldest.pooled.key)
    this.#pool.release(oldest.pooled, oldest.queue)
  }

  /** Takes out the waiting records for which `drop` is true, and returns them. */
  purge(drop: (item: Item) => boolean): Item[] {
    const dropped: Item[] = []
    this.#ready.retain((line) => {
      const before = dropped.length
      for (const item of line.queue.purge(drop)) {
        this.#queued -= 1
        this.#queuedBytes -= item.bytes
        dropped.push(item)
      }
      line.retries.retain(({ item }) => {
        if (!drop(item)) return true
        this.#due -= 1
        this.#dueBytes -= item.bytes
        dropped.push(item)
        return false
      })
      for (let gone = dropped.length - before; gone > 0; gone -= 1) this.left(line)
      return line.waiting > 0
    })
    return dropped
  }

  /** Calls that may be in flight, over the limiters that are in use. */
  limit(): number {
    return this.#only === null ? this.#limit : this.#only.pooled.limiter.limit
  }

  /** Kept up to date line by line: there may be thousands. */
  #countLimit(line: CallLine): void {
    if (line === this.#only) return
    const limit = line.records > 0 ? line.pooled.limiter.limit : 0
    this.#limit += limit - line.countedLimit
    line.countedLimit = limit
  }

  /** The limiters, those with the most waiting first. */
  statuses(): LimiterStatus[] {
    return [...this.#lines.values()]
      .sort((one, other) => other.waiting - one.waiting)
      .slice(0, MOST_SHOWN)
      .map((line) => line.pooled.status(line.waiting))
  }

  #line(key: string, nowMs: number): CallLine {
    const line = this.#lines.get(key)
    if (line === undefined) return this.#make(key, nowMs)
    if (line.records === 0) this.#idle.delete(line)
    return line
  }

  #make(key: string | null, nowMs: number): CallLine {
    const line = new CallLine(this.#pool.take(key, nowMs))
    this.#lines.set(key, line)
    return line
  }

  #list(line: CallLine): void {
    if (line.waiting === 0) this.#ready.push(line)
  }
}

/** What a record's call is limited by. A key that cannot be had is '': the handler will say what is wrong. */
export function keyOf({ limitKey }: CallPlan): ((item: Item) => string) | null {
  if (limitKey === null) return null
  return (item) => {
    try {
      const key: unknown = limitKey(item.value as never, item.record)
      return typeof key === 'string' ? key : ''
    } catch {
      return ''
    }
  }
}
