/**
 * How many calls may be in flight: the limit that keeps the servers busy and next to nothing queued. It climbs by
 * doubling until latency rises above the baseline, then tracks a target queue of about .35·√limit calls (a concave
 * target, so that clients that share a downstream end with equal shares). What latency alone cannot tell (a queue of
 * one's own from a longer way to the server) is asked of the downstream: with fewer calls in flight, does a call become
 * faster? Sources: Vegas (Brakmo 1995) for the queue target, BBR (Cardwell 2016) for probing down; the elasticity test
 * and the clock-aligned deep probe are Headgate's own.
 * Invariant: min ≤ limit ≤ max, and no phase outlives its deadline.
 */
import { ALARM, CUT, PROBE_TURNS } from './aim.ts'
import { type Cause, OURS } from './experiment.ts'
import { LimitState, type Phase, type QueueLimitOptions } from './limit-state.ts'
import { deepSlotMs } from './probe-schedule.ts'
import { callsOf, growthOf, verdictOf } from './round.ts'

/** While the limit climbs, the rise of latency that is an alarm. */
const CLIMB_ALARM = 0.5
const CLEAN = 0.1
const MOST_BRAKES = 3
/** A brake gives throughput away: it answers soon rather than exactly. */
const BRAKE = { accuracy: 0.14, turns: 2 }
const DEEP = { cut: 0.4, turns: 2 }
/** The factor of a climb from a limit that has stood. */
const CLIMB_ON = 1.4
/** A climb back ends at this share of what held before. */
const RESUME = 0.9
/** A baseline of fewer calls is not relied upon; `LEAST_LOW` of them can lower it. */
const FEW = 32
const LEAST_LOW = 8
/** While it rests on fewer, slower rounds join it and end no climb: one fast call would hold the limit down for good. */
const FEW_FIRST = 8
/** A baseline that was raised so recently is raised again only where all clients probe. */
const RAISE_AGAIN_MS = 30_000

export class QueueLimit extends LimitState {
  #growth = 2
  #resumeTo = 0
  #again = false
  #isVerifying = false
  #brakes = 0
  #slotMs = 0
  #raisedMs = Number.NEGATIVE_INFINITY
  /** The limit from which the present climb tries for the one before a fall; 0 when it is another climb. */
  #trying = 0

  constructor(options: QueueLimitOptions, nowMs: number) {
    super(options, nowMs)
    this.#beginRound(nowMs)
  }

  /** A call took `value` (a logarithm of ms): it succeeded, or it lasted so long until it was given up. */
  measured(sequence: number, nowMs: number, value: number, aheadMs: number): void {
    this.aheadMs = aheadMs
    const isFair = nowMs >= this.pausedMs
    if (isFair && sequence >= this.validFrom) this.measures.settled(value, this.exact)
    if (this.phase === 'slow-start') this.cohort.settled(sequence, value)
    else if (this.phase !== 'track') this.experiment.measured(sequence, nowMs, value)
    else if (isFair) this.measures.settledInWindow(value, nowMs)
    this.step(nowMs)
  }

  /** The downstream refused a call because it is too busy (503). */
  refused(sequence: number, nowMs: number): void {
    this.cohort.dropped(sequence)
    this.#failuresAsk(this.failures.refused(sequence, this.exact, this.measures.inFlight, nowMs), nowMs)
  }

  /** A call took longer than it may: `value` is a bound of what it takes. */
  timedOut(sequence: number, nowMs: number, value: number, aheadMs: number): void {
    this.#failuresAsk(this.failures.timedOut(sequence, this.exact, nowMs), nowMs)
    // Where some time out whatever the load is, that is no latency.
    if (this.failures.explainsTimeouts) this.cohort.dropped(sequence)
    else this.measured(sequence, nowMs, value, aheadMs)
  }

