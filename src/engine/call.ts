/**
 * A call stage: asynchronous handlers in bounded slots. Items wait in lines, one for each limiter, or before them in
 * lanes by key; each attempt needs the permit of its limiter (concurrency, breaker, Retry-After, quota) and a start
 * from the rate. `#guard` names the one reason for which nothing more is started: that name is what the doctor reads.
 * Invariant: attempts in progress ≤ limit, and of a key nothing starts before the record ahead has left the stage or ended.
 */
import { RateLimit } from '../control/rate.ts'
import { classify, type HeadgateError } from '../model/errors.ts'
import type { CallPlan } from '../model/plan.ts'
import type { StageStatus } from '../model/status.ts'
import { canSeeSecondArgument } from './arity.ts'
import { ANSWERED_LATE, IGNORED, outcomeOf, successOf, timeoutError, undefinedResult } from './attempt.ts'
import type { CallLine, Retry } from './call-line.ts'
import { CallLines, keyOf } from './call-lines.ts'
import type { Chunk } from './chunk.ts'
import type { Core } from './core.ts'
import type { RowRun } from './fair-queue.ts'
import { type Item, isFenced, markStarted, RETURNED } from './item.ts'
import { Lanes } from './lanes.ts'
import type { LimiterPool } from './limiter-pool.ts'
import { changeRate, type PresentStageLimits, type StageLimits } from './limits.ts'
import { Outbox } from './outbox.ts'
import { type Place, place } from './place.ts'
import { Retries } from './retries.ts'
import { type Caller, type Slot, SlotList } from './slots.ts'
import type { Inlet, Stage } from './stage.ts'
import { StageMeter } from './stage-meter.ts'
import { waitForCalls } from './waits.ts'
import type { Wave } from './wave.ts'

/** How long an aborted handler may take to settle before its slot is given away. */
const ABORT_GRACE_MS = 1000

export class CallStage implements Stage, Caller {
  readonly name: string
  readonly plan: CallPlan
  readonly takesContext: boolean
  readonly #core: Core
  readonly #target: Inlet
  readonly #lines: CallLines
  readonly #lanes: Lanes | null
  readonly #slots = new SlotList(this)
  readonly #pool: LimiterPool
  readonly #retries: Retries
  readonly #meter: StageMeter
  #rate: RateLimit | null
  #timeoutMs: number
  /** Its items hold slots that count as BLOCKED. */
  readonly #outbox = new Outbox()
  /** The first of these started in this step; the array is kept, so that it is not grown each time. */
  readonly #started: Slot[] = []
  #inFlightBytes = 0
  /** A handler of this stage has told of a pool: only then is it looked for. */
  #pools = false
  /** Whose turn it is, once `#guard` said `running`. */
  #next: CallLine | null = null
  #reason = 'idle'
  #reasonWakeMs = Number.POSITIVE_INFINITY

  constructor(core: Core, plan: CallPlan, pool: LimiterPool, target: Inlet) {
    this.#core = core
    this.plan = plan
    this.takesContext = canSeeSecondArgument(plan.fn)
    this.name = plan.name
    this.#target = target
    this.#pool = pool
    this.#retries = new Retries(plan.retry, core.nowMs)
    this.#lines = new CallLines(pool, keyOf(plan), this.#retries, core.nowMs)
    this.#lanes = plan.order === 'none' ? null : new Lanes(plan.order, (item) => this.#lines.rejoin(item, core.loopMs))
    this.#rate = plan.rate && new RateLimit(plan.rate.perSecond, plan.rate.burst)
    this.#meter = new StageMeter(this.#lines.limit(), core.nowMs, core.latencyOf(plan.name))
    this.#timeoutMs = plan.timeoutMs
  }

  room(): number {
    return this.plan.queueRecords - this.#waiting()
  }

  offer(chunk: Chunk, nowMs: number): void {
    this.#meter.entered += chunk.length
    const { lot } = chunk
    const lanes = this.#lanes
    if (lot === null) {
      for (const item of chunk.toItems()) {
        item.reset()
        if (lanes === null || lanes.enter(item)) this.#lines.push(item, nowMs)
      }
    } else {
      lanes?.enterRows(chunk, lot)
      this.#lines.pushChunk(chunk, lot.partition, nowMs)
    }
  }

  /** Calls that may be in flight at this moment. */
  get limit(): number {
    return this.#lines.limit()
  }

  /** How long an attempt may take from now on. */
  get timeoutMs(): number {
    return this.#timeoutMs
  }

