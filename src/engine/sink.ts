/**
 * A sink stage: records are gathered into writes, and each record of a write gets its own outcome. What failed is
 * written again, ahead of what came later; a sink that is down stalls its stage and drops nothing. A dead-letter sink
 * is the same stage, except that it never gives up.
 * Order: an ordered sink that stores all or none has one write in flight; any other ordered sink has at most one
 * record of a key (or partition) in flight, so that a failure in the middle of a batch cannot reorder a key.
 */
import { backoffMs } from '../control/backoff.ts'
import type { WriteOutcome, WriteResult } from '../model/connector.ts'
import { classify, type HeadgateError } from '../model/errors.ts'
import type { SinkPlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { retryAfterOf } from './attempt.ts'
import { Chunk } from './chunk.ts'
import { ChunkQueue } from './chunk-queue.ts'
import type { Writer } from './commands.ts'
import type { Core } from './core.ts'
import { deadLetterOf } from './dead-letter.ts'
import { dueAt, Heap } from './heap.ts'
import { DEAD_LETTERED, type Item, isFenced, RETURNED, WRITTEN } from './item.ts'
import { Lanes } from './lanes.ts'
import { type Place, place } from './place.ts'
import { miscounted, rejected } from './sink-error.ts'
import type { Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'
import { type SinkSide, TransactedWrites } from './transacted-writes.ts'
import { waitForRecords } from './waits.ts'
import { Write } from './write.ts'

/** Items to be written again once they are due. */
interface Again {
  readonly items: Item[]
  readonly dueMs: number
}

export interface SinkRole {
  /** The stage before is a batch: what it closed is one write, and its members are the records. */
  readonly unbatch: boolean
  /** For a dead-letter sink: the names of the pipeline's sources, by index. */
  readonly deadLettersOf: readonly string[] | null
}

export class SinkStage implements Stage, Writer {
  readonly name: string
  readonly plan: SinkPlan
  readonly #core: Core
  readonly #role: SinkRole
  readonly #queue = new ChunkQueue()
  readonly #lanes: Lanes | null
  readonly #again = new Heap<Again>(dueAt)
  readonly #writes = new Set<Write>()
  readonly #meter: StageMeter
  readonly #limit: number
  /** Null where records are delivered at least once. */
  readonly #held: TransactedWrites | null
  /** Nothing else is written while something is to be written again. */
  readonly #strict: boolean
  #againRecords = 0
  #againBytes = 0
  #inFlightRecords = 0
  #inFlightBytes = 0
  #failuresInRow = 0
  #pausedUntilMs = Number.NEGATIVE_INFINITY
  #reason = 'idle'

  constructor(core: Core, plan: SinkPlan, role: SinkRole) {
    this.#core = core
    this.plan = plan
    this.name = plan.name
    this.#role = role
    const { atomic, maxInFlightWrites } = plan.sink.capabilities
    // Writes of a transaction keep their order, and one that fails takes all of them with it.
    const order = core.transaction === null ? plan.order : 'none'
    this.#strict = order !== 'none' && atomic
    this.#limit = this.#strict ? 1 : maxInFlightWrites
    this.#lanes =
      order === 'none' || atomic ? null : new Lanes(order, (item) => this.#queue.push(Chunk.ofItems([item])))
    this.#meter = new StageMeter(this.#limit, core.nowMs, core.latencyOf(plan.name))
    this.#held = core.transaction === null ? null : new TransactedWrites(core, core.transaction, this.#side())
  }

  #side(): SinkSide {
    return {
      plan: this.plan,
      queue: this.#queue,
      meter: this.#meter,
      takesDeadLetters: this.#role.deadLettersOf !== null,
      succeeded: (chunks, records) => this.#succeeded(chunks, records),
    }
  }

  /** A sink that writes whole batches lets the next one fill up until it has taken the last. */
  room(): number {
    if (this.#role.unbatch && this.#lanes === null && this.#queue.size + this.#againRecords > 0) return 0
    return this.plan.queueRecords - this.#queue.size - this.#againRecords - (this.#lanes?.waiting ?? 0)
  }

  offer(chunk: Chunk): void {
    if (!this.#role.unbatch) {
      this.#accept(chunk)
      return
    }
    for (const batch of chunk.toItems()) {
      const members = batch.members as Item[]
      this.#core.openItems += members.length - 1
      this.#accept(Chunk.ofItems(members))
    }
  }

  #accept(chunk: Chunk): void {
    if (this.#held?.over === true) {
      for (const item of chunk.toItems()) this.#core.finish(item, RETURNED)
      return
    }
    this.#meter.entered += chunk.length
    const lanes = this.#lanes
    if (chunk.lot !== null) {
      lanes?.enterRows(chunk, chunk.lot)
      if (chunk.length > 0) this.#queue.push(chunk)
      return
    }
    const { length } = chunk
    const items = chunk.toItems()
    for (let at = 0; at < length; at += 1) (items[at] as Item).reset()
    lanes?.enterAll(items)
    if (items === chunk.refs && items.length === length) this.#queue.push(chunk)
    else if (items.length > 0) this.#queue.push(Chunk.ofItems(items))
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    let moved = false
    for (;;) {
      this.#reason = this.#guard(nowMs)
      if (this.#reason !== 'running') return moved
      moved = true
      const chunks = this.#next(nowMs)
      if (chunks.length > 0) this.#start(chunks, nowMs)
    }
  }

  /** The one reason for which nothing more is written now, or `running`. */
  #guard(nowMs: number): string {
    const again = this.#again.peek()
    if (again === undefined && this.#queue.size === 0)
      return this.#lanes !== null && this.#lanes.waiting > 0 ? 'key' : 'idle'
    const gate = this.#held?.gate(nowMs) ?? null
    if (gate !== null) return gate
    if (this.#writes.size >= this.#limit) return 'concurrency'
    if (this.#pausedUntilMs > nowMs) return 'backoff'
    if (again !== undefined && again.dueMs > nowMs && (this.#strict || this.#queue.size === 0)) return 'backoff'
    if (!this.#core.canFail(this.plan.onFailure)) return 'dead-letter-full'
    return 'running'
  }

  /** What the next write carries; empty when all of it turned out to be fenced. */
  #next(nowMs: number): Chunk[] {
    const again = this.#again.peek()
    if (again === undefined || again.dueMs > nowMs) return this.#wantedOf(this.#gather())
    this.#again.pop()
    this.#againRecords -= again.items.length
    for (const item of again.items) this.#againBytes -= item.bytes
    return this.#wantedOf([Chunk.ofItems(again.items)])
  }

  #wantedOf(chunks: readonly Chunk[]): Chunk[] {
    const wanted: Chunk[] = []
    for (const chunk of chunks) {
      const rest = this.#wanted(chunk)
      if (rest !== null) wanted.push(rest)
    }
    return wanted
  }

  /** Without what is fenced or would overtake; that is given back one by one: each decides about those behind it. */
  #wanted(chunk: Chunk): Chunk | null {
    const { order } = this.plan
    if (!chunk.some((partition) => partition.fenced || (order !== 'none' && partition.hasReturned))) return chunk
    const wanted: Item[] = []
    for (const item of chunk.toItems())
      if (isFenced(item) || item.partition.overtakes(order, item)) this.#core.finish(item, RETURNED)
      else wanted.push(item)
    return wanted.length > 0 ? Chunk.ofItems(wanted) : null
  }

  #gather(): Chunk[] {
    const most = this.plan.sink.capabilities.maxBatchRecords
    const chunks = [this.#queue.shift(most)]
    if (this.#role.unbatch && this.#lanes === null) return chunks
    for (let left = most - chunks[0]!.length; left > 0 && this.#queue.size > 0; ) {
      const chunk = this.#queue.shift(left)
      left -= chunk.length
      chunks.push(chunk)
    }
    return chunks
  }

  #start(chunks: Chunk[], nowMs: number): void {
    let first = 0
    for (const chunk of chunks) first += chunk.firstAttempts
    const write = new Write(chunks, this.#valuesOf(chunks, nowMs), nowMs)
    this.#writes.add(write)
    this.#inFlightRecords += write.records
    this.#inFlightBytes += write.bytes
    this.#meter.started(first, write.records)
    this.#held?.started(write)
    this.#core.commands.push({ kind: 'write', stage: this, write })
  }

  #valuesOf(chunks: Chunk[], nowMs: number): readonly unknown[] {
    const { deadLettersOf } = this.#role
    if (deadLettersOf !== null) {
      const failedAtMs = nowMs + this.#core.wallOffsetMs
      return chunks.flatMap((chunk) => chunk.toItems().map((item) => deadLetterOf(item, deadLettersOf, failedAtMs)))
    }
    const [first, ...others] = chunks
    return others.length === 0 ? first!.values : first!.values.concat(...others.map(({ values }) => values))
  }

  ran(ms: number, records: number): void {
    this.#meter.ran(ms, records)
  }

  /** A write ended: with its result, or with what it threw. */
  wrote(write: Write, nowMs: number, result: WriteResult | { readonly threw: unknown }): void {
    this.#writes.delete(write)
    this.#inFlightRecords -= write.records
    this.#inFlightBytes -= write.bytes
    this.#meter.took(nowMs - write.startedMs, write.records)
    if (this.#held !== null) {
      this.#held.ended(write, result)
    } else if (result === 'written') {
      this.#succeeded(write.chunks, write.records)
    } else if ('threw' in result) {
      this.#threw(write.toItems(), classify(result.threw), nowMs)
    } else if (result.length !== write.records) {
      this.#core.halt(miscounted(this.name, result.length, write.records))
      for (const item of write.toItems()) this.#core.finish(item, RETURNED)
    } else {
      this.#settleEach(write.toItems(), result, nowMs)
    }
  }

  #succeeded(chunks: readonly Chunk[], records: number): void {
    const fate = this.#role.deadLettersOf === null ? WRITTEN : DEAD_LETTERED
    this.#failuresInRow = 0
    this.#meter.succeeded(records)
    this.#meter.left += records
    for (const chunk of chunks) this.#core.finishAll(chunk.lot, chunk.refs, chunk.bytes, fate)
  }

  /** The whole write failed, so the sink is in trouble: everything waits, then it is tried again. */
  #threw(items: Item[], error: HeadgateError, nowMs: number): void {
    this.#meter.failed(error.code, items.length)
    this.#failuresInRow += 1
    const delayMs = backoffMs(this.plan.retry.backoff, this.#failuresInRow, this.#core.random.next())
    this.#pausedUntilMs = nowMs + Math.max(delayMs, retryAfterOf(error))
    this.#retryOrFail(items, error, this.#pausedUntilMs)
  }

  #settleEach(items: readonly Item[], outcomes: readonly WriteOutcome[], nowMs: number): void {
    const written: Item[] = []
    const again: Item[] = []
    let lastError: HeadgateError | null = null
    for (let index = 0; index < items.length; index += 1) {
      const item = items[index] as Item
      const outcome = outcomes[index] as WriteOutcome
      if (outcome.kind === 'written') {
        written.push(item)
        continue
      }
      const error = classify(outcome.error)
      this.#meter.failed(error.code, 1)
      if (outcome.kind === 'rejected' && this.#role.deadLettersOf === null) {
        this.#core.fail(item, rejected(error), this.name, this.plan.onFailure)
      } else {
        again.push(item)
        lastError = error
      }
    }
    if (written.length > 0) this.#succeeded([Chunk.ofItems(written)], written.length)
    if (lastError !== null) {
      const retry = Math.max(1, ...again.map((item) => item.attempt + 1))
      this.#retryOrFail(again, lastError, nowMs + backoffMs(this.plan.retry.backoff, retry, this.#core.random.next()))
    }
  }

  /** Puts items in line to be written again; those whose attempts are used up fail. A dead letter never does. */
  #retryOrFail(items: Item[], error: HeadgateError, dueMs: number): void {
    const again: Item[] = []
    const givesUp = this.#role.deadLettersOf === null
    for (const item of items) {
      item.attempt += 1
      if (error.scope !== 'downstream') item.charged += 1
      const spent = !error.retryable || item.charged >= this.plan.retry.attempts
      if (this.#core.givesUp) this.#core.finish(item, RETURNED)
      else if (spent && givesUp) this.#core.fail(item, error, this.name, this.plan.onFailure)
      else again.push(item)
    }
    if (again.length === 0) return
    this.#core.failures.note(again[0] as Item, error, this.name, this.#core.nowMs)
    this.#again.push({ items: again, dueMs })
    this.#againRecords += again.length
    for (const item of again) this.#againBytes += item.bytes
  }

  account(): void {
    const free = this.#meter.account(this.#core.loopMs, this.#limit, this.#writes.size, 0, this.#reason)
    if (free > 0)
      this.#meter.free(free, 0, this.#queue.size + this.#againRecords, this.#reason, this.#lanes?.waiting ?? 0, 0)
  }

  wakeMs(): number {
    // The transaction wakes for itself.
    if (this.#reason !== 'backoff' || this.#held !== null) return Number.POSITIVE_INFINITY
    const again = this.#again.peek()
    const waitsForAgain = again !== undefined && (this.#strict || this.#queue.size === 0)
    return waitsForAgain ? Math.max(this.#pausedUntilMs, again.dueMs) : this.#pausedUntilMs
  }

  purge(drop: (item: Item) => boolean): void {
    const dropped = [...(this.#lanes?.purge(drop) ?? []), ...this.#queue.purge(drop)]
    const again: Again[] = []
    this.#again.retain((entry) => {
      again.push(entry)
      return false
    })
    for (const { items, dueMs } of again) {
      const kept = items.filter((item) => !drop(item))
      for (const item of items) {
        if (!drop(item)) continue
        dropped.push(item)
        this.#againRecords -= 1
        this.#againBytes -= item.bytes
      }
      if (kept.length > 0) this.#again.push({ items: kept, dueMs })
    }
    for (const item of dropped) this.#core.finish(item, RETURNED)
  }

  /** What a drain waits for here, in words; null when nothing. */
  waitingFor(): string | null {
    const waiting = this.#queue.size + this.#againRecords + this.#inFlightRecords + (this.#held?.records ?? 0)
    return waitForRecords(this.name, waiting, this.#reason)
  }

  places(): Place[] {
    const { name } = this
    const queued = this.#queue.size + (this.#lanes?.waiting ?? 0)
    const queuedBytes = this.#queue.bytes + (this.#lanes?.waitingBytes ?? 0)
    const inWriteLimit = this.#limit * this.plan.sink.capabilities.maxBatchRecords
    const { queueRecords } = this.plan
    return [
      place(name, 'queue', queued, queuedBytes, queueRecords),
      place(name, 'in-write', this.#inFlightRecords, this.#inFlightBytes, inWriteLimit),
      place(name, 'backoff', this.#againRecords, this.#againBytes, queueRecords),
      ...(this.#held === null ? [] : [this.#held.place()]),
    ]
  }

  statuses(): StageStatus[] {
    const kind = this.#role.deadLettersOf === null ? 'sink' : 'dead-letter'
    return [
      this.#meter.status(this.name, kind, this.#reason, this.#writes.size, this.#limit, {
        order: this.plan.order,
        batchRecords: this.plan.sink.capabilities.maxBatchRecords,
      }),
    ]
  }

  littleError(nowMs: number): number {
    let openMs = 0
    for (const write of this.#writes) openMs += nowMs - write.startedMs
    return this.#meter.littleError(openMs)
  }

  statesError(): number {
    return this.#meter.clock.error()
  }
}
