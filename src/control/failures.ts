/**
 * What refusals for overload (503) and time-outs say about the limit. A single rare one must not cut it: cutting on
 * every time-out starves a downstream whose calls have a heavy tail. A share above the threshold cuts, once per
 * episode: after a cut only calls sent later count.
 *
 * Where the limit is down to half and calls still fail, perhaps the load is not what makes them: one broken replica of
 * ten fails a tenth, however few are sent. So the share is measured there, and then the limit goes back to where the
 * cuts began, to climb on from there. If no larger share fails, it is background from now on, and only more than that
 * cuts; otherwise the limit falls again, and the next such trial is a smaller one, and later. Called by
 * `queue-limit.ts`. Invariant: a trial begins at a limit that stood before the cuts, never above.
 */
import { FailureShare } from './failure-share.ts'

const REFUSED_SHARE = 0.02
const TIMED_OUT_SHARE = 0.05
const REFUSED_CUT = 0.85
const TIMED_OUT_CUT = 0.6
/** Refused at so many in flight, the limit stays below that for a while. */
const CEILING = 0.95
const CEILING_MS = 15_000
/** Far enough down to compare: of what the load makes fail, less than half would be left. No longer so from the other on. */
const DOWN = 0.5
const UP = 0.75
/** Failed calls that a share is known by, and fewer by which a large one shows. */
const ENOUGH = 20
const FEW = 5
/** Once so many times as many would have failed, what was broken is mended. */
const MENDED = 8
/** A larger share is trouble, whatever the reason. */
const MOST_BACKGROUND = 0.5
/** By chance the same share may come out larger by this factor; with few failed calls by the other. */
const SAME = 1.6
const SAME_OF_FEW = 3
/** Something else has taken the limit below this part of what is tried: the trial says nothing. */
const UNDISTURBED = 0.65
const FIRST_WAIT_MS = 4000
const LONGEST_WAIT_MS = 240_000

/** The limit from before the cuts is tried. */
interface Trial {
  /** Of the failures that led to it. */
  readonly share: FailureShare
  /** What failed at the limit `from`, to which the cuts had led. */
  readonly mean: number
  readonly from: number
}

export class Failures {
  /** No cut goes below it. */
  min: number
  readonly #refused = new FailureShare(REFUSED_SHARE)
  readonly #timedOut = new FailureShare(TIMED_OUT_SHARE)
  #from = 0
  #ceiling = Number.POSITIVE_INFINITY
  #ceilingUntilMs = 0
  /** The limit before the first cut of this episode; 0 when there is none. */
  #before = 0
  /** The cuts have led far enough down to tell. */
  #isDown = false
  #trial: Trial | null = null
  #waitMs = FIRST_WAIT_MS
  #notBeforeMs = Number.NEGATIVE_INFINITY

  constructor(min: number) {
    this.min = min
  }

  /** Only calls from this sequence number on count. */
  restart(sequence: number): void {
    this.#refused.restart(sequence)
    this.#timedOut.restart(sequence)
    this.#from = sequence
  }

  /** As `restart`, after an outage. */
  resume(sequence: number): void {
    this.restart(sequence)
    this.#trial?.share.attribute(0)
    this.#trial = null
  }

  succeeded(sequence: number): void {
    if (sequence < this.#from) return
    this.#refused.succeeds()
    this.#timedOut.succeeds()
    if (this.#before === 0) return
    const trial = this.#trial
    if (trial === null) {
      if (this.#refused.isLow && this.#timedOut.isLow) this.#before = 0
    } else if (trial.share.succeeded * trial.mean >= MENDED * ENOUGH) this.#attributed(trial.share, trial.mean)
  }

  /** The limit to go to, or 0 when it may stay. */
  refused(sequence: number, limit: number, inFlight: number, nowMs: number): number {
    const to = this.#failed(this.#refused, REFUSED_CUT, sequence, limit, nowMs)
    if (to === 0 || to > limit) return to
    this.#keepBelow(Math.max(1, CEILING * Math.min(limit, inFlight)), nowMs)
    return Math.min(to, this.#ceiling)
  }

  /** The limit to go to, or 0 when it may stay. */
  timedOut(sequence: number, limit: number, nowMs: number): number {
    const to = this.#failed(this.#timedOut, TIMED_OUT_CUT, sequence, limit, nowMs)
    // What is looked at closer must not grow away meanwhile.
    if (to > 0 && to <= DOWN * this.#before) this.#keepBelow(DOWN * this.#before, nowMs)
    return to
  }

  /** The share of calls that fail whatever the load is, or fail at a limit that is far down already. */
  get background(): number {
    const known = Math.max(this.#refused.background, this.#timedOut.background)
    return this.#before > 0 && this.#isDown ? Math.max(known, this.#refused.mean, this.#timedOut.mean) : known
  }

  /** Calls time out, and the load is not the reason. */
  get explainsTimeouts(): boolean {
    return this.#timedOut.background > TIMED_OUT_SHARE / 2
  }

  ceilingAt(nowMs: number): number {
    return nowMs < this.#ceilingUntilMs ? this.#ceiling : Number.POSITIVE_INFINITY
  }

  #keepBelow(limit: number, nowMs: number): void {
    this.#ceiling = limit
    this.#ceilingUntilMs = nowMs + CEILING_MS
  }

  #failed(share: FailureShare, cut: number, sequence: number, limit: number, nowMs: number): number {
    if (sequence < this.#from) return 0
    share.fails(sequence)
    const { failed, known } = share
    if (this.#trial !== null) return this.#judged(this.#trial, share, limit, nowMs)
    if (!share.isHigh) return 0
    if (limit > this.#before) this.#before = limit
    this.#isDown = limit <= Math.max(this.min, (this.#isDown ? UP : DOWN) * this.#before)
    const isTrouble = failed >= FEW && failed > MOST_BACKGROUND * known
    if (!this.#isDown || isTrouble) return cut * limit
    if (failed < ENOUGH) return 0
    if (nowMs < this.#notBeforeMs) return cut * limit
    const mean = failed / known
    this.#trial = { share, mean, from: limit }
    this.#keepBelow(Number.POSITIVE_INFINITY, nowMs)
    share.attribute(mean)
    return this.#before
  }

  /** A call failed while the limit from before the cuts is tried. */
  #judged(trial: Trial, share: FailureShare, limit: number, nowMs: number): number {
    const { mean, from } = trial
    const { failed, known } = share
    const isOff = limit < UNDISTURBED * this.#before
    const isKnown = failed >= 2 * ENOUGH
    const most = isKnown ? SAME * mean * known : FEW + SAME_OF_FEW * mean * known
    const isMore = share === trial.share ? failed > most : share.isHigh
    if (!isOff && !isMore) {
      // Enough calls, and no larger share of them failed: the load is not what makes them fail.
      if (share === trial.share && isKnown) this.#attributed(share, Math.max(mean, failed / known))
      return 0
    }
    this.#trial = null
    trial.share.attribute(0)
    if (isMore) this.#before = from
    this.#notBeforeMs = nowMs + this.#waitMs
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS)
    return isOff ? 0 : Math.min(from, limit)
  }

  #attributed(share: FailureShare, mean: number): void {
    share.attribute(mean)
    this.#trial = null
    this.#before = 0
    this.#waitMs = FIRST_WAIT_MS
  }
}