  /** What `change` can change, as it is now. */
  get limits(): PresentStageLimits {
    return { concurrency: this.#pool.most, perSecond: this.#rate?.perSecond ?? null, timeoutMs: this.#timeoutMs }
  }

  change(limits: StageLimits): void {
    if (limits.concurrency !== undefined) this.#pool.change(limits.concurrency)
    if (limits.timeoutMs !== undefined) this.#timeoutMs = limits.timeoutMs
    if (limits.perSecond !== undefined) this.#rate = changeRate(this.#rate, limits.perSecond, this.plan.rate)
  }

  advance(nowMs: number): void {
    this.#meter.clock.advance(nowMs)
  }

  step(nowMs: number): boolean {
    const flushed = this.#flush(nowMs)
    if (this.#core.halted) this.purge(() => true)
    this.#abortLate(nowMs)
    this.#retries.collect(nowMs, this.#becameDue)
    const started = this.#started
    let count = 0
    let first = 0
    for (;;) {
      this.#reasonWakeMs = Number.POSITIVE_INFINITY
      this.#reason = this.#guard(nowMs)
      if (this.#reason !== 'running') break
      const line = this.#next as CallLine
      for (let left = this.#rate === null ? this.#lines.inARow(line) : 1; left > 0; ) {
        const rows = this.#rate === null ? this.#lines.shiftRows(line, left) : null
        if (rows !== null) {
          this.#startRows(line, rows, count, nowMs)
          const begun = rows.end - rows.start
          count += begun
          first += begun
          left -= begun
          continue
        }
        left -= 1
        const slot = this.#start(line, nowMs)
        if (slot === null) continue
        started[count] = slot
        count += 1
        if (!slot.retry) first += 1
      }
    }
    if (count === 0) return flushed
    this.#meter.started(first, count)
    this.#core.commands.push({ kind: 'call', stage: this, slots: started.slice(0, count) })
    return true
  }

  readonly #becameDue = (retry: Retry): void => this.#lines.pushDue(retry)

  /** The one reason for which nothing more is started now, or `running`. */
  #guard(nowMs: number): string {
    if (this.#core.halted) return 'stopped'
    if (this.#lines.queued + this.#lines.due === 0) return this.#whyNothingWaits()
    if (this.#outbox.length > 0) return 'blocked'
    if (!this.#core.canFail(this.plan.onFailure)) return 'dead-letter-full'
    this.#next = this.#lines.next(nowMs)
    if (this.#next === null) return this.#until(this.#lines.wakeMs, this.#lines.reason)
    const rateMs = this.#rate === null ? 0 : this.#rate.waitMs(nowMs)
    if (rateMs > 0) return this.#until(nowMs + rateMs, 'rate')
    return 'running'
  }

  #whyNothingWaits(): string {
    if (this.#lanes !== null && this.#lanes.waiting > 0) return 'key'
    return this.#retries.waiting > 0 ? 'backoff' : 'idle'
  }

  #until(wakeMs: number, reason: string): string {
    this.#reasonWakeMs = wakeMs
    return reason
  }

  #start(line: CallLine, nowMs: number): Slot | null {
    const retry = this.#lines.startsRetry
    const { free } = this.#slots
    const item = this.#lines.shift(line, free.spare)
    if (item === free.spare) free.spare = null
    if (isFenced(item)) {
      this.#lines.left(line)
      this.#core.finish(item, RETURNED)
      return null
    }
    markStarted(item)
    if (this.#rate !== null) this.#rate.take(nowMs)
    this.#inFlightBytes += item.bytes
    const wave = this.#slots.waveOf(item.root.members?.length ?? 1, nowMs)
    return this.#fill(item, wave, line, retry, nowMs)
  }

  /** Starts all of these; their slots go into `#started` from place `at` on. */
  #startRows(line: CallLine, { chunk, start, end, bytes }: RowRun, at: number, nowMs: number): void {
    const wave = this.#slots.waveOf(1, nowMs)
    for (let place = start; place < end; place += 1) {
      const { free } = this.#slots
      const item = chunk.itemAt(place, free.spare)
      if (item === free.spare) free.spare = null
      item.started = true
      this.#started[at + place - start] = this.#fill(item, wave, line, false, nowMs)
    }
    this.#inFlightBytes += bytes
  }

  #fill(item: Item, wave: Wave, line: CallLine, retry: boolean, nowMs: number): Slot {
    item.attempt += 1
    const slot = this.#slots.take(item, wave)
    slot.line = line
    slot.permit = line.sent(retry, nowMs)
    slot.retry = retry
    slot.paid = retry ? this.#lines.paid : 0
    return slot
  }

  /** The handler of a slot settled: `slot.threw` and `slot.result` say how. */
  settled(slot: Slot): void {
    const nowMs = this.#core.loopMs
    const item = slot.item as Item
    const line = slot.line as CallLine
    const timedOut = slot.abortedMs !== null && slot.abortReason === 'timeout'
    const { threw, result, permit, retry, paid, heard } = slot
    this.#slots.release(slot)
    this.#inFlightBytes -= item.bytes
    this.#meter.ended(slot.wave, nowMs)
    if (isFenced(item)) {
      line.settled(permit, retry, nowMs, IGNORED)
      this.#lines.left(line)
      this.#core.finish(item, RETURNED)
    } else if (!threw && result !== undefined) {
      // A result that came after the time-out is still a result: the record needs no second attempt.
      line.settled(permit, retry, nowMs, timedOut ? ANSWERED_LATE : successOf(heard))
      this.#lines.left(line)
      this.#retries.succeeded(paid)
      this.#meter.succeeded(1)
      if (timedOut) this.#meter.failed('HG_TIMEOUT', 1)
      // Nothing starts before this result has left the stage, the next of its key neither.
      item.lane?.leave()
      if (item.isPlain) {
        item.leaveRow()
        this.#outbox.pushRow(item.lot, item.row, item.bytes, result)
        slot.keepSpare(item)
      } else {
        item.value = result
        this.#outbox.push(item)
      }
    } else {
      const error = timedOut ? timeoutError(this.#timeoutMs) : threw ? classify(result) : undefinedResult(this.name)
      const { isDown } = line.pooled.limiter
      line.settled(permit, retry, nowMs, outcomeOf(error, heard))
      this.#failed(item, line, error, isDown, nowMs)
    }
  }

  #failed(item: Item, line: CallLine, error: HeadgateError, wasDown: boolean, nowMs: number): void {
    this.#meter.failed(error.code, 1)
    // The record's attempts are used up by its own failures, not by those of a downstream that is down for all.
    if (!this.#core.givesUp && error.scope === 'record' && !wasDown) item.charged += 1
    const spent = !error.retryable || item.charged >= this.plan.retry.attempts
    if (!this.#core.givesUp && !spent && !this.#core.halted) {
      if (error.code !== 'HG_OVERLOADED') this.#core.failures.note(item, error, this.name, nowMs)
      this.#retries.add(item, line, error, nowMs, this.#core.random.next())
      return
    }
    this.#lines.left(line)
    if (spent && !this.#core.givesUp) this.#core.fail(item, error, this.name, this.plan.onFailure)
    else this.#core.finish(item, RETURNED)
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
        this.settled(slot)
      }
      slot = next
    }
  }

  #abort(slot: Slot, reason: 'timeout' | 'fenced' | 'stopped', nowMs: number): void {
    slot.abortedMs = nowMs
    slot.abortReason = reason
    this.#core.commands.push({ kind: 'abort', slot, reason })
  }

  /** Aborts the calls whose item is fenced and drops their results, or aborts all when the pipeline stops hard. */
  abort(reason: 'fenced' | 'stopped', nowMs: number): void {
    for (let slot = this.#slots.first; slot !== null; slot = slot.next) {
      if (slot.abortedMs === null && (reason === 'stopped' || isFenced(slot.item as Item)))
        this.#abort(slot, reason, nowMs)
    }
    if (reason === 'fenced')
      for (const { lot, refs, bytes } of this.#outbox.takeFenced()) this.#core.finishAll(lot, refs, bytes, RETURNED)
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
    let moved = false
    for (;;) {
      const chunk = this.#outbox.shift(this.#target.room())
      if (chunk === null) return moved
      moved = true
      this.#meter.left += chunk.length
      this.#target.offer(chunk, nowMs)
    }
  }

  #waiting(): number {
    return this.#lines.queued + (this.#lanes?.waiting ?? 0)
  }

  account(): void {
    let pooling = 0
    if (this.#pools) for (let slot = this.#slots.first; slot !== null; slot = slot.next) if (slot.pooling) pooling += 1
    const free = this.#meter.account(this.#core.loopMs, this.#lines.limit(), this.#slots.size, pooling, this.#reason)
    if (free === 0) return
    const ready = this.#lines.queued + this.#lines.due
    const key = this.#lanes?.waiting ?? 0
    this.#meter.free(free, this.#outbox.length, ready, this.#reason, key, this.#retries.waiting)
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
    const lined = this.#lines.purge(drop)
    for (const { item, line } of this.#retries.purge(drop)) {
      this.#lines.left(line)
      lined.push(item)
    }
    for (const item of [...waiting, ...lined]) this.#core.finish(item, RETURNED)
  }

  /** What a drain waits for here, in words; null when nothing. */
  waitingFor(): string | null {
    return waitForCalls(this.name, this.#slots.size, this.#retries.waiting + this.#lines.due, this.#reason)
  }

  places(): Place[] {
    const { name, limit } = this
    const lines = this.#lines
    const lanes = this.#lanes
    const { queueRecords } = this.plan
    const retries = this.#retries.waiting + lines.due
    return [
      place(name, 'queue', lines.queued, lines.queuedBytes, queueRecords),
      ...(lanes === null ? [] : [place(name, 'lanes', lanes.waiting, lanes.waitingBytes, queueRecords)]),
      place(name, 'in-call', this.#slots.size, this.#inFlightBytes, limit),
      place(name, 'backoff', retries, this.#retries.bytes + lines.dueBytes, null),
      place(name, 'blocked', this.#outbox.length, this.#outbox.bytes, limit),
    ]
  }

  statuses(): StageStatus[] {
    const { limit, limits } = this
    const settings = { order: this.plan.order, perSecond: limits.perSecond, timeoutMs: limits.timeoutMs }
    const status = this.#meter.status(this.name, 'call', this.#reason, this.#slots.size, limit, settings)
    return [{ ...status, limiters: this.#lines.statuses() }]
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
