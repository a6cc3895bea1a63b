/**
 * Decides when a client may call a downstream of unknown capacity: as much as it can take, next to nothing queued, and
 * nothing while it is down. Pure: time is passed in, randomness is seeded, so the same calls give the same answers.
 * It asks, in this order: the gate (Retry-After), the breaker, the limit on calls in flight, the pace of a quota.
 *
 *     const waitMs = controller.admit(now)          // 0: send
 *     const permit = controller.sent(now)
 *     controller.settled(permit, later, { kind: 'success' })
 *
 * Invariant: bounded memory and finite answers whatever comes in: permits settled twice or never, clocks that jump,
 * figures that make no sense.
 */
import { Breaker, type BreakerState } from './breaker.ts'
import { type CheckedOptions, type ControllerOptions, checkControllerOptions } from './controller-options.ts'
import { believed, Gate } from './gate.ts'
import { HeaderQuota } from './header-quota.ts'
import { logMs } from './latency.ts'
import { type Learned, usable } from './learned.ts'
import type { Phase } from './limit-state.ts'
import type { AttemptOutcome, GateReason, Limiter, Permit } from './limiter.ts'
import { Permits } from './permits.ts'
import { QueueLimit } from './queue-limit.ts'
import { Quota } from './quota.ts'
import { SeededRandom } from './random.ts'
import { RetryBudget } from './retry-budget.ts'
import { Stall } from './stall.ts'
import { SteadyClock } from './steady-clock.ts'

/** Longest pause between two probes of a downstream that is down. */
const MAX_OPEN_MS = 3000
/** A probe that has not settled after so many baselines (and a second) no longer holds up the next one. */
const PROBE_BASELINES = 20
const LEAST_PROBE_MS = 5000
/** Time-outs without a success since their calls were sent that mean an outage rather than slow calls. */
const SILENT_TIMEOUTS = 4
const TIMEOUT_COST = 2
/** A shorter wait could be lost in the digits of a clock that counts from 1970. */
const LEAST_WAIT_MS = 0.01
const TICK_MS = 2
/** However long calls take, and however far a clock has jumped, one is given up after this, or after `lostAfterMs`. */
const LONGEST_LOST_MS = 3_600_000
const TOO_MANY_REQUESTS = 429

export interface ControllerSnapshot {
  /** Calls that may be in flight. */
  readonly limit: number
  readonly inFlight: number
  /** Ms a call takes when nothing queues; null while unknown. */
  readonly baselineMs: number | null
  /** Ms a call takes now (geometric mean); null while unknown. */
  readonly latencyMs: number | null
  /** Calls a second that the quota grants, found or stated in headers; null when no quota binds. */
  readonly ratePerSecond: number | null
  /** Where the search stands: climbing, tracking, braking after an alarm, probing with a lower limit. */
  readonly phase: Phase
  /** It sends less, or more, than it found, to learn whether the downstream has changed. */
  readonly probing: boolean
  /** Why the last question was answered with a wait; null when it was answered with 0. */
  readonly gate: GateReason | null
  /** Until when, on the caller's clock; null when a call has to settle first, or nothing is closed. */
  readonly gateUntilMs: number | null
  readonly breaker: BreakerState
  readonly retryTokens: number
}

export class Controller implements Limiter {
  readonly #options: CheckedOptions
  readonly #random: () => number
  readonly #clock: SteadyClock
  readonly #permits = new Permits()
  readonly #queue: QueueLimit
  readonly #quota = new Quota()
  readonly #headers = new HeaderQuota()
  readonly #gate = new Gate()
  readonly #breaker = new Breaker(MAX_OPEN_MS)
  readonly #stall = new Stall()
  readonly #budget: RetryBudget
  #sequence = 0
  /** Begins as a number, as all times here do: V8 boxes each number anew in a field that began as undefined. */
  #nowMs = 0
  /** The time as it was last given. */
  #heardMs = Number.NaN
  /** The longest that a call took lately: none is given up as lost before several times this. */
  #longestMs = 0
  #probeSequence = 0
  #probeSentMs = 0
  /** When a success was last heard of, of a call that had been sent after the one heard of before. */
  #answeredMs = Number.NEGATIVE_INFINITY
  #silentTimeouts = 0
  #successes = 0
  #tickMs = Number.NEGATIVE_INFINITY
  #reason: GateReason | null = null
  #reasonMs = 0