  #failuresAsk(limit: number, nowMs: number): void {
    if (limit === 0) return
    this.failures.restart(this.sequence + 1)
    if (limit > this.exact) {
      this.#climb(limit, CLIMB_ON, nowMs)
      return
    }
    this.regain.fell(this.exact, nowMs, this.typicalMs())
    this.#track(limit, nowMs)
    if (!Number.isFinite(this.schedule.dueMs)) this.restartSchedule(nowMs)
  }

  /** After an outage: climbs again to nine tenths of what worked before, with the baseline of before. */
  resume(nowMs: number): void {
    const before = Math.max(this.good, 1)
    this.#resumeTo = RESUME * before
    this.regain.fell(before, nowMs, this.typicalMs())
    this.failures.resume(this.sequence + 1)
    this.#climb(Math.min(4, before / 4), 2, nowMs)
  }

  /** Moves on when something is due. Also called when nothing settles. */
  step(nowMs: number): void {
    switch (this.phase) {
      case 'slow-start':
        if (this.isMeasured(nowMs)) this.#roundDone(nowMs)
        else if (this.exact >= 8 && this.measures.isAlarm(CLIMB_ALARM, this.baseline, this.exact))
          this.#foundKnee(this.measures.fast - this.baseline.value, nowMs)
        return
      case 'track':
        if (this.measures.isAlarm(this.aim.alarm(this.exact), this.baseline, this.exact)) this.#cut('alarm', nowMs)
        else if (nowMs >= this.schedule.dueMs) this.#scheduledProbe(nowMs)
        else if (this.measures.isWindowDone(this.exact, nowMs)) this.#windowDone(nowMs)
        return
      case 'brake':
        if (this.isMeasured(nowMs)) this.#braked(nowMs)
        else if (this.isOverdue(nowMs)) this.#track(this.exact, nowMs)
        return
      case 'probe':
        if (!this.#isVerifying && this.measures.isAlarm(this.aim.alarm(this.exact), this.baseline, this.exact)) {
          // It has become slower in spite of the cut: whatever that is, the limit does not go back now.
          this.experiment.cause = 'alarm'
          this.phase = 'brake'
          return
        }
        if (this.cohort.isSent) this.setLimit(Math.max(this.exact, this.experiment.top))
        if (this.isMeasured(nowMs)) this.#probed(nowMs)
        else if (this.isOverdue(nowMs)) this.#probeFailed(nowMs)
        return
      case 'waiting':
        if (nowMs >= this.#slotMs) this.#lower('deep', DEEP.cut, this.aim.probeAccuracy(this.exact), DEEP.turns, nowMs)
        return
      case 'deep':
        if (this.isMeasured(nowMs)) this.#deepDone(nowMs)
        else if (this.isOverdue(nowMs)) this.#probeFailed(nowMs)
    }
  }

  // slow start

  #climb(limit: number, growth: number, nowMs: number): void {
    this.phase = 'slow-start'
    this.#trying = 0
    this.#growth = growth
    this.setLimit(limit)
    this.#beginRound(nowMs)
  }

  #beginRound(nowMs: number, isSecond = false): void {
    this.phaseMs = nowMs
    this.#again = isSecond
    this.measures.restart()
    this.cohort.begin(nowMs, callsOf(this.exact, isSecond))
  }

  #roundDone(nowMs: number): void {
    const { sample } = this.cohort
    const { baseline } = this
    this.measures.learn(sample)
    this.unqueued.learn(sample)
    if (sample.n === 0) this.#beginRound(nowMs)
    else if (!baseline.isKnown) {
      baseline.pool(sample)
      this.#grow(nowMs)
    } else {
      const rise = sample.mean - baseline.value
      const error = this.measures.errorOf(sample.n, baseline.n)
      const isSlower = this.unqueued.isSlower(rise, sample.n, baseline.n)
      const verdict = verdictOf({ rise, error, isSlower, n: sample.n }, this.exact, this.#again)
      if (verdict === 'grow') this.unqueued.learnAlone(sample)
      if (verdict === 'grow' && sample.n >= LEAST_LOW) baseline.observed(sample, error)
      if (verdict === 'knee' && baseline.n < FEW_FIRST && this.limit < 4 && this.#resumeTo === 0) {
        baseline.pool(sample)
        this.#beginRound(nowMs, true)
      } else if (verdict === 'knee') this.#foundKnee(rise, nowMs)
      else if (verdict === 'again' || !this.measures.isSaturated) {
        if (verdict === 'grow') this.holds(nowMs)
        this.#beginRound(nowMs, verdict === 'again')
      } else {
        if (this.#resumeTo === 0 && (rise <= error || baseline.n < FEW_FIRST)) baseline.pool(sample)
        this.#grow(nowMs)
      }
    }
  }

  #grow(nowMs: number): void {
    this.lastGood = this.exact
    const next = this.exact * growthOf(this.#growth, this.limit, this.typicalMs())
    if (this.#resumeTo > 0 && next >= this.#resumeTo) this.#foundLevel(this.#resumeTo, nowMs)
    else if (this.exact >= Math.min(this.failures.ceilingAt(nowMs), this.options.max))
      this.#foundLevel(this.exact, nowMs)
    else {
      this.setLimit(next)
      this.#beginRound(nowMs)
    }
  }

  #foundKnee(rise: number, nowMs: number): void {
    if (this.baseline.n < FEW && this.limit >= 4 && this.#resumeTo === 0) {
      // The baseline rests on a few calls: before it decides, fewer calls in flight have to show the same.
      this.#isVerifying = true
      this.#cut('scheduled', nowMs)
      return
    }
    const queueless = this.exact * Math.exp(-rise)
    if (this.exact <= this.#trying * this.#growth) {
      // The first step was too much already: nothing has come back, and the probes go on as they were.
      this.#track(Math.max(this.#trying, queueless), nowMs)
      return
    }
    this.#foundLevel(Math.max(this.exact / this.#growth, queueless) + this.aim.queueAtKnee(queueless), nowMs)
  }

  /** A climb towards the limit from before a fall: whether what took it away is over. */
  #tryAgain(nowMs: number): void {
    const { regain, exact } = this
    this.#resumeTo = Math.min(RESUME * regain.level, this.failures.ceilingAt(nowMs))
    const growth = regain.tried(exact, nowMs, this.typicalMs())
    this.#climb(Math.min(this.#resumeTo, growth * exact), growth, nowMs)
    this.#trying = exact
  }

  #foundLevel(limit: number, nowMs: number): void {
    this.#track(limit, nowMs)
    this.restartSchedule(nowMs)
  }

  // track

  #track(limit: number, nowMs: number): void {
    const isLower = limit < this.exact
    this.phase = 'track'
    this.#brakes = 0
    this.#resumeTo = 0
    // A probe that changed nothing does not end a growth.
    if (limit !== this.exact) this.tracking.restart()
    this.setLimit(limit)
    this.measures.restart()
    this.#beginWindow(nowMs, isLower ? 2 : 1)
    if (isLower) this.validFrom = this.sequence + 1
  }

  #beginWindow(nowMs: number, skip: number): void {
    this.phaseMs = nowMs
    this.measures.beginWindow(nowMs, skip, this.typicalMs())
  }

  #windowDone(nowMs: number): void {
    const sample = this.measures.window
    this.measures.learn(sample)
    // One call at a time makes no queue: whatever it takes is the baseline.
    if (!this.baseline.isKnown || this.limit === 1) this.baseline.set(sample.mean, sample.n)
    const error = this.measures.errorOf(sample.n)
    this.baseline.observed(sample, error)
    const rise = sample.mean - this.baseline.value
    const limit = this.exact
    const target = this.aim.queue(limit)
    if (this.limit > 1 && this.descent.isInVain(limit, rise, error, target / limit)) {
      this.experiment.stay(limit)
      this.#waitForSlot(false, nowMs)
      return
    }
    if (this.limit > 1 && this.tracking.isDrift(rise, error, target, limit)) {
      this.#cut('gray', nowMs)
      return
    }
    const before = this.limit
    this.holds(nowMs)
    if (this.measures.isSaturated) {
      const ceiling = this.failures.ceilingAt(nowMs)
      if (ceiling >= 2 * limit && this.regain.isDue(limit, target, this.measures, this.baseline, nowMs)) {
        this.#tryAgain(nowMs)
        return
      }
      this.lastGood = limit
      this.setLimit(Math.min(this.tracking.next(limit, before, rise, error, target), ceiling))
    } else this.setLimit(this.tracking.lowered(limit, rise, error, target))
    this.#beginWindow(nowMs, this.limit === before ? 0 : 1)
  }

  // probing down

  #scheduledProbe(nowMs: number): void {
    if (this.limit < 2 || !this.measures.isSaturated || !this.baseline.isKnown) {
      this.schedule.postpone(nowMs, this.aheadMs)
      return
    }
    this.#cut('scheduled', nowMs)
  }

  /** Fewer calls in flight, to see what becomes of latency. */
  #cut(cause: Cause, nowMs: number): void {
    const { experiment, measures } = this
    if (this.phase === 'track' || this.phase === 'slow-start') experiment.top = this.exact
    experiment.cause = cause
    experiment.from = Math.min(this.exact, Math.max(1, measures.peak))
    if (experiment.from < 2) {
      // One call at a time makes no queue: what is measured now is the baseline.
      this.baseline.set(measures.fast, measures.fastN)
      this.#track(this.exact, nowMs)
      return
    }
    if (cause === 'alarm' && this.phase === 'track') this.restores.alarmed(nowMs, this.typicalMs())
    if (cause === 'scheduled') this.#lower('probe', CUT, this.aim.probeAccuracy(this.exact), PROBE_TURNS, nowMs)
    else {
      this.regain.fell(experiment.top, nowMs, this.typicalMs())
      this.schedule.postpone(nowMs, this.aheadMs)
      this.#lower('brake', CUT, BRAKE.accuracy, BRAKE.turns, nowMs)
    }
  }

  #lower(phase: Phase, cut: number, accuracy: number, turns: number, nowMs: number): void {
    this.phase = phase
    this.phaseMs = nowMs
    this.setLimit(this.experiment.from * cut)
    this.validFrom = this.sequence + 1
    this.experiment.begin(this.exact, accuracy, turns, nowMs, this.typicalMs())
  }

  #braked(nowMs: number): void {
    const { cause, after, n, error, top } = this.experiment
    const rise = after - this.baseline.value
    if (n === 0) this.#track(this.exact, nowMs)
    else if (cause === 'alarm' && rise <= CLEAN + 2 * error) {
      // After a second cut this says nothing about the limit before the first.
      if (this.#brakes === 0 && this.restores.tryNow(nowMs)) this.#track(top, nowMs)
      else {
        this.#resumeTo = RESUME * top
        this.#climb(this.exact, 1.25, nowMs)
      }
    } else if (this.experiment.isTransient && rise > ALARM && this.#brakes < MOST_BRAKES) {
      this.#brakes += 1
      this.#cut('alarm', nowMs)
    } else if (this.experiment.isNotOurs(rise)) {
      // Fewer calls do not help, or noise hides whether they do: to wait for a deeper probe costs little, but a limit
      // that follows a latency that is not its own making falls to nothing. The baseline is not raised on that alone:
      // others may have made the queue.
      this.#waitForSlot(cause === 'alarm' && nowMs - this.#raisedMs < RAISE_AGAIN_MS, nowMs)
    } else {
      this.descent.braked(this.experiment, this.baseline.value)
      this.#track(this.exact * Math.exp(-rise) + this.aim.queue(this.exact), nowMs)
    }
  }

  #waitForSlot(isAgain: boolean, nowMs: number): void {
    this.phase = 'waiting'
    this.descent.restart()
    this.#slotMs = deepSlotMs(nowMs, this.aheadMs, this.typicalMs(), isAgain)
  }

  #probed(nowMs: number): void {
    const { after, before, n, error, elasticity, top } = this.experiment
    if (n === 0) {
      this.#probeFailed(nowMs)
      return
    }
    this.unqueued.probed(this.cohort.sample, after - this.baseline.value)
    if (this.#isVerifying) {
      this.#isVerifying = false
      // Only as far as chance explains: the calls of others may have queued meanwhile.
      const most = this.baseline.value + 2 * this.measures.errorOf(this.baseline.n)
      this.baseline.set(Math.min(after, elasticity > OURS ? most : this.baseline.value), Math.max(n, FEW))
      if (elasticity > OURS) this.#climb(top, this.#growth, nowMs)
      else this.#foundKnee(before - this.baseline.value, nowMs)
      return
    }
    if (this.experiment.stillQueues(this.aim.queue(top) / top)) {
      // Whose queue it is, the baseline may be of it too. Clients that probe together all see this now, and go deeper
      // together.
      this.#lower('deep', DEEP.cut, this.aim.probeAccuracy(this.exact), DEEP.turns, nowMs)
      return
    }
    // A baseline that falls is right in any case; it rises only where the queue is surely not what is measured.
    const isSure = elasticity > OURS && !this.experiment.isTransient
    const moved = isSure || after < this.baseline.value ? this.baseline.probed(after, n, error) : 0
    this.schedule.probed(moved, error, nowMs, this.aheadMs, this.aim.probeMs(this.exact))
    this.#track(top, nowMs)
  }

  #probeFailed(nowMs: number): void {
    this.#isVerifying = false
    this.schedule.postpone(nowMs, this.aheadMs)
    this.#track(this.experiment.top, nowMs)
  }

  #deepDone(nowMs: number): void {
    const { after, before, n, errorOfFall, top } = this.experiment
    if (n === 0) {
      this.#probeFailed(nowMs)
      return
    }
    const rise = Math.max(0, before - this.baseline.value)
    const fall = before - after
    const raised = Math.max(0, after - this.baseline.value)
    if (raised > ALARM) this.#raisedMs = nowMs
    this.baseline.set(after, n)
    this.restartSchedule(nowMs)
    if (fall <= 0.25 * rise + 2 * errorOfFall) {
      // As slow with so many fewer: the way has become longer, and as many more calls fit on it. No more than that:
      // clients that met only the queue of one another would take it for a longer way by turns, without end.
      this.#resumeTo = Math.max(top, this.regain.level) * Math.exp(raised)
      this.#climb(top, CLIMB_ON, nowMs)
    } else this.#track(top * Math.exp(-Math.max(0, fall)) + this.aim.queue(top), nowMs)
  }
}
