/**
 * A call stage: asynchronous handlers in bounded slots. Items wait in a queue that is fair over partitions, or in
 * lanes by key; each attempt needs a permit (concurrency), the gates to be open (breaker, Retry-After) and a start
 * from the rate. `#guard` names the one reason for which nothing more is started: that name is what the doctor reads.
 * Invariant: attempts in progress ≤ limit, and an item holds its lane until it has left the stage or ended.
 */
import { Breaker } from '../control/breaker.ts'
import { FixedLimiter } from '../control/limiter.ts'
import { RateLimit } from '../control/rate.ts'
import { classify, type HeadgateError } from '../model/errors.ts'
import type { CallPlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { formatCount } from '../model/units.ts'
import { canSeeSecondArgument } from './arity.ts'
import { IGNORED, outcomeOf, retryAfterOf, SUCCEEDED, TIMED_OUT, timeoutError, undefinedResult } from './attempt.ts'
import { Chunk } from './chunk.ts'
import type { Caller } from './commands.ts'
import type { Core } from './core.ts'
import { FairQueue } from './fair-queue.ts'
import { type Item, isFenced, markStarted, RETURNED } from './item.ts'
import { Lanes } from './lanes.ts'
import { Outbox } from './outbox.ts'
import { Retries } from './retries.ts'
import { type Slot, SlotList } from './slots.ts'
import type { Inlet, Place, Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'

/** How long an aborted handler may take to settle before its slot is given away. */
const ABORT_GRACE_MS = 1000

export class CallStage implements Stage, Caller {
  readonly name: string
  readonly plan: CallPlan
  readonly takesContext: boolean
  readonly #core: Core
  readonly #target: Inlet
  readonly #queue = new FairQueue()
  readonly #lanes: Lanes | null
  readonly #slots = new SlotList()
  readonly #limiter: FixedLimiter
  readonly #breaker = new Breaker()
  readonly #retries: Retries
  readonly #meter: StageMeter
  #rate: RateLimit | null
  #timeoutMs: number
  /** Its items hold slots that count as BLOCKED. */
  readonly #outbox = new Outbox()
  #retriesInFlight = 0
  #inFlightBytes = 0
  /** A handler of this stage has told of a pool: only then is it looked for. */
  #pools = false
  #retryAfterMs = Number.NEGATIVE_INFINITY
  #reason = 'idle'
  #reasonWakeMs = Number.POSITIVE_INFINITY

  constructor(core: Core, plan: CallPlan, target: Inlet) {
    this.#core = core
    this.plan = plan
    this.takesContext = canSeeSecondArgument(plan.fn)
    this.name = plan.name
    this.#target = target
    this.#lanes = plan.order === 'none' ? null : new Lanes(plan.order, (item) => this.#queue.push(item))
    this.#limiter = new FixedLimiter(plan.concurrency)
    this.#rate = plan.rate && new RateLimit(plan.rate.perSecond, plan.rate.burst)
    this.#retries = new Retries(plan.retry, core.nowMs)
    this.#meter = new StageMeter(plan.concurrency, core.nowMs)
    this.#timeoutMs = plan.timeoutMs
  }

  room(): number {
    return this.plan.queueRecords - this.#waiting()
  }

  offer(chunk: Chunk): void {
    this.#meter.entered += chunk.length
    const { lot } = chunk
    const lanes = this.#lanes
    if (lot === null) {
      for (const item of chunk.toItems()) {
        item.attempt = 0
        item.charged = 0
        if (lanes === null || lanes.enter(item)) this.#queue.push(item)
      }
    } else {
      const ready = lanes === null ? chunk : Chunk.ofItems(chunk.toItems().filter((item) => lanes.enter(item)))
      this.#queue.pushChunk(ready, lot.partition)
    }
  }

  /** How long an attempt may take from now on. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  change(limits: { concurrency?: number; perSecond?: number; timeoutMs?: number }): void {
    if (limits.concurrency !== undefined) this.#limiter.limit = limits.concurrency
    if (limits.timeoutMs !== undefined) this.#timeoutMs = limits.timeoutMs
    if (limits.perSecond !== undefined) {
      const burst = Math.max(
        1,
        Math.ceil((limits.perSecond * (this.plan.rate?.burst ?? 1)) / (this.plan.rate?.perSecond ?? limits.perSecond)),
      )
      if (this.#rate === null) this.#rate = new RateLimit(limits.perSecond, burst)
      else this.#rate.change(limits.perSecond, burst)
    }
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    const flushed = this.#flush(nowMs)
    if (this.#core.halted) this.purge(() => true)
    this.#abortLate(nowMs)
    this.#retries.collect(nowMs)
    const started: Slot[] = []
    for (;;) {
      this.#reasonWakeMs = Number.POSITIVE_INFINITY
      this.#reason = this.#guard(nowMs)
      if (this.#reason !== 'running') break
      const slot = this.#start(nowMs)
      if (slot !== null) started.push(slot)
    }
    if (started.length > 0) this.#core.commands.push({ kind: 'call', stage: this, slots: started })
    return flushed || started.length > 0
  }

  /** The one reason for which nothing more is started now, or `running`. */
  #guard(nowMs: number): string {
    if (this.#core.halted) return 'stopped'
    const budgetMs = this.#retryFitsShare() ? this.#retries.budgetWaitMs(nowMs) : Number.POSITIVE_INFINITY
    if (this.#queue.size === 0 && budgetMs > 0) return this.#whyNothingIsReady(nowMs, budgetMs)
    if (this.#outbox.length > 0) return 'blocked'
    if (!this.#core.canFail(this.plan.onFailure)) return 'dead-letter-full'
    if (this.#retryAfterMs > nowMs) return this.#until(this.#retryAfterMs, 'retry-after')
    const breakerMs = this.#breaker.waitMs(nowMs)
    if (breakerMs > 0) return this.#until(nowMs + breakerMs, 'breaker')
    const admitMs = this.#limiter.admit(nowMs)
    if (admitMs > 0) return this.#until(nowMs + admitMs, 'concurrency')
    const rateMs = this.#rate === null ? 0 : this.#rate.waitMs(nowMs)
    if (rateMs > 0) return this.#until(nowMs + rateMs, 'rate')
    return 'running'
  }

  /** A retry is due, and retries hold less than a quarter of the slots. */
  #retryFitsShare(): boolean {
    return this.#retries.ready > 0 && this.#retriesInFlight < Math.max(1, Math.ceil(this.#limiter.limit / 4))
  }

  #whyNothingIsReady(nowMs: number, budgetMs: number): string {
    if (this.#retries.ready > 0) {
      if (budgetMs === Number.POSITIVE_INFINITY) return 'retry-share'
      return this.#until(nowMs + budgetMs, 'retry-budget')
    }
    if (this.#lanes !== null && this.#lanes.waiting > 0) return 'key'
    return this.#retries.waiting > 0 ? 'backoff' : 'idle'
  }

  #until(wakeMs: number, reason: string): string {
    this.#reasonWakeMs = wakeMs
    return reason
  }

  #start(nowMs: number): Slot | null {
    const retry = this.#retryFitsShare() && this.#retries.budgetWaitMs(nowMs) === 0
    const item = retry ? this.#retries.shift() : (this.#queue.shift() as Item)
    if (isFenced(item)) {
      this.#core.finish(item, RETURNED)
      return null
    }
    markStarted(item)
    item.attempt += 1
    if (this.#rate !== null) this.#rate.take(nowMs)
    this.#breaker.started()
    const slot = this.#slots.take(item, nowMs)
    slot.permit = this.#limiter.sent(nowMs)
    slot.retry = retry
    if (retry) this.#retriesInFlight += 1
    this.#inFlightBytes += item.bytes
    this.#meter.started(item.attempt === 1 ? 1 : 0, 1)
    return slot
  }

  /** The handler of a slot settled: `slot.threw` and `slot.result` say how. */
  settled(slot: Slot, nowMs: number): void {
    const item = slot.item as Item
    const timedOut = slot.abortedMs !== null && slot.abortReason === 'timeout'
    const durationMs = nowMs - slot.startedMs
    const { threw, result, permit, retry } = slot
    this.#slots.release(slot)
    this.#inFlightBytes -= item.bytes
    if (retry) this.#retriesInFlight -= 1
    this.#meter.ended(durationMs)
    if (isFenced(item)) {
      this.#limiter.settled(permit, nowMs, IGNORED)
      this.#breaker.undecided()
      this.#core.finish(item, RETURNED)
    } else if (!threw && result !== undefined) {
      // A result that came after the time-out is still a result: the record needs no second attempt.
      this.#limiter.settled(permit, nowMs, timedOut ? TIMED_OUT : SUCCEEDED)
      this.#breaker.succeeded()
      this.#retries.succeeded()
      this.#meter.succeeded(1)
      if (timedOut) this.#meter.failed('HG_TIMEOUT', 1)
      item.value = result
      this.#outbox.push(item)
    } else {
      this.#failed(
        item,
        timedOut ? timeoutError(this.#timeoutMs) : threw ? classify(result) : undefinedResult(this.name),
        permit,
        nowMs,
      )
    }
  }

  #failed(item: Item, error: HeadgateError, permit: unknown, nowMs: number): void {
    const probing = this.#breaker.state !== 'closed'
    this.#limiter.settled(permit, nowMs, outcomeOf(error))
    this.#meter.failed(error.code, 1)
    if (error.code === 'HG_OVERLOADED') {
      this.#breaker.undecided()
      this.#retryAfterMs = Math.max(this.#retryAfterMs, nowMs + retryAfterOf(error))
    } else if (error.code === 'HG_TIMEOUT' || error.code === 'HG_CONNECTION_LOST') {
      this.#breaker.failed(nowMs, this.#core.random.next())
    } else if (error.scope === 'record') {
      this.#breaker.succeeded() // it answered; what it said concerns this record alone
    }
    if (this.#core.givesUp) {
      this.#core.finish(item, RETURNED)
      return
    }
    // The record's attempts are used up by its own failures, not by those of a downstream that is down for all.
    if (error.scope === 'record' && !probing) item.charged += 1
    if (!error.retryable || item.charged >= this.plan.retry.attempts) {
      this.#core.fail(item, error, this.name, this.plan.onFailure)
    } else if (this.#core.halted) {
      this.#core.finish(item, RETURNED)
    } else {
      this.#retries.add(item, error, nowMs, this.#core.random.next())
    }
  }

  /** Aborts what is past its deadline, and gives up on handlers that do not even settle then. */
  #abortLate(nowMs: number): void {
    for (let slot = this.#slots.first; slot !== null; ) {
      const next: Slot | null = slot.next
      if (slot.abortedMs === null) {
        if (nowMs < slot.startedMs + this.#timeoutMs) break
        this.#abort(slot, 'timeout', nowMs)
      } else if (nowMs >= slot.abortedMs + ABORT_GRACE_MS) {
        slot.retired = true
        slot.threw = true
        slot.result = timeoutError(this.#timeoutMs)
        this.#meter.abandoned += 1
        this.settled(slot, nowMs)
      }
      slot = next
    }
  }

  #abort(slot: Slot, reason: 'timeout' | 'fenced' | 'stopped', nowMs: number): void {
    slot.abortedMs = nowMs
    slot.abortReason = reason
    this.#core.commands.push({ kind: 'abort', slot, reason })
  }

  /** Aborts the calls whose item is fenced, or all of them when the pipeline stops hard. */
  abort(reason: 'fenced' | 'stopped', nowMs: number): void {
    for (let slot = this.#slots.first; slot !== null; slot = slot.next) {
      if (slot.abortedMs === null && (reason === 'stopped' || isFenced(slot.item as Item)))
        this.#abort(slot, reason, nowMs)
    }
  }

  /** Handlers of a `call` command kept the thread for so long, in ms. */
  ran(ms: number): void {
    this.#meter.ran(ms)
  }

  pooling(slot: Slot, waiting: boolean): void {
    this.#pools = true
    slot.pooling = waiting
  }

  #flush(nowMs: number): boolean {
    if (this.#outbox.length === 0) return false
    for (const item of this.#outbox.takeFenced()) this.#core.finish(item, RETURNED)
    const items = this.#outbox.take(Math.max(0, this.#target.room()))
    if (items.length === 0) return false
    this.#meter.left += items.length
    // Leaving a lane starts nothing: the next of the key starts in this stage's own step, after this one has moved on.
    for (const item of items) item.lane?.leave()
    this.#target.offer(Chunk.ofItems(items), nowMs)
    return true
  }

  #waiting(): number {
    return this.#queue.size + (this.#lanes?.waiting ?? 0)
  }

  account(): void {
    let pooling = 0
    if (this.#pools) for (let slot = this.#slots.first; slot !== null; slot = slot.next) if (slot.pooling) pooling += 1
    this.#meter.account(this.#limiter.limit, this.#slots.size, pooling, {
      blocked: this.#outbox.length,
      ready: this.#queue.size + this.#retries.ready,
      key: this.#lanes?.waiting ?? 0,
      backoff: this.#retries.waiting,
      gate: this.#reason,
    })
  }

  wakeMs(): number {
    let wake = Math.min(this.#reasonWakeMs, this.#retries.nextDueMs())
    for (let slot = this.#slots.first; slot !== null; slot = slot.next) {
      if (slot.abortedMs === null) return Math.min(wake, slot.startedMs + this.#timeoutMs)
      wake = Math.min(wake, slot.abortedMs + ABORT_GRACE_MS)
    }
    return wake
  }

  purge(drop: (item: Item) => boolean): void {
    const waiting = this.#lanes?.purge(drop) ?? []
    const queued = this.#queue.purge(drop)
    for (const item of [...waiting, ...queued, ...this.#retries.purge(drop)]) this.#core.finish(item, RETURNED)
  }

  /** What a drain waits for here, in words; null when nothing. */
  waitingFor(): string | null {
    const calls = this.#slots.size
    const retries = this.#retries.waiting + this.#retries.ready
    if (calls + retries === 0) return null
    const parts: string[] = []
    if (calls > 0) parts.push(formatCount(calls, 'call'))
    if (retries > 0) parts.push(`${formatCount(retries, 'waiting attempt')} (${this.#reason})`)
    return `${parts.join(' and ')} of '${this.name}'`
  }

  places(): Place[] {
    const { name } = this
    const places: Place[] = [
      {
        name: `${name} queue`,
        records: this.#queue.size,
        bytes: this.#queue.bytes,
        limitRecords: this.plan.queueRecords,
      },
    ]
    if (this.#lanes !== null) {
      places.push({
        name: `${name} lanes`,
        records: this.#lanes.waiting,
        bytes: this.#lanes.waitingBytes,
        limitRecords: this.plan.queueRecords,
      })
    }
    const { waiting, ready, bytes } = this.#retries
    places.push(
      {
        name: `${name} in call`,
        records: this.#slots.size,
        bytes: this.#inFlightBytes,
        limitRecords: this.#limiter.limit,
      },
      { name: `${name} backoff`, records: waiting + ready, bytes, limitRecords: null },
      {
        name: `${name} blocked`,
        records: this.#outbox.length,
        bytes: this.#outbox.bytes,
        limitRecords: this.#limiter.limit,
      },
    )
    return places
  }

  statuses(): StageStatus[] {
    return [this.#meter.status(this.name, 'call', this.#reason, this.#slots.size, this.#limiter.limit)]
  }

  littleError(nowMs: number): number {
    let openMs = 0
    for (let slot = this.#slots.first; slot !== null; slot = slot.next) openMs += nowMs - slot.startedMs
    return this.#meter.littleError(openMs)
  }

  statesError(): number {
    return this.#meter.clock.error()
  }
}