  constructor(options: ControllerOptions = {}, nowMs = 0) {
    this.#options = checkControllerOptions('Controller', options)
    const seeded = new SeededRandom(options.seed ?? 1)
    const random = options.random ?? (() => seeded.next())
    this.#random = () => {
      const drawn = random()
      return drawn >= 0 && drawn < 1 ? drawn : 0.5
    }
    this.#clock = new SteadyClock(nowMs)
    this.#nowMs = this.#clock.read(nowMs)
    const { initial, min, max, target, retryBudget } = this.#options
    const learned = usable(options.learned)
    const first = Math.min(max, Math.max(min, initial ?? learned.limit ?? min))
    this.#queue = new QueueLimit({ initial: first, min, max, queue: target }, this.#nowMs)
    if (learned.baselineMs !== null) this.#queue.learned(logMs(learned.baselineMs), this.#nowMs)
    if (learned.ratePerSecond !== null) this.#quota.learned(learned.ratePerSecond, this.#nowMs)
    this.#budget = new RetryBudget(retryBudget, this.#nowMs)
  }

  /** Calls that may be in flight at this moment. */
  get limit(): number {
    return this.#queue.limit
  }

  get inFlight(): number {
    return this.#permits.inFlight
  }

  get reason(): GateReason | null {
    return this.#reason
  }

  get isDown(): boolean {
    return this.#breaker.state !== 'closed'
  }

  /**
   * 0: send now. Otherwise the instant at which to ask again, in ms on the clock of `nowMs` and later than it;
   * Infinity: when a call settles (ask again after `patienceMs` if none does). Asking more often changes nothing.
   */
  admit(nowMs: number): number {
    const now = this.#advance(nowMs)
    const pauseMs = this.#gate.waitMs(now, this.#permits.inFlight, this.#queue.limit)
    if (pauseMs > 0) return this.#wait('retry-after', pauseMs, now)
    if (this.#breaker.state !== 'closed') {
      const breakerMs = this.#breaker.waitMs(now)
      if (breakerMs > 0) return this.#wait('breaker', breakerMs, now)
    } else if (this.#permits.inFlight >= this.#queue.limit) {
      this.#reason = 'concurrency'
      this.#reasonMs = Number.POSITIVE_INFINITY
      return Number.POSITIVE_INFINITY
    }
    const rateMs = Math.max(this.#headers.waitMs(this.#sequence, now), this.#quota.waitMs(now))
    if (rateMs > 0) return this.#wait('quota', rateMs, now)
    this.#reason = null
    return 0
  }

  /** As `admit`, for a call that is a retry: it also needs the retry budget to pay `cost` (2 after a time-out). */
  admitRetry(nowMs: number, cost = 1): number {
    const askMs = this.admit(nowMs)
    if (askMs > 0) return askMs
    this.#tick(this.#nowMs)
    const waitMs = this.#budget.waitMs(bounded(cost, TIMEOUT_COST), this.#nowMs)
    return waitMs > 0 ? this.#nowMs + Math.max(waitMs, LEAST_WAIT_MS) - this.#clock.aheadMs : 0
  }

  /** A call is sent, whatever `admit` said. The permit is opaque; it goes back with `settled`. */
  sent(nowMs: number): Permit {
    const now = this.#advance(nowMs)
    this.#sequence += 1
    if (this.#breaker.state === 'open') {
      this.#breaker.started()
      this.#probeSequence = this.#sequence
      this.#probeSentMs = now
    }
    const permit = this.#permits.open(now, this.#sequence)
    this.#quota.sent(now)
    this.#headers.sent(this.#sequence, now)
    this.#queue.sent(this.#sequence, now, this.#permits.inFlight)
    this.#stall.sent(this.#permits.inFlight, now)
    return permit
  }

  /** As `sent`, for a retry: takes `cost` from the retry budget. */
  sentRetry(nowMs: number, cost = 1): Permit {
    const permit = this.sent(nowMs)
    this.#budget.waitMs(0, this.#nowMs)
    this.#budget.take(bounded(cost, TIMEOUT_COST))
    return permit
  }

  /** A call ended. A permit that is unknown, or settled already, changes nothing. */
  settled(permit: Permit, nowMs: number, outcome: AttemptOutcome): void {
    const now = this.#advance(nowMs)
    const slot = this.#permits.slotOf(permit)
    if (slot < 0) return
    const sentMs = this.#permits.sentMs(slot)
    const sequence = this.#permits.sequence(slot)
    const wasLost = this.#permits.isLost(slot)
    this.#permits.close(slot)
    const tookMs = now - sentMs
    if (tookMs > this.#longestMs) this.#longestMs = tookMs
    else this.#longestMs -= (this.#longestMs - tookMs) / 1024
    this.#hear(outcome, sequence, now)
    if (wasLost) return
    switch (outcome.kind) {
      case 'success':
        this.#succeeded(sequence, sentMs, tookMs, now)
        return
      case 'timeout':
        this.#timedOut(sequence, sentMs, tookMs, now)
        return
      case 'overloaded':
        this.#overloaded(sequence, sentMs, outcome, now)
        return
      case 'failed':
        this.#queue.dropped(sequence)
        this.#downstreamFailed(sequence, now)
        return
      default:
        this.#queue.dropped(sequence)
        if (sequence !== this.#probeSequence) return
        if (outcome.answered === true) this.#reopen(now)
        else this.#breaker.undecided()
    }
  }

  /**
   * How long to wait at most after `admit` answered Infinity, in ms: a call that never settles does not hold its
   * place for longer.
   */
  patienceMs(nowMs: number): number {
    const now = this.#advance(nowMs)
    if (this.#breaker.state === 'half-open') return Math.max(0, this.#probeSentMs + this.#probePatienceMs() - now)
    return Math.max(0, this.#permits.oldestMs + this.#lostAfterMs() - now)
  }

  /** Changes the highest limit from now on, a whole number of calls; a `min` above it comes down with it. */
  change({ max }: { readonly max: number }): void {
    const check = checkControllerOptions('Controller.change', { max })
    this.#queue.setMax(check.max)
  }

  snapshot(): ControllerSnapshot {
    const now = this.#nowMs
    const ratePerSecond = this.#headers.isKnown(now) ? this.#headers.perSecond(now) : this.#quota.perSecond
    const { phase, baseline, latency } = this.#queue
    const reason = this.#reason
    return {
      limit: this.#queue.limit,
      inFlight: this.#permits.inFlight,
      baselineMs: baseline.isKnown ? Math.exp(baseline.value) : null,
      latencyMs: Number.isNaN(latency) ? null : Math.exp(latency),
      ratePerSecond: Number.isFinite(ratePerSecond) ? ratePerSecond : null,
      phase,
      probing: phase === 'probe' || phase === 'deep' || this.#quota.isProbing,
      gate: reason,
      gateUntilMs: reason === null || !Number.isFinite(this.#reasonMs) ? null : this.#reasonMs - this.#clock.aheadMs,
      breaker: this.#breaker.state,
      retryTokens: this.#budget.tokens(now),
    }
  }

  /** What a restart can begin from, as plain JSON: the option `learned`. */
  learned(): Learned {
    const { baseline, good } = this.#queue
    const { perSecond } = this.#quota
    return {
      version: 1,
      limit: Math.max(1, Math.floor(good)),
      baselineMs: baseline.isKnown ? Math.exp(baseline.value) : null,
      ratePerSecond: Number.isFinite(perSecond) ? perSecond : null,
    }
  }

  // how calls end

  #hear({ kind, rateLimit }: AttemptOutcome, sequence: number, now: number): void {
    if (rateLimit === undefined) {
      if (kind === 'success') this.#headers.unseen()
      return
    }
    const wasKnown = this.#headers.isKnown(now)
    this.#headers.seen(rateLimit, sequence, now)
    // What is stated from now on makes what was found before another matter.
    if (!wasKnown && this.#headers.isKnown(now)) this.#quota.forget()
  }

  #succeeded(sequence: number, sentMs: number, tookMs: number, now: number): void {
    this.#successes += 1
    this.#quota.succeeded()
    this.#silentTimeouts = 0
    if (sentMs > this.#answeredMs) this.#answeredMs = now
    if (this.#breaker.state === 'closed') {
      this.#breaker.succeeded()
      this.#queue.succeeded(sequence)
      if (this.#stall.isMet(this.#permits.inFlight + 1, sentMs, now, this.#queue)) this.#queue.dropped(sequence)
      else this.#queue.measured(sequence, now, logMs(tookMs), this.#clock.aheadMs)
    } else if (sequence >= this.#probeSequence && this.#breaker.state === 'half-open') {
      this.#reopen(now)
    }
  }

  /** The probe was answered: the downstream is back. */
  #reopen(now: number): void {
    if (this.#breaker.state !== 'half-open') return
    this.#breaker.succeeded()
    this.#queue.resume(now)
  }

  #timedOut(sequence: number, sentMs: number, tookMs: number, now: number): void {
    if (this.#breaker.state === 'closed') {
      this.#queue.timedOut(sequence, now, logMs(tookMs), this.#clock.aheadMs)
      // Nothing has been heard of any call since this one was sent: that is an outage, not a slow call.
      this.#silentTimeouts = sentMs > this.#answeredMs ? this.#silentTimeouts + 1 : 0
      if (this.#silentTimeouts >= SILENT_TIMEOUTS) {
        this.#silentTimeouts = 0
        this.#breaker.open(now, this.#random())
        return
      }
      // Others were answered meanwhile. A broken replica's calls of one burst time out together: that is no outage.
      if (this.#silentTimeouts === 0) return
    }
    this.#downstreamFailed(sequence, now)
  }

  #overloaded(sequence: number, sentMs: number, outcome: AttemptOutcome, now: number): void {
    const { status, retryAfterMs, rateLimit } = outcome
    const pauseMs = believed(retryAfterMs)
    this.#gate.close(pauseMs, now, this.#random())
    if (pauseMs > 0) this.#queue.paused(this.#gate.untilMs)
    if (status === TOO_MANY_REQUESTS) {
      this.#queue.dropped(sequence)
      // Where the stated quota is used up, there is nothing to be found.
      if (!(rateLimit?.remaining === 0 && this.#headers.isKnown(now)))
        this.#quota.refused(sequence, sentMs, this.#sequence, now, pauseMs)
      if (sequence === this.#probeSequence) this.#breaker.undecided()
      return
    }
    if (pauseMs > 0) this.#gate.spread(this.#queue.typicalMs())
    if (this.#breaker.state === 'closed') this.#queue.refused(sequence, now)
    this.#downstreamFailed(sequence, now)
  }

  #downstreamFailed(sequence: number, now: number): void {
    if (this.#breaker.state === 'closed' || sequence === this.#probeSequence) {
      this.#breaker.failed(now, this.#random(), this.#queue.background)
    }
  }

  // time

  #advance(nowMs: number): number {
    // Most questions come at the very instant of the one before.
    if (nowMs === this.#heardMs) return this.#nowMs
    this.#heardMs = nowMs
    const now = this.#clock.read(nowMs)
    this.#nowMs = now
    if (now >= this.#tickMs) this.#tick(now)
    return now
  }

  /** What time alone brings about. Once in a few ms is enough, and all that a busy client should pay for. */
  #tick(now: number): void {
    this.#tickMs = now + TICK_MS
    if (this.#permits.inFlight > 0 && now - this.#permits.oldestMs > this.#options.lostAfterMs) this.#loseOld(now)
    if (this.#breaker.state === 'half-open' && now - this.#probeSentMs > this.#probePatienceMs()) {
      this.#breaker.open(now, this.#random())
    }
    this.#queue.step(now)
    if (this.#successes > 0) this.#budget.deposit(this.#successes, now)
    this.#successes = 0
  }

  /** Calls that nobody will settle any more must not hold their places for ever. */
  #loseOld(now: number): void {
    const afterMs = this.#lostAfterMs()
    while (now - this.#permits.oldestMs > afterMs) this.#permits.loseOldest()
  }

  #lostAfterMs(): number {
    return Math.max(this.#options.lostAfterMs, Math.min(LONGEST_LOST_MS, 4 * this.#longestMs))
  }

  #probePatienceMs(): number {
    const { baseline } = this.#queue
    return baseline.isKnown ? Math.max(LEAST_PROBE_MS, PROBE_BASELINES * Math.exp(baseline.value)) : this.#lostAfterMs()
  }

  #wait(reason: GateReason, waitMs: number, now: number): number {
    this.#reason = reason
    this.#reasonMs = now + Math.max(waitMs, LEAST_WAIT_MS)
    return this.#reasonMs - this.#clock.aheadMs
  }
}

function bounded(value: number, fallback: number): number {
  return value >= 0 && value <= 100 ? value : fallback
}
